"""Runs a `P2GModel` piece by piece on key-value caches, pictures included, one sample at a time.

What repeats is encoded once: several questions about one picture share a prefix, a focus turn is appended to what was
said before, and options are scored on copies of one cache (after SEAL). A prefix is known by its content: the ids and,
at the positions of a picture, the pixels with their projector and box, so that no other picture can take its place.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections import OrderedDict
from collections.abc import Collection, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from policies.model import P2GModel
from policies.visuals import Visuals, widths
from tools.errors import UsageError

Key = tuple[Hashable, ...]  # one item a position


class CachedModel:
    """One model in inference mode. Caches given to `run`, `score` and `write` hold all that came before."""

    def __init__(self, model: P2GModel, kept: int = 4) -> None:
        self.model = model.eval()
        self.kept = kept
        self._prefixes: OrderedDict[Key, DynamicCache] = OrderedDict()
        head: Any = model.get_output_embeddings()  # float32 below: a step of bf16 is a quarter, which blurs p_call
        self._head = head.weight.detach().float()
        self._bias = None if head.bias is None else head.bias.detach().float()

    def forget(self) -> None:
        """Drops the kept prefixes: in bf16 an answer depends in its last digits on where its prefix was cut."""
        self._prefixes.clear()

    @torch.inference_mode()
    def prefix(self, ids: Sequence[int], visuals: Visuals | None = None) -> tuple[DynamicCache, int]:
        """A cache of its own that holds expanded `ids`, and how many of them were not computed again.

        The prefix is kept for the next question; the longest part it has in common with a kept one is reused.
        """
        key = self._key(ids, visuals)
        if key in self._prefixes:
            self._prefixes.move_to_end(key)
            return copy.deepcopy(self._prefixes[key]), len(key)
        cache, shared = self._longest(key)
        if shared < len(ids):
            block, shared = self._whole_blocks(shared, ids, visuals)
            cache = cut(cache, shared) if cache is not None else self.empty()
            self._hidden(cache, [ids[shared:]], visuals.since(block) if visuals is not None else None)
        assert cache is not None
        self._keep(key, cache)
        return copy.deepcopy(cache), shared

    def keep(self, cache: DynamicCache, ids: Sequence[int], visuals: Visuals | None = None) -> None:
        """Keeps a cache that holds exactly expanded `ids`, for a prefix that goes on from there."""
        self._keep(self._key(ids, visuals), cache)

    def empty(self) -> DynamicCache:
        """A cache that holds nothing yet."""
        return DynamicCache(config=self.model.language_model.config)

    @torch.inference_mode()
    def run(self, cache: DynamicCache, ids: Sequence[int], visuals: Visuals | None = None) -> Tensor:
        """Logits `[V]` (float32) after expanded `ids`, which `cache` takes in with the pictures at their places."""
        return self._logits(self._hidden(cache, [ids], visuals)[0, -1])

    @torch.inference_mode()
    def after(self, cache: DynamicCache, continuations: Sequence[Sequence[int]]) -> Tensor:
        """Logits `[n, T, V]` over n continuations of copies of one cache, padded on the right to the longest T."""
        longest = max(map(len, continuations))
        grown = copy.deepcopy(cache)
        grown.batch_repeat_interleave(len(continuations))
        return self._logits(self._hidden(grown, [[*ids, *[0] * (longest - len(ids))] for ids in continuations]))

    def score(
        self, first: Tensor, cache: DynamicCache, continuations: Sequence[Sequence[int]], end: int | None = None
    ) -> list[float]:
        """Log-likelihood of each continuation, and of the token `end` after it; `first [V]` are the logits before."""
        follow = self.after(cache, continuations).log_softmax(-1)
        start = first.float().log_softmax(-1)
        scores = []
        for row, ids in enumerate(continuations):
            score = start[ids[0]].item() + sum(follow[row, i, token].item() for i, token in enumerate(ids[1:]))
            scores.append(score if end is None else score + follow[row, len(ids) - 1, end].item())
        return scores

    def write(
        self,
        first: Tensor,
        cache: DynamicCache,
        stops: Collection[int],
        limit: int,
        forbidden: Sequence[int] = (),
    ) -> tuple[list[int], float, Tensor]:
        """Greedy tokens after `first [V]`, none of them `forbidden`, up to `limit` or one of `stops`; then their
        log-likelihood with that stop, and the logits after them."""
        out: list[int] = []
        score = 0.0
        logits = first
        while len(out) < limit:
            if forbidden:
                logits = logits.index_fill(0, torch.tensor(forbidden, device=logits.device), -math.inf)
            log_probs = logits.float().log_softmax(-1)
            token = int(log_probs.argmax())
            score += float(log_probs[token])
            if token in stops:
                break
            out.append(token)
            logits = self.run(cache, [token])
        return out, score, logits

    def _keep(self, key: Key, cache: DynamicCache) -> None:
        self._prefixes[key] = cache
        while len(self._prefixes) > self.kept:
            self._prefixes.popitem(last=False)

    def _hidden(self, cache: DynamicCache, rows: Sequence[Sequence[int]], visuals: Visuals | None = None) -> Tensor:
        ids = torch.tensor([list(row) for row in rows], device=self.model.device)
        embeds = self.model.embed(ids, visuals=visuals, complete=visuals is not None)
        lm = self.model.language_model.base_model
        return lm(inputs_embeds=embeds, past_key_values=cache, use_cache=True).last_hidden_state

    def _logits(self, hidden: Tensor) -> Tensor:
        return torch.nn.functional.linear(hidden.float(), self._head, self._bias)

    def _longest(self, key: Key) -> tuple[DynamicCache | None, int]:
        """A copy of the kept cache that starts most like `key`, cut to what they share, and how much that is."""
        best, found = 0, None
        for kept, cache in self._prefixes.items():
            most = min(len(kept), len(key))
            shared = next((i for i in range(most) if kept[i] != key[i]), most)
            if shared > best:
                best, found = shared, cache
        return (None, 0) if found is None else (cut(copy.deepcopy(found), best), best)

    def _whole_blocks(self, position: int, ids: Sequence[int], visuals: Visuals | None) -> tuple[int, int]:
        """The first block that is not wholly before `position`, and `position` moved to its start if it is inside."""
        for block, places in enumerate(self._places(ids, visuals)):
            if places.stop > position:
                return block, min(position, places.start)
        return len(visuals) if visuals is not None else 0, position

    def _places(self, ids: Sequence[int], visuals: Visuals | None) -> list[range]:
        """The positions of every block."""
        if visuals is None:
            return []
        config = self.model.config
        visual = [i for i, token in enumerate(ids) if token in (config.image_token_id, config.region_token_id)]
        each = widths(config, visuals.blocks)
        if sum(each) != len(visual):
            raise UsageError(f"{len(visuals)} pictures and regions take {sum(each)} positions, not {len(visual)}")
        places, at = [], 0
        for width in each:
            places.append(range(visual[at], visual[at] + width))
            at += width
        return places

    def _key(self, ids: Sequence[int], visuals: Visuals | None) -> Key:
        """The ids, with what a picture's positions show in place of its placeholder."""
        key: list[Hashable] = list(ids)
        if visuals is not None:
            content = [_digest(picture) for picture in visuals.pictures]
            for block, places in zip(visuals.blocks, self._places(ids, visuals), strict=True):
                for position in places:
                    key[position] = (content[block.picture], block.via, block.box)
        return tuple(key)


def cut(cache: DynamicCache, length: int) -> DynamicCache:
    """`cache` itself, shortened to its first `length` positions."""
    if length < cache.get_seq_length():
        cache.crop(length - cache.get_seq_length())  # counted from the end, since crop(0) would do nothing
    return cache


def _digest(picture: Tensor) -> bytes:
    return hashlib.sha256(picture.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()).digest()
