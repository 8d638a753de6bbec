"""Questions about the objects of a picture, each with one right answer for a person who looks at it in full size.

Everything asked about is referred to without doubt (alone of its kind, or of its colour among its kind), shows at least
`LEAST_VISIBLE` of itself, and differs from the other options by a clear margin. Where that cannot be had, nothing is
asked.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence

from policies.data.scenes import object_phrases as say
from policies.data.scenes.asking import accepted_forms, near_count
from policies.data.scenes.assets import Assets, Kind
from policies.data.scenes.colours import COLOURS, near
from policies.data.scenes.composing import Placed
from policies.data.scenes.object_places import PLACES
from policies.data.scenes.object_view import View, clearly_larger, extremes
from policies.data.scenes.scene import ABSENT, SceneQuestion, Split

MOST_COUNTED = 9
PER_FORM, PER_PICTURE = 2, 10


def ask(
    rng: random.Random,
    split: Split,
    assets: Assets,
    placed: Sequence[Placed],
    size: tuple[int, int],
    layout: str,
    per_form: int = PER_FORM,
    most: int = PER_PICTURE,
) -> list[SceneQuestion]:
    """Up to `most` questions about the objects of a picture of `size`, `per_form` of a form, in random order."""
    if len(placed) < 3:
        return []
    view = View(rng, split, assets, placed, size, layout)
    asked: dict[str, SceneQuestion] = {}
    for form in rng.sample(FORMS, len(FORMS)):
        found = [question for question in form(view) if question.text.casefold() not in asked]
        for each in rng.sample(found, min(len(found), per_form)):
            asked.setdefault(each.text.casefold(), each)
    chosen = rng.sample(list(asked.values()), len(asked))
    return chosen[:most]


# Colour


def _colours(view: View, answer: str, others: Iterable[str]) -> list[str]:
    """Colours of other things first; none that could be taken for the answer."""
    options = [colour for colour in dict.fromkeys(others) if colour and not near(colour, answer)]
    return options[:2] if view.rng.random() < 0.7 else []


def _colour_question(view: View, each: Placed, name: str) -> SceneQuestion:
    same_kind = [other.colour for other in view.kinds[each.kind.name] if other is not each]
    rest = [other.colour for other in view.placed if other is not each]
    return view.build(
        "attribute",
        say.COLOUR,
        each.colour,
        _colours(view, each.colour, [*same_kind, *rest]),
        [each],
        lambda rng: rng.choice([colour for colour in COLOURS if not near(colour, each.colour)]),
        ("gray",) if each.colour == "grey" else (),
        x=name,
    )


def colour(view: View) -> Iterator[SceneQuestion]:
    for each in view.alone():
        if each.colour:
            yield _colour_question(view, each, each.kind.name)


def colour_of_extreme(view: View) -> Iterator[SceneQuestion]:
    """The largest, leftmost ... of a kind that comes in several colours."""
    for name, group in view.kinds.items():
        if len({each.colour for each in group}) < 2 or not all(each.colour for each in group):
            continue
        for word, each in extremes(group, view.size):
            yield _colour_question(view, each, f"{word} {name}")


def of_colour(view: View) -> Iterator[SceneQuestion]:
    painted = [each for each in view.alone() if each.colour]
    for each in painted:
        others = [other for other in painted if not near(other.colour, each.colour)]
        if len(others) >= 3 and sum(near(other.colour, each.colour) for other in painted) == 1:
            options = [other.kind.name for other in others]
            forms = each.kind.synonyms
            yield view.build(
                "attribute", say.OF_COLOUR, each.kind.name, options, [each], None, forms, 0.0, colour=each.colour
            )


# Presence and numbers


def present(view: View) -> Iterator[SceneQuestion]:
    for group in view.kinds.values():
        kind = group[0].kind
        yield view.build("presence", say.PRESENT, kind.name, [], group, None, kind.synonyms, 0.0)


def _count(view: View, number: int, group: Iterable[Placed], near_by: Iterable[int], xs: str) -> SceneQuestion:
    options = [str(other) for other in near_by if abs(other - number) <= 4]
    fallback = lambda rng: near_count(rng, number)  # noqa: E731
    forms = accepted_forms(number, "count")
    return view.build("count", say.COUNT, str(number), options, group, fallback, forms, 0.0, xs=xs)


def count(view: View) -> Iterator[SceneQuestion]:
    for group in view.kinds.values():
        if len(group) <= MOST_COUNTED and (len(group) > 1 or view.rng.random() < 0.1):
            yield _count(view, len(group), group, [], xs=group[0].kind.plural)


def count_of_colour(view: View) -> Iterator[SceneQuestion]:
    for group in view.kinds.values():
        colours = {each.colour for each in group}
        if len(colours) < 2 or "" in colours:
            continue
        for each in sorted(colours):
            part = [one for one in group if one.colour == each]
            clear = not any(near(each, other) for other in colours - {each})
            if clear and (len(part) > 1 or view.rng.random() < 0.25):
                xs = f"{each} {group[0].kind.plural}"
                yield _count(view, len(part), part, [len(group), len(group) - len(part)], xs=xs)


def count_none(view: View) -> Iterator[SceneQuestion]:
    if view.rng.random() < 0.15:
        yield _count(view, 0, [], [], xs=view.rng.choice(view.absent).plural)


def more(view: View) -> Iterator[SceneQuestion]:
    groups = [group for group in view.kinds.values() if len(group) <= MOST_COUNTED]
    view.rng.shuffle(groups)
    for a, b in itertools.pairwise(groups):
        if len(a) == len(b) and (len(a) == 1 or view.rng.random() < 0.6):
            continue
        xs, ys = a[0].kind.plural, b[0].kind.plural
        same = "the same number of both"
        answer = same if len(a) == len(b) else f"more {xs if len(a) > len(b) else ys}"
        options = [f"more {xs}", f"more {ys}", same, "there are none of either"]
        forms = [answer.removeprefix("more ")] if answer != same else ["the same number", "equally many"]
        yield view.build(
            "comparison",
            say.MORE,
            answer,
            [o for o in options if o != answer],
            [*a, *b],
            None,
            forms,
            0.0,
            xs=xs,
            ys=ys,
        )


def most(view: View) -> Iterator[SceneQuestion]:
    groups = sorted(view.kinds.values(), key=len)
    if len(groups) >= 4 and len(groups[-1]) <= MOST_COUNTED and len(groups[-1]) > len(groups[-2]):
        names = [group[0].kind.plural for group in groups]
        evidence = [each for group in groups[-4:] for each in group]
        four = [*names[-4:-1]]
        yield view.build("comparison", say.MOST, names[-1], four, evidence, absent=0.0)


def difference(view: View) -> Iterator[SceneQuestion]:
    groups = [group for group in view.kinds.values() if len(group) <= MOST_COUNTED]
    for a in groups:
        for b in groups:
            if len(a) > len(b) >= 2:
                number = len(a) - len(b)
                options = [str(other) for other in (len(a), len(b)) if other != number]
                fallback = lambda rng, number=number: near_count(rng, number)  # noqa: E731
                forms = accepted_forms(number, "count")
                evidence = [*a, *b]
                xs, ys = a[0].kind.plural, b[0].kind.plural
                yield view.build(
                    "comparison", say.DIFFERENCE, str(number), options, evidence, fallback, forms, 0.0, xs=xs, ys=ys
                )


# Size


def size_of_four(view: View) -> Iterator[SceneQuestion]:
    for templates, largest in ((say.LARGEST, True), (say.SMALLEST, False)):
        for _ in range(6):
            if len(view.named) < 4:
                return
            four = view.rng.sample(view.named, 4)
            four.sort(key=lambda pair: pair[0].long_side, reverse=largest)
            first, rest = four[0][0], [each for each, _ in four[1:]]
            if clearly_larger(first, rest) if largest else all(clearly_larger(each, [first]) for each in rest):
                names = [name for _, name in four]
                yield view.build("comparison", templates, names[0], names[1:], [first, *rest], absent=0.0)
                break


# Kinds of thing that are not there


def not_there(view: View) -> Iterator[SceneQuestion]:
    """A colour or a place is asked of something that is not in the picture."""
    kind = view.rng.choice(view.absent)
    yield _unanswerable(view, kind.name, kind if kind.paintable else None)
    for group in view.kinds.values():
        colours = {each.colour for each in group}
        if "" not in colours and group[0].kind.paintable:
            free = [c for c in COLOURS if not any(near(c, other) for other in colours)]
            if free:
                yield _unanswerable(view, f"{view.rng.choice(free)} {group[0].kind.name}", None)


def _unanswerable(view: View, name: str, colourable: Kind | None) -> SceneQuestion:
    if colourable is not None and view.rng.random() < 0.5:
        options: Sequence[str] = view.rng.sample(COLOURS, 3)
        return view.build("unanswerable", say.COLOUR, ABSENT, options, [], x=name)
    options = view.rng.sample(view.names, min(3, len(view.names)))
    return view.build("unanswerable", say.NEAREST, ABSENT, options, [], x=name)


FORMS: tuple[Callable[[View], Iterator[SceneQuestion]], ...] = (
    *(colour, colour_of_extreme, of_colour),
    *(present, count, count_of_colour, count_none, more, most, difference),
    *(size_of_four, not_there),
    *PLACES,
)
