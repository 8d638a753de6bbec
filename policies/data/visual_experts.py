"""Experts at hand for decide turns about pictures, under random names and descriptions, and questions for plug-ins.

The controller is to pick an expert by its description alone (design §7): the same kind of expert comes under many names,
some of which say nothing. `HELD_OUT_PLUGINS` are kinds of plug-ins that no training prompt may hold; they are for asking
afterwards whether an expert that was never seen is called when its description fits.
"""

# ruff: noqa: SIM905 (word lists read best as one string)

from __future__ import annotations

import random
from dataclasses import dataclass

from policies.data import decisions

GROUND = decisions.OTHERS[0]
READ, FIND = "read", "ground"  # the two kinds that questions about scenes call


@dataclass(frozen=True)
class Plugin:
    """A kind of plug-in: what it may be called, how it may be described, what is asked of it."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass
class AtHand:
    """`listed` (name, description) as the prompt shows them; `names` by kind (`READ`, `FIND`); plug-ins by name."""

    listed: list[tuple[str, str]]
    names: dict[str, str]
    plugins: dict[str, Plugin]


SUBJECTS = (  # what a recogniser recognises: many, as one line of a pattern each
    *(
        "mushrooms:mushroom",
        "insects:insect",
        "butterflies:butterfly",
        "minerals:mineral",
        "coins:coin",
        "stamps:stamp",
    ),
    *("car models:car", "aircraft:plane", "ships:ship", "trains:train", "paintings:painting", "sculptures:sculpture"),
    *("dishes:dish", "fruits:fruit", "cheeses:cheese", "wines:wine label", "fabrics:fabric", "shoes:shoe"),
    *("logos:logo", "uniforms:uniform", "flags:flag", "national costumes:costume", "hand gestures:gesture"),
    *("dog breeds:dog", "birds:bird", "fish:fish", "trees:tree", "shells:shell", "fossils:fossil", "clouds:cloud"),
)
PLUGINS = (
    *(Plugin(*row) for row in decisions.OTHERS[1:]),
    Plugin(("segment", "outline", "masks"), ("cuts objects out along their outline", "gives a mask of pixels for an object"),
           ("How much of the picture does the {o} cover?", "Give the outline of the {o}.")),
    Plugin(("pose", "skeleton"), ("finds the joints of human bodies", "estimates the pose of people"),
           ("Is the person sitting or standing?", "Which arm is raised?", "What is the person's posture?")),
    Plugin(("translate", "translator"), ("translates the text in the image into English", "gives foreign text in English"),
           ("What does the sign mean in English?", "Translate the menu.", "What does the foreign text say in English?")),
    Plugin(("handwriting", "pen_reader"), ("reads handwriting", "transcribes handwritten notes"),
           ("What does the handwritten note say?", "Transcribe the handwriting.")),
    Plugin(("clock", "time_reader"), ("tells the time that a clock with hands shows", "reads analogue clocks"),
           ("What time does the clock show?", "Which time do the hands of the clock show?")),
    Plugin(("gauge", "meter_reader"), ("reads the needle of a gauge or meter", "gives the value on a dial"),
           ("What does the gauge show?", "Which pressure does the dial read?")),
    Plugin(("age", "face_age"), ("estimates how old people are", "guesses a person's age from the face"),
           ("How old is the man?", "Which of the people is the oldest?")),
    Plugin(("mood", "emotion"), ("tells what people feel from their faces", "recognises moods and feelings"),
           ("Is the woman happy?", "What mood is the child in?")),
    Plugin(("sky", "weather"), ("tells the weather in an outdoor picture", "recognises rain, snow, fog and sun"),
           ("What is the weather like?", "Is it raining in the picture?")),
    Plugin(("floorplan", "rooms"), ("measures rooms in a floor plan", "turns a floor plan into a list of rooms"),
           ("How many square metres has the kitchen on the plan?", "Which room is the largest on the floor plan?")),
    Plugin(("sudoku", "puzzle"), ("reads and solves sudokus", "solves number puzzles in the image"),
           ("Solve the sudoku.", "Which number belongs in the empty cell of the puzzle?")),
)  # fmt: skip
HELD_OUT_PLUGINS = (
    Plugin(("plates", "number_plate"), ("finds the licence plates of vehicles and gives their numbers",),
           ("What is the licence plate of the vehicle?", "Give the number plate.")),
    Plugin(("chess", "board_reader"), ("gives the position on a chess board and the best move",),
           ("What is the best move for white?", "Which piece stands on the square e4 of the chess board?")),
    Plugin(("radiology", "xray"), ("looks for broken bones in X-ray pictures",),
           ("Is the bone on the X-ray broken?", "Where is the fracture?")),
    Plugin(("satellite", "land_use"), ("measures forest, fields and water in satellite pictures",),
           ("How much of the satellite picture is forest?", "How many hectares of water are there?")),
    Plugin(("molecule", "chemistry"), ("names the compound of a structural formula",),
           ("Which compound has this structural formula?", "Name the molecule that is drawn.")),
    Plugin(("constellation", "astronomy"), ("names stars and constellations in photos of the night sky",),
           ("Which constellation is that?", "Name the brightest star in the night sky.")),
    Plugin(("forgery", "edited"), ("finds out whether a photo was manipulated",),
           ("Was this photo manipulated?", "Which part of the photo was edited?")),
    Plugin(("tattoo", "ink"), ("describes tattoos and what they stand for",),
           ("What does the tattoo mean?", "Which symbol does the tattoo show?")),
)  # fmt: skip
_RECOGNISES = ("recognises {s}", "names {s} in the picture", "tells {s} apart", "knows more about {s} than you do")
_ASKS = ("Which {o} is that exactly?", "What kind of {o} is this?", "Name the {o} precisely.", "Identify the {o}.")
_BLANK = "tool_{} expert{} x{} helper_{} svc{}".split()


def plugin(rng: random.Random) -> Plugin:
    """A kind of plug-in for training: one of `PLUGINS`, or a recogniser of one subject."""
    if rng.random() < 0.5:
        return rng.choice(PLUGINS)
    many, one = rng.choice(SUBJECTS).split(":")
    words = many.split()[-1]
    said = tuple(text.format(s=many) for text in _RECOGNISES)
    return Plugin((words, f"{words}_id", f"which_{words}"), said, tuple(text.format(o=one) for text in _ASKS))


def at_hand(rng: random.Random, read: float = 0.9, find: float = 0.9) -> AtHand:
    """Experts for one prompt: nearly always one that reads and one that finds objects, and up to three plug-ins."""
    out = AtHand([], {}, {})

    def put(name: str, description: str) -> str:
        if rng.random() < 0.1 or any(name == other for other, _ in out.listed):
            name = rng.choice(_BLANK).format(rng.randrange(100, 1000))
        out.listed.append((name, description))
        return name

    if rng.random() < read:
        out.names[READ] = put(rng.choice(decisions.READ_NAMES), rng.choice(decisions.READ_WORDS))
    if rng.random() < find:
        name = GROUND[0][0] if rng.random() < 0.5 else rng.choice(GROUND[0])
        out.names[FIND] = put(name, rng.choice(GROUND[1]))
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        kind = plugin(rng)
        if all(kind.questions != other.questions for other in out.plugins.values()):
            out.plugins[put(rng.choice(kind.names), rng.choice(kind.descriptions))] = kind
    for name, description in rng.sample(decisions.PASSIVE, rng.choice([0, 1, 1, 2])):
        if all(name != other for other, _ in out.listed):
            out.listed.append((name, description))
    rng.shuffle(out.listed)
    return out


def asked_of(kind: Plugin, name: str, rng: random.Random) -> tuple[str, str]:
    """A question for that plug-in and the call it should lead to."""
    thing = rng.choice(decisions.OBJECTS)
    text = rng.choice(kind.questions)
    return text.format(o=thing), f"{name}: {thing}" if "{o}" in text else f"{name}:"
