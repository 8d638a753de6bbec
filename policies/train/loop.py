"""The loop that all stages share: take groups of trees, add up gradients, update, log, validate, checkpoint, stop.

It can be cut at any update, by the clock, by Ctrl-C or by kill -9, and goes on from the last checkpoint as if nothing
had been: parameters, moments, schedule, random states, and which trees are waiting (`policies/train/state.py`). A loss
that is no number ends it before it touches the weights.
"""

from __future__ import annotations

import errno
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from policies.data.mixing import Cut
from policies.data.tree import Source, Tree
from policies.nano import shipped
from policies.text.protocol import Protocol
from policies.train import checkpoint, report, schedule, state
from policies.train.devices import Devices, sharded, whole
from policies.train.feed import Feed
from policies.train.flops import Flops, peak_flops
from policies.train.learner import load_tokenizer, make_learner
from policies.train.log import Log, Window, figures
from policies.train.optimiser import Masters
from policies.train.packing import Batch, Packer
from policies.train.pool import Pool
from policies.train.recipe import STAGES, Recipe
from policies.train.sources import HELD_OUT
from policies.train.stages import Stage, Work, stage_class
from policies.train.weights import folder_hash, save_weights
from tools.errors import TrainingError, UsageError

NOTHING = 1000  # items in a row without a tree that fits, after which the run gives up
SEEN = ("tokens", "padded tokens", "pictures", "operations")  # what speed is counted in


def train(
    recipe: Recipe,
    name: str,
    base: Path,
    resume: bool = False,
    say: Callable[[str], None] = print,
    kind: type[Stage] | None = None,
) -> dict[str, Any]:
    """Run stage `name` until it, or this piece of it, is over; returns what training.json says.

    `base`: folder of the base LM. `resume` goes on where a checkpoint is and begins where there is none. Raises
    `UsageError` for what cannot be run, `TrainingError` when a run cannot go on, and `KeyboardInterrupt` after Ctrl-C
    or SIGTERM, with a checkpoint written.
    """
    run = Run(recipe, kind or stage_class(name), base, resume, say)
    try:
        with run.interrupts():
            return run.go()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise TrainingError(
            f"no space left in {run.folder}: {run.kept()}; make room and go on with --resume"
        ) from error
    finally:
        run.close()


def source_of(kind: type[Stage], recipe: Recipe, base: Path) -> Source:
    """The source of a stage; data workers call this."""
    source = kind(recipe).source(Protocol(load_tokenizer(base)))
    most = recipe.stage(kind.name).branch_tokens
    return Cut(source, most) if most else source


