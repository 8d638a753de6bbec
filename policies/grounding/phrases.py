"""What is asked of a canvas: names, synonyms and colours of what is there, and of what is not; and "object", which
means every thing, with a name or without.

`Prompt` has the tokens and, for each phrase and each thing, whether the phrase means it: 1 yes, 0 no, -1 not to be said
(kinds that are easily taken for each other, a colour that was not painted, nameless things).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from policies.data.scenes.colours import COLOURS, near
from policies.data.tree import ANY
from policies.grounding.mosaics import Item
from policies.grounding.sprites import Bank, Kind
from policies.grounding.text import END, START, STOP

YES, NO, UNSAID = 1, 0, -1
ALIKE = 0.62  # cosine of two names' vectors from which a thing of the one may be called by the other
MOST_TOKENS = 64  # of a prompt
THING, ASKED = -1, 0.3  # in place of a kind: any of them; how often that is asked for


@dataclass(frozen=True)
class Prompt:
    ids: list[int]
    phrase_of: list[int]  # of each token: its phrase, or -1 for [CLS], "." and [SEP]
    means: np.ndarray  # [phrases, items] int8


class Asker:
    """Draws prompts about canvases of one bank. `vectors` [kinds, width]: what the names mean."""

    def __init__(self, bank: Bank, tokenizer: Any, vectors: np.ndarray) -> None:
        self.bank = bank
        self.tokens = {
            word: tokenizer(word, add_special_tokens=False)["input_ids"]
            for kind in bank.kinds
            for word in (kind.name, *kind.words)
        }
        self.any = tokenizer(ANY, add_special_tokens=False)["input_ids"]
        self.hues = {colour: tokenizer(colour, add_special_tokens=False)["input_ids"] for colour in COLOURS}
        self.relation = relations(bank.kinds, vectors)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        similar = unit @ unit.T
        similar[self.relation != NO] = -2.0
        self.neighbours = np.argsort(-similar, axis=1)[:, :12]

    def ask(self, rng: np.random.Generator, items: Sequence[Item]) -> Prompt:
        phrases: list[tuple[int, str]] = []
        named = [item for item in items if item.kind >= 0]
        for item in named:
            if item.colour and rng.random() < 0.4:
                phrases.append((item.kind, item.colour))
                if rng.random() < 0.5:
                    phrases.append((item.kind, COLOURS[int(rng.integers(len(COLOURS)))]))
            else:
                phrases.append((item.kind, ""))
        phrases = [phrases[at] for at in rng.permutation(len(phrases))][: int(rng.integers(4, 11))]
        for _ in range(int(rng.integers(3, 9))):
            if named and rng.random() < 0.5:
                kind = named[int(rng.integers(len(named)))].kind
                phrases.append((int(rng.choice(self.neighbours[kind])), ""))
            else:
                kind = int(rng.integers(len(self.bank.kinds)))
                hue = COLOURS[int(rng.integers(len(COLOURS)))]
                phrases.append((kind, hue if rng.random() < 0.15 else ""))
        if rng.random() < ASKED:
            phrases.append((THING, ""))
        phrases = list(dict.fromkeys(phrases))
        kept: list[tuple[int, str]] = []
        ids, phrase_of = [START], [-1]
        for at in rng.permutation(len(phrases)):
            kind, hue = phrases[at]
            tokens = self._said(rng, kind, hue)
            if len(ids) + len(tokens) + 2 > MOST_TOKENS:
                continue
            ids += [*tokens, STOP]
            phrase_of += [len(kept)] * len(tokens) + [-1]
            kept.append((kind, hue))
        means = np.array([[self._means(*phrase, item) for item in items] for phrase in kept], np.int8)
        return Prompt([*ids, END], [*phrase_of, -1], means.reshape(len(kept), len(items)))

    def _said(self, rng: np.random.Generator, kind: int, hue: str) -> list[int]:
        """Tokens of a phrase, at times of a synonym."""
        if kind == THING:
            return self.any
        own = self.bank.kinds[kind]
        words = own.words if own.words and rng.random() < 0.2 else (own.name,)
        tokens = self.tokens[words[int(rng.integers(len(words)))]]
        return [*self.hues[hue], *tokens] if hue else tokens

    def _means(self, kind: int, hue: str, item: Item) -> int:
        if kind == THING:
            return YES
        related = UNSAID if item.kind < 0 else int(self.relation[kind, item.kind])
        if not hue or related == NO:
            return related
        if not item.colour:
            return UNSAID
        if hue == item.colour:
            return related
        return UNSAID if near(hue, item.colour) else NO


def relations(kinds: Sequence[Kind], vectors: np.ndarray) -> np.ndarray:
    """`[kinds, kinds]`: YES for the same kind, UNSAID for kinds that could be taken for each other, else NO."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = np.where(unit @ unit.T > ALIKE, UNSAID, NO).astype(np.int8)
    words = [
        {word for name in (kind.name, *kind.words) for word in name.split() if len(word) > 2} - {"the", "flag", "with"}
        for kind in kinds
    ]
    for one in range(len(kinds)):
        for other in range(one):
            if words[one] & words[other] or kinds[one].families & kinds[other].families:
                found[one, other] = found[other, one] = UNSAID
    np.fill_diagonal(found, YES)
    return found
