"""Answer turns with evidence: questions of a scene that share one focus turn, as experts would have given it.

Questions are grouped so that their things make a focus turn of few or many regions (the allocation rule treats these
differently), or so that their text stands in the same selected rows. What cannot be settled from the focus turn is
"not in the image" or left out, never guessed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from policies.data.scenes.scene import ABSENT, SceneQuestion
from policies.data.text_samples import span_tokens
from policies.data.tree import ANY, Branch, Looks, Tree
from policies.data.visual_focus import WORKED_OUT, Faults, Found, ReadScene, ground, read, region_count
from policies.data.visual_names import About, Named, Names, about
from policies.data.visual_scene import SeenScene
from policies.text.protocol import Context, Protocol
from policies.text.rows import Row, to_rows
from policies.text.select import select_rows

FEW, MANY = 4, 16  # regions of a focus turn; in use at most 16
NAMES = 6  # of things in a focus turn that several questions share; in use one question's alone, so seldom more
BUDGETS = (150, 200, 220, 220, 300, 400)  # tokens of rows; in use 220
PER_TREE, DENSE = 6, 12  # questions; where more are at hand than usual
PER_SCENE = 8  # focus turns


@dataclass(frozen=True)
class Item:
    """A question of the scene: `key` names it for ever; `open` and `offered`: what it is about, asked without and with
    its options; `needed`: whether it takes an expert to answer it."""

    key: str
    question: SceneQuestion
    open: About
    offered: About
    needed: bool


@dataclass
class Turn:
    """A focus turn ready for a prompt: what was found, and which rows of which reading are shown."""

    first: Item
    found: Found
    rows: list[Row]
    shown: list[int]


def items_of(seen: SeenScene, names: Names, needed: Callable[[str], bool | None], more: bool = False) -> list[Item]:
    """The questions of the scene whose evidence experts can reach (with `more` those of `Scene.more` as well); `needed`
    says None where nothing is known yet."""
    items = []
    for number, question in enumerate([*seen.scene.questions, *(seen.scene.more if more else [])]):
        key = f"{seen.key}/{number}"
        both = about(question, seen.scene, names)
        if both is None:
            continue
        label = needed(key)
        items.append(Item(key, question, *both, not question.visible_at_thumbnail if label is None else label))
    return items


class Deliberate:
    """Makes the answer trees of one scene; up to `per_tree` questions share one."""

    def __init__(
        self,
        protocol: Protocol,
        seen: SeenScene,
        items: Sequence[Item],
        rng: random.Random,
        faults: Faults,
        per_tree: int = PER_TREE,
    ) -> None:
        self.protocol, self.seen, self.rng, self.faults, self.per_tree = protocol, seen, rng, faults, per_tree
        self.items = list(items)
        self._answered: set[str] = set()
        texts = [item for item in self.items if item.open.read]
        self._place = {item.key: i for i, item in enumerate(texts)}
        self._read: ReadScene | None = None
        self._rows: list[Row] = []
        if texts:
            self._read = read(seen, [(item.question, item.open) for item in texts], rng)
            self._rows = to_rows(self._read.reading.lines, seen.size)

    def trees(self) -> list[Tree]:
        """One tree for each focus turn, encoded anew with the picture before it."""
        out = []
        for group in self._groups():
            turn = self.turn(group)
            context = self.protocol.context(turn.rows, turn.shown, turn.found.lines, image=True)
            tree = Tree(context.ids, image=self.seen.image, looks=self.looks(turn))
            for item, offered in group:
                tree.branches += self.branches(item, offered, turn, context)
            if tree.branches:
                out.append(tree)
        return out

    def turn(self, group: Sequence[tuple[Item, bool]]) -> Turn:
        """The focus turn of questions asked together; rows are selected for the first."""
        abouts = [item.offered if offered else item.open for item, offered in group]
        names = list(dict.fromkeys(name for one in abouts for name in one.names))
        keep = {
            id(thing)
            for item, _ in group
            if item.question.kind not in ("attribute", "relation") or item.open.read
            for thing in item.open.evidence
        }
        found = ground(names, self.seen, self.rng, self.faults, keep, MANY)
        rows: list[Row] = []
        shown: list[int] = []
        if any(one.read for one in abouts):
            item, offered = group[0]
            text = f"{item.question.text} {' '.join(item.question.options)}" if offered else item.question.text
            rows = self._rows
            shown = select_rows(rows, text, self.protocol.row_cost, self.rng.choice(BUDGETS))
        return Turn(group[0][0], found, rows, shown)

    def looks(self, turn: Turn) -> Looks | None:
        """The crops of a turn's regions; None without regions."""
        return self.seen.looks(turn.found.boxes) if turn.found.boxes else None

    def branches(self, item: Item, offered: bool, turn: Turn, context: Context) -> list[Branch]:
        """The question over this focus turn, with its options if `offered`; none where the turn does not settle it."""
        question = item.question
        options = self.options(question) if offered else None
        kind = question.kind
        settled = self._settled(item, turn, context)
        if settled is None or (settled is False and options and ABSENT not in options):
            return []
        if settled is False and item is not turn.first and self.rng.random() < 0.8:
            return []  # another question's rows lack it: seldom worth an answer
        if settled is False or question.answer == ABSENT:
            target = list(self.protocol.encode(f" {ABSENT}"))
            kind = "absent"
        else:
            written = self._written(item, context) if options is None and item.open.read else None
            target = written or list(self.protocol.encode(f" {question.answer}"))
        prompt = self.protocol.question(question.text, options)
        self._answered.add(item.key)
        return [Branch(prompt, [self.protocol.answer_id, *target, self.protocol.end_id], kind)]

    def options(self, question: SceneQuestion) -> list[str]:
        """The options in a new order, without "not in the image" half of the time where that is wrong."""
        options = list(question.options)
        if question.answer != ABSENT and ABSENT in options and self.rng.random() < 0.5:
            options.remove(ABSENT)
        self.rng.shuffle(options)
        return options

    def _settled(self, item: Item, turn: Turn, context: Context) -> bool | None:
        """Whether the turn holds what decides the question: True all of it, False nothing, None a part of it."""
        if item.question.answer == ABSENT:
            return True
        if item.open.read:
            assert self._read is not None
            lines = self._read.evidence[self._place[item.key]]
            if not lines:
                return None
            visible = {line for line, _, _ in context.cells}
            shown = [line in visible for line in lines]
            return True if all(shown) else None if any(shown) or item.question.kind in WORKED_OUT else False
        lost = [id(thing) in turn.found.lost for thing in item.open.evidence]
        if not any(lost):
            return True
        return False if all(lost) and not item.question.visible_at_thumbnail else None

    def _written(self, item: Item, context: Context) -> list[int] | None:
        """The prompt's own tokens for the answer, where it stands in the rows."""
        assert self._read is not None
        spans = self._read.answers[self._place[item.key]]
        return span_tokens(context, self._read.reading, spans, self.protocol)[0] if spans else None

    # Which questions share a focus turn

    def _groups(self) -> Iterator[list[tuple[Item, bool]]]:
        waiting = self.rng.sample(self.items, len(self.items))
        made = 0
        while waiting and made < PER_SCENE:
            first = waiting.pop(0)
            group = self._both(first)
            if not group or first.key in self._answered:
                continue
            made += 1
            names = [name for item, offered in group for name in (item.offered if offered else item.open).names]
            room = FEW if region_count(names, self.seen) <= FEW and self.rng.random() < 0.6 else MANY
            if Named(ANY) not in names:
                for item in list(waiting):
                    if (
                        len(group) >= 2 * self.per_tree
                        or item.open.read != first.open.read
                        or Named(ANY) in item.open.names
                    ):
                        continue
                    more = list(dict.fromkeys([*names, *item.open.names]))
                    if (
                        len(more) > NAMES
                        or region_count(more, self.seen) > room
                        or (first.open.read and not self._beside(item, first))
                    ):
                        continue
                    names = more
                    ways = (False, True) if item.open.names == item.offered.names else (False,)
                    group += [(item, offered) for offered in ways if self.rng.random() < 0.6]
                    if not first.open.read:
                        waiting.remove(item)
            yield group

    def _both(self, item: Item) -> list[tuple[Item, bool]]:
        """The question without and with options over one turn, or one of them where they ask experts differently."""
        ways = [offered for offered in (False, True) if self.fits(item.offered if offered else item.open)]
        if not ways:
            return []
        if len(ways) == 2 and item.open.names != item.offered.names:
            ways = [self.rng.random() < 0.65]
        elif len(ways) == 2 and self.rng.random() < 0.3:
            ways = [self.rng.random() < 0.5]
        return [(item, offered) for offered in ways]

    def fits(self, one: About) -> bool:
        """Whether what it is about makes a focus turn of a usable size."""
        return region_count(one.names, self.seen) <= MANY

    def _beside(self, item: Item, first: Item) -> bool:
        """Whether a page's other question may stand in rows that were selected for `first`: it asks for no objects."""
        often = 0.2 if item.question.answer == ABSENT else 0.7
        return not item.open.names and self.rng.random() < often