class Run:
    """One stage under way in one process of maybe several."""

    def __init__(self, recipe: Recipe, kind: type[Stage], base: Path, resume: bool, say: Callable[[str], None]) -> None:
        self.began = time.perf_counter()
        self.recipe, self.stage = recipe, kind(recipe)
        self.settings = settings = recipe.stage(kind.name)
        self.folder = recipe.folder(kind.name)
        if not (settings.steps or settings.minutes):
            raise UsageError(f"{kind.name} never ends: give it steps or minutes")
        if not resume and checkpoint.load_state(self.folder):
            raise UsageError(f"{self.folder} has a run: go on with --resume, or name another out")
        if sharded(settings) and not kind.shards:
            raise UsageError(f"{kind.name} needs its weights whole on every device: leave shard (and FSDP) out")
        self.devices = devices = Devices(settings)
        self.say = say if devices.main else lambda line: None
        torch.manual_seed(recipe.seed)
        init = self._init()
        self.init = folder_hash(init) if init else None  # a run goes on only from the same
        learner = make_learner(recipe.model, settings, base, init, devices.device)
        self.stage.begin(learner, base, self.say)
        if devices.main:
            self.stage.prepare(learner)
        devices.sum([0.0])  # the others wait
        self.flops = Flops(learner)
        model = devices.wrap(learner, settings.precision)
        self.masters = Masters(learner, settings)
        packer = Packer(learner.config)
        torch.manual_seed(recipe.seed * 1000 + devices.rank)
        generator = torch.Generator().manual_seed(recipe.seed * 1000 + devices.rank)
        self.window = Window()
        self.work = Work(model, learner, packer, devices.device, generator, observe=self._observe)
        self.pool = Pool(packer.length, settings.tokens, settings.pool, recipe.seed)
        self.make = partial(source_of, kind, recipe, base)
        self.source = self.make()
        self.digest = self.source.digest()
        self.step, self.seconds = 0, 0.0
        self.totals = dict.fromkeys(SEEN, 0.0)
        self.seen = [0.0] * len(SEEN)
        self._peak: float | None = None
        self.validation: dict[str, float] = {}
        self.saved_at = self.validated_at = time.perf_counter()
        self.interrupted = False
        again = state.restore(self) if resume else []
        learns = sum(p.numel() for p in self.masters.parameters.values())
        every = sum(p.numel() for p in learner.parameters())
        self.say(
            f"{kind.name}: {learns / 1e6:.2f} M of {every / 1e6:.1f} M parameters learn on {devices.device}, "
            f"from {init or 'the base'}" + (f", at step {self.step}" if self.step else "")
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = Log(self.folder, self.step, settings.tensorboard, say) if devices.main else None
        start = devices.rank + devices.world * self.pool.next
        self.feed = Feed(self.make, start, devices.world, again, settings.workers)
        self.items = iter(self.feed)
        for _ in again:
            self.pool.refill(*next(self.items))
        self.before, self.loop_began = self.seconds, time.perf_counter()

    def go(self) -> dict[str, Any]:
        """Updates until the end of the run or of the piece; then weights, figures and plot are written."""
        done = schedule.progress(self.settings, self.step, self.seconds)
        stop = False
        while done < 1 and not stop:
            stop, save, validate = self.update(done)
            done = schedule.progress(self.settings, self.step, self.seconds)
            if validate or (done >= 1 and self.settings.validate_minutes):
                self.validate()
            if save or stop or done >= 1:
                self.checkpoint()
        if self.interrupted:
            raise KeyboardInterrupt
        return self.finish(done)

    def update(self, done: float) -> tuple[bool, bool, bool]:
        """One step of the optimizer; returns whether to stop, to save and to validate, the same in all processes."""
        self.work.step, self.seen = self.step, [0.0] * len(SEEN)
        totals, count = [], 0.0
        for _ in range(self.settings.accumulate):
            loss = self.stage.loss(self.work, self.group())
            if loss.total.requires_grad:
                loss.total.backward()
                self.masters.collect()
            totals.append(loss.total.detach().float())
            count += loss.count
            for name, (total, number) in loss.parts.items():
                self.window.part(name, total, number)
        now = time.perf_counter()
        mine = [float(torch.stack(totals).sum()), count, *self.seen]
        flags = [0.0] * 4
        if self.devices.main:
            over = self.settings.piece is not None and now - self.began > 60 * self.settings.piece
            flags[0] = float(self.interrupted or over)
            flags[1] = float(now - self.saved_at > self.settings.checkpoint_seconds)
            every = self.settings.validate_minutes
            flags[2] = float(every is not None and now - self.validated_at > 60 * every)
            flags[3] = self.before + now - self.loop_began
        total, count, *rest = self.devices.sum([*mine, *flags])
        seen, flags = rest[: len(SEEN)], rest[len(SEEN) :]
        if not math.isfinite(total):
            raise TrainingError(self._no_number("the loss", total / max(count, 1)))
        share = schedule.factor(done, self.settings.warmup, self.settings.floor)
        norm = self.masters.step(self.devices.world / max(count, 1e-9), share)
        if not math.isfinite(norm):
            raise TrainingError(self._no_number("the gradient", norm))
        self.step, self.seconds = self.step + 1, flags[3]
        self.window.add(loss=total, count=count, norm=norm, steps=1, **dict(zip(SEEN, seen, strict=True)))
        self.totals = {name: self.totals[name] + value for name, value in zip(SEEN, seen, strict=True)}
        if self.step % self.settings.log_steps == 0:
            self._log(share)
        return bool(flags[0]), bool(flags[1]), bool(flags[2])

    def group(self) -> list[Tree]:
        """The next trees that fit one pass."""
        tried = 0
        while (trees := self.pool.take()) is None:
            if tried >= NOTHING + self.settings.pool and not self.pool.waiting:
                raise TrainingError(
                    f"{tried} items gave no tree of at most {self.settings.tokens} tokens: raise tokens, or look at "
                    "sources"
                )
            self.pool.add(*next(self.items))
            tried += 1
        return trees

    @torch.no_grad()
    def validate(self) -> None:
        """Mean loss and exact match by kind on held-out items; every process does the same."""
        pool = Pool(self.pool.length, self.settings.tokens, 1, 0)
        for item, trees in self.held_out:
            pool.add(item, trees)
        work = self.work.aside()
        work.learner.eval()
        sums: dict[str, list[float]] = {}
        while (group := pool.take()) is not None:
            for name, (total, count) in self.stage.measure(work, group).items():
                pair = sums.setdefault(name, [0.0, 0.0])
                pair[0], pair[1] = pair[0] + total, pair[1] + count
        work.learner.train()
        self.validation = {name: total / count for name, (total, count) in sorted(sums.items()) if count}
        if self.log:
            self.log.row(self.step, {"validation": self.validation})
            shown = "  ".join(f"{name} {value:.3f}" for name, value in self.validation.items())
            self.say(f"step {self.step}  held out: {shown}")
        self.validated_at = time.perf_counter()

    @cached_property
    def held_out(self) -> list[tuple[int, list[Tree]]]:
        """The items that are validated on, made once."""
        items = range(HELD_OUT, HELD_OUT + self.settings.validate_items)
        return [(item, self.source.trees(item)) for item in items]

    def checkpoint(self) -> None:
        """Everything that a later process needs to go on from here."""
        tensors = self.masters.state(whole)
        ranks = self.devices.gather(state.of_process(self))
        if self.devices.main:
            checkpoint.save(self.folder, tensors, state.of_run(self, ranks))
        self.saved_at = time.perf_counter()

    def finish(self, done: float) -> dict[str, Any]:
        """Weights as they are now, and what the run was."""
        save_weights(self.work.learner, self.folder, whole, self.devices.main)
        facts: dict[str, Any] = {}
        if self.devices.main:
            self.work.learner.eval()
            fitted = self.stage.finish(self.work, self.folder) if done >= 1 else {}
            facts = state.facts(self, done, fitted)
            report.write(self.folder, facts)
            left = "" if done >= 1 else f", {done:.0%} of the run: go on with --resume"
            self.say(f"{self.stage.name}: step {self.step}, weights in {self.folder}{left}")
        return facts

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """The first Ctrl-C or SIGTERM ends the run after its update, the second at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: Any) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True
            self.say("stopping after this update")

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def kept(self) -> str:
        """What there is to go on from, in words."""
        last = checkpoint.load_state(self.folder)
        return f"the checkpoint of step {last['step']} is intact" if last else "there is no checkpoint yet"

    def close(self) -> None:
        self.feed.close()
        if self.log:
            self.log.close()

    def _init(self) -> Path | None:
        """Folder of the weights to begin with: a stage of this run, weights that ship, or any folder."""
        given = self.settings.init
        if given is None:
            before = self.stage.after and self.recipe.folder(self.stage.after)
            return before if before and (before / "token_rows.safetensors").is_file() else None
        folder = self.recipe.folder(given) if given in STAGES else shipped(given)
        if not folder.is_dir():
            raise UsageError(f"init: there is no folder {given} (nor stage or weights of that name); train it first")
        return folder

    def _no_number(self, what: str, value: float) -> str:
        rate = next(f"{k}={v / 3:.1e}" for k, v in self.settings.rates.model_dump().items() if v > 0)
        return (
            f"{what} is {value} at step {self.step}; {self.kept()}: go on with --resume and a lower rate, as in "
            f"--set {self.stage.name}.rates.{rate}"
        )

    def _observe(self, batch: Batch) -> None:
        counted = (batch.filled, batch.tokens, batch.pictures, self.stage.operations(self.flops, batch))
        self.seen = [old + new for old, new in zip(self.seen, counted, strict=True)]

    def _log(self, share: float) -> None:
        parts = self.devices.gather(self.window.parts)
        if self.log:
            rates = [group["peak"] for group in self.masters.optimizer.param_groups]
            done = schedule.progress(self.settings, self.step, self.seconds)
            left = self.seconds * (1 - done) / done if done else None
            peak = self.peak() * self.devices.world
            self.log.line(
                self.step, figures(self.window, parts, peak) | {"rate": share * max(rates), "seconds left": left}
            )
        self.window.clear()

    def peak(self) -> float:
        """Operations a second that one device can do: the recipe's word, or measured once."""
        if self._peak is None:
            given = self.settings.peak_tflops
            self._peak = 1e12 * given if given else peak_flops(self.devices.device, self.settings.precision)
        return self._peak
