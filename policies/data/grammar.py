"""Prose about anything: clauses built from a small grammar, with a question for each part (who, what, where, when, how many …).

Hand-written facts (`prose.py`) are few and soon known by heart; these sentences are new each time, so that what is learned is
how a question points at a part of a sentence.
"""

from __future__ import annotations

from policies.data.values import ADJECTIVES, GOODS, THINGS, TOPICS, Values

REGULAR = """open:door,file,shop,valve,account close:gate,window,session,office check:list,oil,result,report print:page,map,label,ticket store:data,grain,file,coin
deliver:parcel,letter,meal,speech paint:wall,portrait,boat,door collect:stamp,tax,sample,fare repair:roof,engine,shoe,clock replace:filter,lamp,battery,pump
produce:cheese,steel,film,paper design:bridge,garden,logo,chip discover:comet,island,cave,element publish:novel,report,map,newspaper support:team,format,roof,plan
remove:cover,virus,stain,comment measure:height,speed,voltage,rain visit:school,city,museum,farm sign:treaty,letter,lease,order record:song,temperature,call,vote
describe:method,route,bird,recipe manage:budget,forest,hotel,server protect:coast,plant,copy,key translate:poem,manual,speech,menu transport:coal,milk,sand,wood
install:program,sensor,meter,lift contain:salt,index,motor,list control:heating,light,traffic,pressure improve:soil,sound,road,service list:name,price,port,species
limit:speed,size,access,number convert:image,unit,power,currency display:status,time,menu,error launch:rocket,app,ship,campaign train:nurse,dog,pilot,teacher
plant:tree,rose,hedge,vine harvest:wheat,apple,cotton,tea attack:fort,weed,server,crop inspect:bridge,kitchen,wire,ship inherit:farm,title,watch,debt"""
NAMED = [(verb, objects.split(",")) for verb, objects in (item.split(":") for item in REGULAR.split())]
PURPOSES = [
    "for safety reasons",
    "to save energy",
    "because of the rain",
    "to avoid damage",
    "for the anniversary",
    "to keep costs low",
    "for testing",
    "as a hobby",
    "to help beginners",
    "because the old one failed",
    "for legal reasons",
    "to reduce noise",
]
TOOLS = [
    "with a small brush",
    "with a steel key",
    "by hand",
    "with warm water",
    "by mail",
    "by night train",
    "with a crane",
    "over the network",
    "by bicycle",
    "with a laser",
    "with volunteers",
    "by telephone",
]


def _third(verb: str) -> str:
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z")) else "s")


def _past(verb: str) -> str:
    special = {"plan": "planned"}
    return special.get(verb, verb + ("d" if verb.endswith("e") else "ed"))


def _plural(noun: str) -> str:
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else _third(noun)


def clause(values: Values) -> tuple[str, list[tuple[str, str]]]:
    """A sentence and `(question, answer)` pairs; each answer stands verbatim in the sentence, once."""
    rng = values.rng
    verb, objects = values.pick(NAMED)
    person = rng.random() < 0.4
    subject = (
        values.pick([values.person, values.company])()
        if person
        else f"the {values.pick(ADJECTIVES)} {values.pick(THINGS)}"
    )
    if not person and rng.random() < 0.3:
        subject = f"the {values.pick(TOPICS)} {values.pick(['office', 'group', 'machine', 'club', 'team', 'module', 'station'])}"
    noun = values.pick(objects)
    number = values.integer(2, 9000)
    counted = rng.random() < 0.35
    goal = (
        f"{number} {_plural(noun)}"
        if counted
        else values.pick(
            [
                f"the {values.pick(ADJECTIVES)} {noun}",
                f"a {noun} of {values.pick(GOODS)}",
                f"the {noun} in {values.city()}",
                f"{values.surname()}'s {noun}",
                f'the {noun} "{values.title()}"',
            ]
        )
    )
    past = rng.random() < 0.5
    did, does = (_past(verb), "did") if past else (_third(verb), "does")
    wh = "Who" if person else "What"
    where = f"in {values.pick([values.city, values.country])()}" if rng.random() < 0.5 else f"at {values.place()}"
    when = values.pick(
        [
            f"in {values.year()}",
            f"on {values.weekday()}",
            f"in {values.month()}",
            f"at {values.time()}",
            f"since {values.year()}",
            f"every {values.pick(['week', 'month', 'morning', values.integer(2, 50) + ' hours', values.integer(2, 30) + ' years'])}",
        ]
    )
    extra = values.pick(
        [
            ("where", where),
            ("when", when),
            ("why", values.pick(PURPOSES)),
            ("how", values.pick(TOOLS)),
            None,
            ("when", when),
        ]
    )
    passive = rng.random() < 0.25
    if passive:
        plural = counted
        text = f"{goal} {('were' if plural else 'was') if past else ('are' if plural else 'is')} {_past(verb)} by {subject}"
    else:
        text = f"{subject} {did} {goal}"
    pairs = [
        (f"{wh} {did} {goal}?", subject),
        (
            f"By whom {'were' if counted else 'was'} {goal} {_past(verb)}?"
            if person
            else f"{wh} is it that {did} {goal}?",
            subject,
        ),
    ]
    pairs += (
        [(f"How many {_plural(noun)} {does} {subject} {verb}?", number)]
        if counted
        else [(f"What {does} {subject} {verb}?", goal), (f"Which {noun} {does} {subject} {verb}?", goal)]
    )
    if extra:
        text += f" {extra[1]}"
        bare = extra[1].split(" ", 1)[1]
        asked = {
            "where": [
                (f"Where {does} {subject} {verb} {goal}?", bare),
                (f"In which place {does} {subject} {verb} {goal}?", bare),
            ],
            "when": [
                (f"When {does} {subject} {verb} {goal}?", extra[1] if extra[1].startswith("every") else bare),
                (f"Since when or when {does} it {verb} {goal}?", extra[1] if extra[1].startswith("every") else bare),
            ],
            "why": [
                (f"Why {does} {subject} {verb} {goal}?", extra[1]),
                (f"For what reason {'was' if past else 'is'} {goal} {_past(verb)}?", extra[1]),
            ],
            "how": [
                (f"How {does} {subject} {verb} {goal}?", extra[1]),
                (f"In what way {does} {subject} {verb} {goal}?", extra[1]),
            ],
        }[extra[0]]
        pairs += asked
    text = text[0].upper() + text[1:] + "."
    if rng.random() < 0.3:
        other = values.sentence()
        text = f"{text[:-1]}, {values.pick(['and', 'but', 'while', 'although'])} {other[0].lower()}{other[1:]}"
    rng.shuffle(pairs)
    kept = [(q[0].upper() + q[1:], a) for q, a in pairs if text.count(a) == 1]
    return text, kept[:3]


