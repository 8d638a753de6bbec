"""Controller `p2g`: our own model speaking the native protocol (design §7).

It decides with the probability of `<|call|>`, names experts, and after they ran it answers: from the text they read by
copying it, from the regions they found by looking at them. Weights without a vision tower do not see the picture: what
no expert reads they cannot know. Earlier turns of a conversation serve only through what was already found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agent.calls import parse_calls
from agent.replies import letter_of
from agent.state import default_calls
from agent.types import Answer, Decision, Usage, View
from policies.text.naming import as_asked, guess_for, missing, one_name_each, says
from tools.base import Call, Region
from tools.safety import neutralise

if TYPE_CHECKING:
    from policies.nano import Policy
    from policies.text.engine import Found, Reply, TextEngine

ContextMode = Literal["paper", "append"]
MAX_REGIONS = 16  # looked at for one answer


class NativeController:
    """`weights` is a folder of `policies/weights` by name or any path; `home` the cache directory with the base LM.

    `context`: before the answer, picture and regions are encoded anew ("paper"), or the focus turn continues the decide
    turn ("append"). `region_pathway` and `allocation` (`P2GConfig`) replace what the weights were trained with. Of more
    than `max_regions` regions the best are looked at. `device` is cpu, cuda, or auto.

    Loading happens on first use, or with `setup()`; raises `ControllerError` when something has to be fetched first and
    `UsageError` for settings that the weights cannot follow.
    """

    def __init__(
        self,
        weights: str | Path = "nano",
        *,
        home: Path,
        context: ContextMode = "paper",
        region_pathway: str | None = None,
        allocation: str | None = None,
        max_regions: int = MAX_REGIONS,
        device: str = "cpu",
    ) -> None:
        from policies.nano import check_settings, weights_path

        self.weights, self.home = weights_path(weights), home
        check_settings(self.weights, region_pathway, allocation)
        self.context, self.max_regions, self.device = context, max_regions, device
        self.region_pathway, self.allocation = region_pathway, allocation
        self._loaded: tuple[TextEngine, Policy] | None = None

    def setup(self) -> tuple[TextEngine, Policy]:
        """Load the model once."""
        if self._loaded is None:
            from policies.nano import load_nano

            self._loaded = load_nano(self.home, self.weights, self.device, self.region_pathway, self.allocation)
        return self._loaded

    @property
    def threshold(self) -> float | None:
        """What p_call is compared with where a question names no threshold; known once the model is loaded."""
        return self._loaded[1].threshold if self._loaded else None

    def forget(self) -> None:
        """Drops what earlier questions left in the caches, so that answers do not depend on them."""
        if self._loaded is not None:
            self._loaded[0].forget()

    def decide(self, view: View) -> Decision:
        """Answer at once, or call experts; after a round of experts there is enough to answer.

        Where these found nothing at all, experts that need no arguments are asked in their place. In mode `always` the
        model calls the expert that it finds likeliest, as it does above the threshold; the graph adds all others that
        need no arguments.
        """
        if view.round:
            calls = self._instead(view)
            return Decision(calls=calls, p_call=float(bool(calls)))
        engine, policy = self.setup()
        experts, size, question, options = self._asked(view)
        # the question decides: options tempt it to guess
        p_call = engine.p_call(experts, size, question, None, view.picture)
        threshold = policy.threshold if view.threshold is None else view.threshold
        sure = p_call >= threshold and threshold < 1  # at 1 never, even when p_call rounds to it
        wanted = view.mode == "always" or (view.mode == "learned" and sure)
        if wanted and view.experts:
            takes = {schema["name"] for schema in view.experts if schema["parameters"].get("required")}
            text, offered = engine.call_as_asked(experts, size, question, options, takes, view.picture)
            self._charge(view)
            parsed = parse_calls(text, view.experts, view.picture.size)
            calls = _as_asked(parsed.calls, view)
            return Decision(calls=calls, notes=parsed.notes, p_call=p_call, said=text, offered=offered)
        reply = engine.direct(experts, size, question, options, view.picture)
        self._charge(view)
        text = reply.text if reply.choice is None else letter_of(reply.choice)
        return Decision(answer=text, confidence=reply.confidence, p_call=p_call)

    def _instead(self, view: View) -> list[Call]:
        """Where nothing was found, the experts that need no arguments and have not looked yet; else none."""
        if view.mode != "learned" or view.regions or view.round > 1:
            return []
        asked = {call.expert for call in view.calls}
        return [call for call in default_calls(view.experts) if call.expert not in asked]

    def answer(self, view: View) -> Answer:
        """The answer from what was read and found, with the regions that it rests on as evidence."""
        engine, _ = self.setup()
        experts, size, question, options = self._asked(view)
        read = [region for region in view.regions if region.text]
        looked = [] if read and engine.eyes is None else self._looked_at(view)
        failed = engine.eyes is not None and len(view.failures) == len(view.calls)  # no expert looked: it still can
        if looked and engine.eyes is None:  # it cannot look at them, but the user can
            reply = engine.direct(experts, size, question, options)
            reply.seen = True
        elif read or looked or (view.calls and not failed):
            safe = [region.model_copy(update={"text": self._safe(said(region))}) for region in read]
            found = self._found(view, looked, experts, options)
            reply = engine.answer(safe, size, question, options, found)
        else:
            reply = engine.direct(experts, size, question, options, view.picture)
        self._charge(view)
        text = view.options[reply.choice] if view.options and reply.choice is not None else reply.text
        evidence = _evidence(reply, read, looked, question)
        return Answer(text=text, choice=reply.choice, confidence=reply.confidence, evidence=evidence)

    def _safe(self, text: str) -> str:
        """Text of a picture, an expert or a caller, without power over the model's own tokenizer."""
        tokenizer = self.setup()[0].tokenizer
        return neutralise(text, [*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()])

    def _asked(self, view: View) -> tuple[list[tuple[str, str]], tuple[int, int], str, list[str] | None]:
        experts = [(schema["name"], self._safe(" ".join(schema["description"].split()))) for schema in view.experts]
        options = [self._safe(option) for option in view.options] if view.options else None
        return experts, view.picture.size, self._safe(view.question), options

    def _looked_at(self, view: View) -> list[Region]:
        """The regions to look at, in the order they came: those without text, and what experts drew."""
        regions = [region for region in one_name_each(view.regions) if not region.text or region.image]
        if len(regions) <= self.max_regions:
            return regions
        best = sorted(range(len(regions)), key=lambda n: -regions[n].score)[: self.max_regions]
        view.notes.append(f"{len(best)} of {len(regions)} regions were kept, those with the best scores")
        return [regions[n] for n in sorted(best)]

    def _found(
        self, view: View, looked: Sequence[Region], experts: list[tuple[str, str]], options: list[str] | None
    ) -> Found:
        from policies.text.engine import Found

        safe = [region.model_copy(update={"label": self._safe(region.label)}) for region in looked]
        absent = [self._safe(name) for name in missing_names(view)]
        called: str | None = None
        offered = False
        if self.context == "append" and view.calls:
            decision = view.rounds[0].decision if view.rounds else Decision(calls=view.calls)
            called = self._safe(decision.said or "\n".join(map(call_line, decision.calls)))
            offered = decision.offered
        return Found(view.picture, safe, absent, experts, called, options if offered else None)

    def _charge(self, view: View) -> None:
        engine, _ = self.setup()
        cost = engine.cost
        view.usage += Usage(
            controller_calls=1,
            prompt_tokens=cost.prompt,
            visual_tokens=cost.visual,
            cached_tokens=cost.cached,
            generated_tokens=cost.generated,
        )
        engine.cost = type(cost)()


