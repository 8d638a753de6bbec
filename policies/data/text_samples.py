"""Training trees of the text path: one prefix (a page's rows, or a decide prompt) and many branches (questions) over it.

A prefix is encoded once for all its questions, in training as in use, which makes two cores enough: about eight questions a
page for the price of one and a half. `make_trees(seed)` gives the trees of one page.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from policies.data import decisions
from policies.data.documents import make_page
from policies.data.page import Page, Span
from policies.data.reading import Reading, misread
from policies.data.tree import Branch, Tree
from policies.text.protocol import ABSENT, Context, Protocol, to_text
from policies.text.rows import Row, to_rows
from policies.text.select import select_rows

ABSENT_OFFERED = 0.25  # how often "not in the image" is a wrong option, so that seeing it gives nothing away


def make_trees(
    seed: int,
    protocol: Protocol,
    reading: tuple[Page, Reading] | None = None,
    most: int = 9,
    image: bool = False,
    page: Page | None = None,
) -> list[Tree]:
    """The answer tree of one generated page and a decide tree with its questions; the same for the same seed.

    `image` puts the placeholder of the whole picture into the prefixes, for a model with a vision tower; `page` is the
    page of that seed, where somebody has made it already.
    """
    rng = random.Random(seed)
    page = reading[0] if reading else page or make_page(seed)
    read = reading[1] if reading else misread(page, rng)
    rows = to_rows(read.lines, (page.width, max(page.height, max((line.box[3] for line in read.lines), default=0))))
    trees = [_decide_tree(page, rng, protocol, image)]
    if rows:
        trees.insert(0, _answer_tree(page, read, rows, rng, protocol, most, image))
    return [tree for tree in trees if tree.branches]


def _answer_tree(
    page: Page, read: Reading, rows: list[Row], rng: random.Random, protocol: Protocol, most: int, image: bool
) -> Tree:
    numbers = list(range(len(page.questions)))
    rng.shuffle(numbers)
    budget = rng.choice([100, 150, 200, 250, 250, 300, 400])
    seed_question = page.questions[numbers[0]].text if numbers else ""
    shown = select_rows(rows, seed_question, protocol.row_cost, budget)
    context = protocol.context(rows, shown, image=image)
    tree = Tree(context.ids)
    visible = {line for line, _, _ in context.cells}
    answers = [page.answer(q) for q in page.questions if q.spans]
    absent = 0
    for number in numbers:
        question, spans = page.questions[number], read.spans[number]
        if spans is None or len(tree.branches) >= most:
            continue
        missing = [span.line not in visible for span in spans]
        if not spans or all(missing):
            if absent >= 2:
                continue
            absent += 1
            target: list[int] | None = list(protocol.encode(ABSENT))
            text = ABSENT.strip()
        elif any(missing):
            continue
        else:
            target, text = span_tokens(context, read, spans, protocol)
        if not target:
            continue
        options = None
        if rng.random() < 0.2 and len(text) < 60:
            options = _options(text, answers, read, rng)
            if options and rng.random() < 0.3:
                change = rng.choice([str.lower, str.upper, str.title])
                options = [change(option) for option in options]
                text = change(text)
            target = list(protocol.encode(" " + text)) if options else target
        asked = question.text.lower() if rng.random() < 0.05 else question.text
        branch = Branch(
            protocol.question(asked, options),
            [protocol.answer_id, *target, protocol.end_id],
            question.kind if spans else "absent",
        )
        tree.branches.append(branch)
    return tree


def span_tokens(
    context: Context, read: Reading, spans: Sequence[Span], protocol: Protocol
) -> tuple[list[int] | None, str]:
    """The prompt's own tokens for `spans`, or None where the answer is no whole run of tokens."""
    ids: list[int] = []
    text = ""
    cells = {line: cell for line, _, cell in context.cells}
    for span in spans:
        raw = read.lines[span.line].text
        wanted = " ".join(raw[span.start : span.end].split())
        cell = cells[span.line]
        before = len(" ".join(raw[: span.start].split()))
        found = None
        pieces = [to_text(protocol.tokenizer, [i]) for i in cell]
        ends, total = [], 0
        for piece in pieces:
            total += len(piece)
            ends.append(total)
        starts = [0, *ends[:-1]]
        for i in range(len(cell)):
            if starts[i] > before + 1 + 1:
                break
            if starts[i] < before - 1:
                continue
            for j in range(i, len(cell)):
                if to_text(protocol.tokenizer, cell[i : j + 1]).strip() == wanted:
                    found = cell[i : j + 1]
                    break
                if ends[j] - starts[i] > len(wanted) + 2:
                    break
            if found:
                break
        if not found:
            return None, ""
        ids += found
        text = f"{text} {wanted}".strip()
    return ids, text


def _options(text: str, answers: Sequence[str], read: Reading, rng: random.Random) -> list[str] | None:
    pool = [
        a
        for a in dict.fromkeys([*answers, *(line.text for line in read.lines if len(line.text) < 50)])
        if a.lower() != text.lower()
    ]
    pool.sort(key=lambda a: abs(len(a) - len(text)) + 3 * (a[:1].isdigit() != text[:1].isdigit()) + rng.random() * 4)
    if len(pool) < 3:
        return None
    options = [text, *pool[:3]]
    if rng.random() < ABSENT_OFFERED and ABSENT.strip() not in options:
        options[-1] = ABSENT.strip()
    rng.shuffle(options)
    return options


def _decide_tree(page: Page, rng: random.Random, protocol: Protocol, image: bool) -> Tree:
    listed, kinds = decisions.experts(rng)
    size = (page.width, page.height)
    tree = Tree(protocol.decide_prefix(listed, size, image))

    def call(question: str, line: str, kind: str) -> None:
        tree.branches.append(
            Branch(protocol.question(question), [protocol.call_id, *protocol.encode(line), protocol.end_id], kind)
        )

    def answer(question: str, text: str, kind: str) -> None:
        tree.branches.append(
            Branch(
                protocol.question(question), [protocol.answer_id, *protocol.encode(" " + text), protocol.end_id], kind
            )
        )

    texts = [q for q in page.questions if q.kind != "place"]
    for question in rng.sample(texts, min(2, len(texts))):
        if "read" in kinds:
            call(question.text, f"{kinds['read'][0]}:", "call")
        else:
            answer(question.text, "I cannot tell", "blind")
    answered = [q for q in texts if q.spans]
    if (
        answered and rng.random() < 0.3
    ):  # a guess without looking, asked with options: what `--mode direct` is left with
        question = rng.choice(answered)
        options = [page.answer(q) for q in rng.sample(answered, min(4, len(answered)))]
        options = sorted({*options, page.answer(question)})
        rng.shuffle(options)
        prompt = [*protocol.question(question.text, options if len(options) > 1 else None), protocol.answer_id]
        tree.branches.append(Branch(prompt, [*protocol.encode(" " + page.answer(question)), protocol.end_id], "guess"))
    question_text, known = decisions.general(rng, size)
    answer(question_text, known, "direct")
    for kind, (name, questions) in kinds.items():
        if kind == "read" or rng.random() < 0.4:
            continue
        thing = rng.choice(decisions.OBJECTS)
        asked = rng.choice(questions)
        call(asked.format(o=thing), f"{name}: {thing}" if "{o}" in asked else f"{name}:", "call")
    if "ground" not in kinds and rng.random() < 0.5:
        answer(rng.choice(decisions.OTHERS[0][2]).format(o=rng.choice(decisions.OBJECTS)), "I cannot tell", "blind")
    return tree
