"""Decide turns: questions with the experts at hand, and whether to answer or whom to call.

Names and descriptions of experts are drawn at random (design §7), so that an expert that was never seen in training can be
used by its description. Questions that need no look at the image are answered in the same turn.
"""

# ruff: noqa: SIM905 (word lists read best as one string)

from __future__ import annotations

import random

READ_NAMES = ["read", "read", "read", "read", "ocr", "text_reader", "read_text", "reader", "text"]
READ_WORDS = [
    "reads the text in the image",
    "reads the text in the image, or in one box of it",
    "finds and reads all text lines with their places",
    "optical character recognition",
    "returns written words with boxes",
    "reads the text of the picture in reading order",
    "Read the text in the picture, or in one part of it: every line with its place, in reading order.",
    "Reads text from the whole picture or from a box and gives each line with its place.",
    "Returns the lines of text that stand in the picture. Use it for signs, documents and screens.",
]
OTHERS: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    # names, descriptions, questions that call it; "{o}" is an object, given as its argument
    (("ground", "detect", "find_objects", "locate"), ("finds objects by name and returns their boxes", "open-vocabulary detection of named objects", "locates the objects you name", "Find named things in the picture: a box for every place where one of the objects is seen."),
     ("What colour is the {o}?", "How many {o}s are there?", "Is there a {o} in the picture?", "Where is the {o}?", "Is the {o} left of the table?", "What is the {o} made of?", "Do you see a {o}?")),
    (("barcode", "qr", "codes"), ("decodes bar codes and QR codes", "reads the content of a QR code"), ("What does the QR code contain?", "Which link is behind the QR code?", "Decode the barcode.", "What is encoded in the bar code?")),
    (("faces", "people", "person_counter"), ("finds faces and counts people", "detects people and their faces"), ("How many people are in the picture?", "Is anybody looking at the camera?", "How many faces can be seen?", "Are there people?")),
    (("plants", "species", "botany"), ("names the species of plants and animals", "recognises species of plants"), ("Which plant is this?", "What species of flower is shown?", "Which tree is that?", "What kind of bird is it?")),
    (("chart", "plot_reader"), ("turns a chart into a table of numbers", "extracts the data of plots"), ("What is the highest bar in the chart?", "Which value does the curve have at 2010?", "Turn the diagram into numbers.")),
    (("depth", "distance"), ("estimates how far things are from the camera", "gives the depth of every point"), ("How far is the wall from the camera?", "Which object is nearest to the camera?", "How deep is the room?")),
    (("colours", "palette"), ("measures the colours of an area", "names the dominant colours"), ("What is the dominant colour of the picture?", "Which colours appear most?", "What colour is the background?")),
    (("landmark", "place_finder"), ("recognises famous buildings and places", "tells where a photo was taken"), ("Where was this photo taken?", "Which famous building is this?", "Which landmark is shown?")),
    (("music", "score_reader"), ("reads musical notation", "turns sheet music into notes"), ("Which note comes first in the score?", "What key is the piece in?", "Play back the melody: which notes?")),
    (("formula", "math_reader"), ("turns formulas into LaTeX", "reads handwritten mathematics"), ("Give the formula as LaTeX.", "Which equation is shown?", "Transcribe the formula.")),
)  # fmt: skip
PASSIVE = (
    ("zoom", "looks closer at one box of the image"),
    ("zoom", "Look closely at one part of the picture, for small things that are hard to see in the whole."),
    ("crop", "cuts out a part of the image"),
    ("rotate", "turns the image"),
    ("enhance", "makes dark images brighter"),
)
OBJECTS = "car dog cat chair bicycle bag cup boat horse lamp ball hat umbrella clock kite truck bench bottle bird tree door window flag ladder".split()
CAPITALS = dict(
    p.split(":")
    for p in "France:Paris Italy:Rome Spain:Madrid Germany:Berlin Japan:Tokyo Norway:Oslo Sweden:Stockholm Finland:Helsinki Poland:Warsaw Austria:Vienna Greece:Athens Portugal:Lisbon Egypt:Cairo Kenya:Nairobi Peru:Lima Cuba:Havana Ireland:Dublin Denmark:Copenhagen Hungary:Budapest Russia:Moscow China:Beijing India:Delhi Canada:Ottawa Belgium:Brussels Turkey:Ankara Iran:Tehran Iraq:Baghdad Thailand:Bangkok Chile:Santiago Ghana:Accra".split()
)
OPPOSITES = dict(
    p.split(":")
    for p in "hot:cold big:small early:late open:closed left:right up:down day:night black:white rich:poor old:young full:empty wet:dry light:dark hard:soft fast:slow high:low near:far buy:sell win:lose first:last".split()
)
KNOWN = (("How many days are in a week?", "7"), ("How many months does a year have?", "12"), ("How many minutes are in an hour?", "60"), ("What is the chemical symbol of water?", "H2O"), ("What is the chemical symbol of gold?", "Au"),
         ("Which planet do we live on?", "Earth"), ("What colour do you get from blue and yellow?", "green"), ("How many legs does a spider have?", "8"), ("What is the largest ocean?", "Pacific"), ("Who wrote Hamlet?", "Shakespeare"),
         ("How many continents are there?", "7"), ("What language is spoken in Brazil?", "Portuguese"), ("How many sides has a triangle?", "3"), ("What is the freezing point of water in Celsius?", "0"), ("Which animal says meow?", "cat"),
         ("In which season does snow usually fall?", "winter"), ("What do bees make?", "honey"), ("Which is bigger, an ant or an elephant?", "elephant"), ("What is the first letter of the alphabet?", "A"), ("How many hours does a day have?", "24"),
         ("What comes after Monday?", "Tuesday"), ("Which month comes before March?", "February"), ("Hello!", "Hello"), ("Thank you!", "You are welcome"), ("Who are you?", "P2G"), ("What can you do?", "answer questions about images"))  # fmt: skip