def _as_asked(calls: list[Call], view: View) -> list[Call]:
    """The calls with names as the question says them; and where the options leave no room for "not in the image",
    experts that can are asked to guess."""
    takes = {schema["name"]: schema["parameters"].get("properties", {}) for schema in view.experts}
    made = []
    for call in calls:
        known = takes[call.expert]
        args = {
            key: as_asked(value, view.question) if _takes_names(known.get(key)) else value
            for key, value in call.args.items()
        }
        names = [name for key in args if _takes_names(known.get(key)) for name in args[key]]
        if "guess" in known and (guess := guess_for(names, view.question, view.options)):
            args["guess"] = guess
        made.append(Call(expert=call.expert, args=args))
    return made


def _takes_names(about: Any) -> bool:
    """Whether an argument, by its schema, is a list of any texts."""
    items = about.get("items") if isinstance(about, dict) else None
    return isinstance(items, dict) and items.get("type") == "string" and "enum" not in items


def said(region: Region) -> str:
    """What an expert read, and before it what that is: `QR Code: PARCEL 4711`. Lines of a page stand for themselves."""
    text = region.text or ""
    return text if region.label in {"", "text"} else f"{region.label}: {text}"


def call_line(call: Call) -> str:
    """A call as the model writes it: `ground: red car; dog`, `read:`."""
    values = list(call.args.values())
    if len(values) == 1 and isinstance(values[0], list) and all(isinstance(value, str) for value in values[0]):
        return f"{call.expert}: {'; '.join(values[0])}"
    return f"{call.expert}: {json.dumps(call.args, ensure_ascii=False)}" if call.args else f"{call.expert}:"


def missing_names(view: View) -> list[str]:
    """Names that an expert was asked to find and of which it returned no place that is theirs."""
    results = [result for done in view.rounds for result in done.results if result.error is None]
    return missing(
        (names, one_name_each(result.regions))
        for result in results
        for names in result.call.args.values()
        if isinstance(names, list) and all(isinstance(name, str) for name in names)
    )


def _evidence(reply: Reply, read: list[Region], looked: list[Region], question: str) -> list[Region]:
    """The regions an answer rests on: those it was copied from, or those that hold the chosen option's words; of those
    that were looked at the ones that question or answer name, or all."""
    if reply.lines:
        return [read[number] for number in reply.lines]
    if reply.seen:
        written = [region for region in read if says(region.text or "", reply.text)][:3]
        named = [region for region in looked if says(f"{question} {reply.text}", region.label)]
        return written or named or looked
    if reply.choice is None:
        return []
    wanted = "".join(reply.text.lower().split())
    return [region for region in read if wanted and wanted in "".join((region.text or "").lower().split())][:3]