DEFINED: tuple[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    # kind of thing, its names, what is said of it, and how one asks for the name by what is said ("{d}")
    ("directory", ("/bin/", "/etc/", "/var/log", "/home", "/tmp", "C:\\Data", "~/notes", "/srv", "/opt/tools", "src/", "docs/"), ("temporary files", "user data", "log messages", "start-up scripts", "device files", "backup copies", "shared libraries", "mail waiting to be sent", "site-specific data", "pictures and sound"), ("Which directory is for {d}?", "Where are {d} kept?", "Where do I find {d}?")),
    ("command", ("ls", "sync", "fetch", "grep", "mount", "reset", "build", "push", "top", "make", "undo", "clean"), ("shows the running programs", "copies a folder", "starts the server", "deletes old versions", "compares two files", "prints the date", "ends the session", "searches in text", "changes the owner", "lists all branches"), ("Which command {d}?", "What {d}?", "Name the command that {d}.")),
    ("part", ("handle", "lever", "display", "nozzle", "fuse box", "button A", "red lamp", "slot B", "drain", "cap", "knob 3"), ("turns the light on", "shows the water level", "holds the paper", "opens the lid", "stops the motor", "keeps dust out", "sets the clock", "lights up on failure"), ("Which part {d}?", "What {d}?", "What is it that {d}?")),
    ("role", ("editor", "treasurer", "guard", "pilot", "clerk", "referee", "warden", "curator", "host"), ("keeps the accounts", "opens the meeting", "checks the tickets", "trains the newcomers", "writes the minutes", "answers the mail", "orders the food"), ("Who {d}?", "Which person {d}?", "Whose task is it: who {d}?")),
    ("zone", ("Zone A", "green area", "Hall 2", "inner ring", "North wing", "upper deck", "Lot C"), ("visitors only", "deliveries before noon", "residents with a permit", "cyclists and walkers", "staff and guests", "buses and taxis"), ("Which area is for {d}?", "Where may {d} go?", "What is meant for {d}?")),
    ("format", ("PNG", "SVG", "CSV", "OGG", "PDF", "TIFF", "JSON", "ZIP"), ("drawings without loss", "tables of numbers", "pages to print", "compressed archives", "sound at low rates", "pictures with layers"), ("Which format is for {d}?", "What is used for {d}?", "What should I take for {d}?")),
)  # fmt: skip


def definition(values: Values) -> tuple[str, str, list[tuple[str, str]]]:
    """`(term, description, questions)`: what the term does or is for, asked both ways."""
    kind, names, said, inverse = values.pick(DEFINED)
    term = values.pick(names) if values.rng.random() < 0.6 else values.word()
    text = values.pick(said)
    verb = " " in text and text.split()[0].endswith("s") and kind in ("command", "part", "role")
    forward = (
        [f"What does {term} do?", f"What is said of {term}?"]
        if verb
        else [f"What is {term} for?", f"What is in {term}?", f"For what is {term} used?"]
    )
    return term, text, [(values.pick(forward), text), (values.pick(inverse).format(d=text), term)]