def experts(rng: random.Random) -> tuple[list[tuple[str, str]], dict[str, tuple[str, tuple[str, ...]]]]:
    """Experts at hand as `(name, description)`, and by kind (`read`, or a row of `OTHERS`) `(name, questions)`."""
    kinds: dict[str, tuple[str, tuple[str, ...]]] = {}
    listed: list[tuple[str, str]] = []
    if rng.random() < 0.97:
        name = rng.choice(READ_NAMES)
        listed.append((name, rng.choice(READ_WORDS)))
        kinds["read"] = (name, ())
    for names, descriptions, questions in rng.sample(OTHERS, rng.choice([0, 0, 1, 1, 2, 3])):
        name = rng.choice(names)
        listed.append((name, rng.choice(descriptions)))
        kinds[names[0]] = (name, questions)
    listed += rng.sample(PASSIVE, rng.choice([0, 1, 1, 2]))
    rng.shuffle(listed)
    return listed, kinds


def general(rng: random.Random, size: tuple[int, int]) -> tuple[str, str]:
    """A question that needs no look at the image, and its answer."""
    kind = rng.randrange(6)
    if kind == 0:
        country = rng.choice(list(CAPITALS))
        return rng.choice(
            [
                "What is the capital of {}?",
                "Which city is the capital of {}?",
                "Name the capital of {}.",
                "capital of {}?",
            ]
        ).format(country), CAPITALS[country]
    if kind == 1:
        word = rng.choice(list(OPPOSITES))
        return rng.choice(
            ["What is the opposite of {}?", "Give the opposite of {}.", "Which word means the opposite of {}?"]
        ).format(word), OPPOSITES[word]
    if kind == 2:
        a, b = rng.randint(1, 12), rng.randint(1, 12)
        sign, result = rng.choice([("+", a + b), ("plus", a + b), ("times", a * b), ("*", a * b)])
        return rng.choice(["What is {} {} {}?", "How much is {} {} {}?", "Calculate {} {} {}.", "{} {} {} = ?"]).format(
            a, sign, b
        ), str(result)
    if kind == 3:
        what = rng.choice(["wide", "high"])
        asked = rng.choice(
            [
                f"How {what} is the image?",
                f"How many pixels {what} is it?",
                f"What is the {'width' if what == 'wide' else 'height'} of the image in pixels?",
                f"Image {'width' if what == 'wide' else 'height'}?",
            ]
        )
        return asked, f"{size[0] if what == 'wide' else size[1]} pixels"
    if kind == 4:
        return rng.choice(["Is the image wider than it is high?", "Is this image in landscape format?"]), "yes" if size[
            0
        ] > size[1] else "no"
    return rng.choice(KNOWN)


def blind(rng: random.Random) -> str:
    """A question about things in the picture that no expert at hand can settle."""
    return rng.choice(rng.choice(OTHERS)[2]).format(o=rng.choice(OBJECTS))
