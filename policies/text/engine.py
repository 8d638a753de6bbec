"""Runs the native protocol on one `P2GModel`: decide turn, calls, and the answer from what experts found.

Prefixes (the experts at hand and the picture; a focus turn) stay as key-value caches, so a second question pays for its
own tokens only. With options the likelihood of each decides, asked with and without them in sight, on copies of one
cache (after SEAL). Free answers from read text are held to it (`copying.py`); answers that rest on regions are written,
unless a piece of the read text is likelier. A model without a vision tower is given no pictures and looks at none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedTokenizerBase

from policies.cache import CachedModel
from policies.model import P2GModel
from policies.seeing import Eyes, Item, Look, length, spread, visual_length
from policies.text.copying import Copied, CopySource, Step, copy_answer
from policies.text.naming import absent_option, leaves_open, name_things
from policies.text.protocol import ABSENT, Context, Protocol, RegionLine, to_text
from policies.text.rows import ReadLine, Row, to_rows
from policies.text.select import select_rows
from policies.text.turns import Cost, Experts, Found, Reply, Written
from tools.pictures import Picture

BUDGET = 220  # tokens of rows; a small model reads a few good rows better than many
SURE = 0.5  # "not in the image" is said from this probability on; below it the best run of read text is
COPY_ODDS = 10.0  # with regions, free words must be this much likelier than read text: digits are easily miscopied
FREE_TOKENS = 32
KEPT_PREFIXES = 4
MAX_CALLS = 4  # lines of calls in one turn


class TextEngine:
    """One model, its tokenizer and its kept prefixes. Not thread-safe; one question at a time.

    `picture` is looked at where the model has a vision tower; `size` is its width and height in pixels.
    """

    def __init__(
        self, model: P2GModel, tokenizer: PreTrainedTokenizerBase, temperature: float = 1.0, bias: float = 0.0
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.protocol = Protocol(tokenizer)
        self.temperature, self.bias = temperature, bias
        self.cost = Cost()
        self.eyes = Eyes(model) if model.vision_tower is not None else None
        self.cached = CachedModel(model, KEPT_PREFIXES)
        marks = (self.protocol.image_id, self.protocol.region_id, self.protocol.answer_id, self.protocol.call_id)
        self._unwritten = list(marks) if self.eyes is not None else []  # what free text never holds

    def forget(self) -> None:
        """Drops the kept prefixes: in bf16 an answer depends in its last digits on where its prefix was cut."""
        self.cached.forget()
        if self.eyes is not None:
            self.eyes.forget()

    def p_call(
        self,
        experts: Experts,
        size: tuple[int, int],
        question: str,
        options: Sequence[str] | None,
        picture: Picture | None = None,
    ) -> float:
        """Probability that the question needs an expert, before any expert looked."""
        logits, _ = self._ask(self._decide(experts, size, picture), self.protocol.question(question, options))
        return float(self.model.p_call(logits, self.temperature, self.bias))

    def call(
        self,
        experts: Experts,
        size: tuple[int, int],
        question: str,
        options: Sequence[str] | None,
        takes_args: set[str],
        picture: Picture | None = None,
    ) -> str:
        """The calls, `expert: args` a line: the likeliest expert at hand, and for those in `takes_args` free arguments.

        A model with a vision tower goes on with another line where it finds that likelier than the end of the turn; the
        text path was trained on one call a turn.
        """
        prefix = self._decide(experts, size, picture)
        prompt = [*self.protocol.question(question, options), self.protocol.call_id]
        logits, cache = self._ask(prefix, prompt)
        name = self._name(logits, cache, experts)
        if self.eyes is not None:
            return self._calls(name, experts, takes_args, [*prefix, *prompt], cache)
        if name not in takes_args:
            return f"{name}:"
        logits, cache = self._ask(prefix, [*prompt, *self.protocol.encode(f"{name}:")])
        return f"{name}:{self._write(logits, cache).text}"

    def call_as_asked(
        self,
        experts: Experts,
        size: tuple[int, int],
        question: str,
        options: Sequence[str] | None,
        takes_args: set[str],
        picture: Picture | None = None,
    ) -> tuple[str, bool]:
        """The calls, and whether the options were looked at for them: only where the question alone does not say what
        to look for, because options tempt a model to guess."""
        said = self.call(experts, size, question, None, takes_args, picture)
        if options and name_things(options) and leaves_open(said, question):
            return self.call(experts, size, question, options, takes_args, picture), True
        return said, False

    def direct(
        self,
        experts: Experts,
        size: tuple[int, int],
        question: str,
        options: Sequence[str] | None,
        picture: Picture | None = None,
    ) -> Reply:
        """An answer without evidence."""
        prefix = self._decide(experts, size, picture)
        if options:
            return self._choose(prefix, question, options)
        logits, cache = self._ask(prefix, [*self.protocol.question(question, None), self.protocol.answer_id])
        written = self._write(logits, cache)
        return Reply(written.text, written.probability)

    def answer(
        self,
        lines: Sequence[ReadLine],
        size: tuple[int, int],
        question: str,
        options: Sequence[str] | None,
        found: Found | None = None,
    ) -> Reply:
        """An answer from read `lines`, which come in reading order, and what was `found` to look at.

        "not in the image" when there is neither, or when they do not hold it.
        """
        rows = to_rows(lines, size)
        absent = absent_option(options)
        offered = [option for n, option in enumerate(options or ()) if n != absent]
        looking = self.eyes is not None and found is not None and bool(found.regions or found.missing)
        if not rows and not looking:
            return Reply(ABSENT.strip(), 1.0, absent)
        about = f"{question} {' '.join(options)}" if options else question
        shown = select_rows(rows, about, self.protocol.row_cost, BUDGET)
        prefix, context = self._focus(rows, shown, size, question, found)
        if not options:
            return self._open(prefix, context, question, looking)
        if absent is not None:  # whether it is there is asked without options: among them it is too tempting
            reply = self._open(prefix, context, question, looking)
            if reply.text == ABSENT.strip():
                return Reply(options[absent], reply.confidence, absent)
        reply = self._choose(prefix, question, offered)
        return Reply(reply.text, reply.confidence, options.index(reply.text), seen=looking)

    def _decide(self, experts: Experts, size: tuple[int, int], picture: Picture | None) -> list[Item]:
        """The decide prefix, with the picture in it when it can be seen."""
        if self.eyes is None or picture is None:
            return list(self.protocol.decide_prefix(experts, size))
        return self._filled(self.protocol.decide_prefix(experts, size, image=True), [self.eyes.whole(picture)])

    def _focus(
        self, rows: Sequence[Row], shown: Sequence[int], size: tuple[int, int], question: str, found: Found | None
    ) -> tuple[list[Item], Context]:
        """All that comes before the question in the answer turn, in paper or append context."""
        regions = list(found.regions) if found and self.eyes else []
        looks = self.eyes.regions(found.picture, regions) if self.eyes and found else []
        listed = RegionLine.of([region.label for region in regions], [region.box for region in regions], size)
        if found and self.eyes:
            listed += [RegionLine(name) for name in found.missing]
        if found and found.said is not None:
            before = self._decide(found.experts, size, found.picture)
            before += [*self.protocol.question(question, found.options), *self.protocol.call_turn(found.said)]
            context = self.protocol.focus_turn(rows, shown, listed)
            return [*before, *self._filled(context.ids, looks)], context
        if found and self.eyes:
            looks.insert(0, self.eyes.whole(found.picture, len(regions)))
        context = self.protocol.context(rows, shown, listed, image=bool(found and self.eyes))
        return self._filled(context.ids, looks), context

    def _filled(self, ids: Sequence[int], looks: Sequence[Look]) -> list[Item]:
        """`ids` with a look for each placeholder, in order."""
        left = iter(looks)
        places = (self.protocol.image_id, self.protocol.region_id)
        return [next(left) if token in places else token for token in ids]

    def _open(self, prefix: Sequence[Item], context: Context, question: str, looking: bool) -> Reply:
        """A free answer: copied from the rows, or written when it rests on regions.

        "not in the image" is said when it is likelier than not.
        """
        logits, cache = self._ask(prefix, [*self.protocol.question(question, None), self.protocol.answer_id])
        step = lambda tokens: self.cached.after(cache, tokens)[:, -1]  # noqa: E731
        if looking:
            copied = self._copy(step, logits, context, []) if context.cells else None
            written = self._write(logits, cache)
            if copied is None or not copied.text or written.probability > COPY_ODDS * copied.probability:
                return Reply(written.text, written.probability, seen=True)
        else:
            absent = list(self.protocol.encode(ABSENT))
            copied = self._copy(step, logits, context, [absent])
            if copied.tokens == absent and copied.probability < SURE:  # less likely than all that was read together
                read = self._copy(step, logits, context, [])
                copied = read if read.text else copied  # else nothing but marks was read
        self.cost.generated += len(copied.tokens)
        return Reply(copied.text, copied.probability, lines=copied.lines)

    def _copy(self, step: Step, logits: Tensor, context: Context, phrases: list[list[int]]) -> Copied:
        source = CopySource(context, self.tokenizer, phrases)
        return copy_answer(step, logits, source, self.tokenizer, self.protocol.end_id)

    def _ask(self, prefix: Sequence[Item], prompt: Sequence[int]) -> tuple[Tensor, DynamicCache]:
        """Logits `[V]` after prefix and prompt, and their cache; the prefix's own is kept for the next question."""
        cache, cached = self.cached.prefix(*spread(prefix, self.model.config))
        self.cost.prompt += length(prefix) + len(prompt)
        self.cost.visual += visual_length(prefix)
        self.cost.cached += cached
        return self.cached.run(cache, prompt), cache

    def _score(
        self, first: Tensor, cache: DynamicCache, continuations: Sequence[Sequence[int]], end: bool = True
    ) -> list[float]:
        """Log-likelihood of each continuation, with the end token when `end`."""
        scores = self.cached.score(first, cache, continuations, self.protocol.end_id if end else None)
        self.cost.generated += sum(map(len, continuations))
        return scores

    def _choose(self, prefix: Sequence[Item], question: str, options: Sequence[str]) -> Reply:
        """The likeliest option, by the mean of its log-probability among them when they are shown and when they are
        not: a small model leans to places in a list it sees."""
        continuations = [self.protocol.encode(f" {option}") for option in options]

        def among(shown: Sequence[str] | None) -> Tensor:
            prompt = [*self.protocol.question(question, shown), self.protocol.answer_id]
            return torch.tensor(self._score(*self._ask(prefix, prompt), continuations)).log_softmax(-1)

        scores = (among(options) + among(None)) / 2
        choice = int(scores.argmax())
        return Reply(options[choice], float(scores.softmax(-1)[choice]), choice)

    def _name(self, logits: Tensor, cache: DynamicCache, experts: Experts) -> str:
        """The expert whose name is likeliest next."""
        names = [self.protocol.encode(f"{name}:") for name, _ in experts]
        scores = self._score(logits, cache, names, end=False)
        return experts[int(torch.tensor(scores).argmax())][0]

    def _calls(self, name: str, experts: Experts, takes_args: set[str], before: list[Item], cache: DynamicCache) -> str:
        """Lines of calls from `name` on, one an expert, until the end is likelier than another line; `cache` holds
        `before`.

        The turn stays kept, for the answer that continues it.
        """
        (newline,) = self.protocol.encode("\n")
        end, said = self.protocol.end_id, []
        left = list(experts)
        for line in range(MAX_CALLS):
            start = list(self.protocol.encode(f"{name}:"))
            logits = self.cached.run(cache, start)
            said += start
            if name in takes_args:
                some = logits.index_fill(0, torch.tensor([end, newline], device=logits.device), -math.inf)
                written = self._write(some, cache, (end, newline))
                said += written.tokens
                logits = written.logits
            left = [expert for expert in left if expert[0] != name]
            if not left or line + 1 == MAX_CALLS or logits[newline] <= logits[end]:
                break
            logits = self.cached.run(cache, [newline])
            said.append(newline)
            name = self._name(logits, cache, left)
        self.cached.run(cache, [end])
        self.cached.keep(cache, *spread([*before, *said, end], self.model.config))
        return to_text(self.tokenizer, said, skip_special_tokens=True)

    def _write(self, logits: Tensor, cache: DynamicCache, stops: Sequence[int] = ()) -> Written:
        """Greedy text after the cache, to the end of the turn (or another of `stops`)."""
        ends = stops or (self.protocol.end_id,)
        out, score, logits = self.cached.write(logits, cache, ends, FREE_TOKENS, self._unwritten)
        self.cost.generated += len(out)
        text = to_text(self.tokenizer, out, skip_special_tokens=True).strip()
        return Written(text, math.exp(score), out, logits)
