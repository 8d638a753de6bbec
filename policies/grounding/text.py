"""The small text encoder: a two- or three-layer BERT that says of every token what its whole phrase means.

It is taught by a sentence-embedding model (all-MiniLM-L6-v2) what names mean: of a name, its WordNet definition and the
kinds above it, reduced to the encoder's width, so that names training never showed lie near things like them. A colour
moves a phrase by one fixed step. Phrases are seen as Grounding DINO shows them: many in a prompt, each by itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from policies.data.scenes.colours import COLOURS
from policies.grounding.wordnet import WordNet

if TYPE_CHECKING:
    import torch

COLOUR_STEP = 0.7  # length of a colour's step, of the usual length of a name's vector
START, END, STOP = 101, 102, 1012  # [CLS], [SEP] and "." where Grounding DINO looks for them


@dataclass(frozen=True)
class Meanings:
    """Vectors `[n, width]` of names, of usual length `sqrt(width)`."""

    names: list[str]
    vectors: np.ndarray
    colours: np.ndarray  # [colours, width]: the step of each of COLOURS

    def save(self, path: Path) -> None:
        np.savez(path, names=np.array(self.names), vectors=self.vectors, colours=self.colours)

    @classmethod
    def load(cls, path: Path) -> Meanings:
        with np.load(path) as data:
            return cls([str(name) for name in data["names"]], data["vectors"], data["colours"])


def meanings(names: Sequence[str], folder: Path, wordnet: WordNet, width: int, say: Callable[[str], None]) -> Meanings:
    """Vectors of `names` by the sentence-embedding model in `folder`: means of name, definition and kinds above."""
    about = {name: wordnet.about(name) for name in names}
    texts = (
        list(names),
        [f"{name}: {found[0]}" if (found := about[name]) else name for name in names],
        [", ".join([name, *found[1][:3]]) if (found := about[name]) else name for name in names],
    )
    parts = []
    for number, column in enumerate(texts):
        parts.append(embed(column, folder))
        say(f"meanings: {number + 1} of {len(texts)} columns of {len(names)} names")
    raw = np.mean(parts, axis=0)
    mean = raw.mean(0)
    _, _, directions = np.linalg.svd(raw - mean, full_matrices=False)
    reduced = (raw - mean) @ directions[:width].T
    scale = float(np.sqrt(width / (reduced**2).sum(1).mean()))
    basis = directions[:width] * scale
    hues = (embed(list(COLOURS), folder) - mean) @ basis.T
    hues -= hues.mean(0)
    hues *= COLOUR_STEP * np.sqrt(width) / np.linalg.norm(hues, axis=1, keepdims=True)
    return Meanings(list(names), reduced * scale, hues)


def embed(texts: Sequence[str], folder: Path, batch: int = 128) -> np.ndarray:
    """`[n, 384]` unit vectors: the mean of the token vectors, as the model's card says."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    out = np.zeros((len(texts), model.config.hidden_size), np.float32)
    for first in range(0, len(order), batch):
        part = order[first : first + batch]
        tokens = tokenizer(
            [texts[at] for at in part], padding=True, truncation=True, max_length=48, return_tensors="pt"
        )
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            hidden = model(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"][..., None]
        vectors = (hidden * mask).sum(1) / mask.sum(1)
        out[part] = torch.nn.functional.normalize(vectors, dim=1).numpy()
    return out


def teach(
    student: Any,
    tokenizer: Any,
    lexicon: Meanings,
    folder: Path | None,
    steps: int,
    seed: int,
    say: Callable[[str], None],
) -> torch.nn.Linear:
    """Trains `student` (a BertModel without pooler) in place; returns the linear map from its output to `lexicon`'s
    space. Its word vectors begin as those of the sentence-embedding model in `folder`, reduced, if there is one."""
    import torch

    width = lexicon.vectors.shape[1]
    torch.manual_seed(seed)
    if folder is not None:
        _begin(student, folder)
    head = torch.nn.Linear(student.config.hidden_size, width)
    parameters = [*student.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    lessons = _Lessons(tokenizer, lexicon, random.Random(seed))
    student.train()
    for step in range(steps):
        batch, target = lessons.draw(24)
        with torch.autocast("cpu", torch.bfloat16):
            output = head(encode(student, batch)).float()
        counts = (batch != START) & (batch != END) & (batch != STOP) & (batch != 0)
        loss = torch.nn.functional.mse_loss(output[counts], target[counts])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 200 == 0 or step == steps - 1:
            near = torch.nn.functional.cosine_similarity(output[counts], target[counts]).mean()
            say(f"text: step {step} of {steps}, loss {loss.item():.3f}, cosine {near.item():.3f}")
    student.eval()
    return head


def _begin(student: Any, folder: Path) -> None:
    """Word vectors of the sentence-embedding model, reduced to the student's width by their principal directions."""
    import torch
    from transformers import AutoModel

    with torch.no_grad():
        words = AutoModel.from_pretrained(folder).get_input_embeddings().weight.double()
        words = words - words.mean(0)
        _, directions = torch.linalg.eigh(words.T @ words)
        reduced = words @ directions[:, -student.config.hidden_size :]
        student.get_input_embeddings().weight.copy_((reduced / reduced.std() * 0.1).float())


class _Lessons:
    """Prompts of random phrases, one in four with a colour, and the vector that each of their tokens should give."""

    def __init__(self, tokenizer: Any, lexicon: Meanings, rng: random.Random) -> None:
        import torch

        self.rng = rng
        self.ids = [tokenizer(name, add_special_tokens=False)["input_ids"] for name in lexicon.names]
        self.hues = [[tokenizer(colour, add_special_tokens=False)["input_ids"]] for colour in COLOURS]
        self.hues[COLOURS.index("grey")].append(tokenizer("gray", add_special_tokens=False)["input_ids"])
        self.vectors, self.steps = torch.tensor(lexicon.vectors).float(), torch.tensor(lexicon.colours).float()

    def draw(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids `[count, T]`, padded with 0, and vectors `[count, T, width]`."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        rows = [self._prompt() for _ in range(count)]
        ids = pad_sequence([torch.tensor(tokens) for tokens, _ in rows], batch_first=True)
        return ids, pad_sequence([torch.stack(wanted) for _, wanted in rows], batch_first=True)

    def _prompt(self) -> tuple[list[int], list[torch.Tensor]]:
        nothing = self.vectors.new_zeros(self.vectors.shape[1])
        row, wanted = [START], [nothing]
        while len(row) < 58:
            at = self.rng.randrange(len(self.ids))
            tokens, vector = self.ids[at], self.vectors[at]
            if self.rng.random() < 0.25:
                hue = self.rng.randrange(len(self.hues))
                tokens, vector = [*self.rng.choice(self.hues[hue]), *tokens], vector + self.steps[hue]
            row += [*tokens, STOP]
            wanted += [vector] * len(tokens) + [nothing]
        return [*row[:63], END], [*wanted[:63], nothing]


def encode(student: Any, ids: torch.Tensor) -> torch.Tensor:
    """`[B, T, hidden]` of prompts as Grounding DINO encodes them: every phrase sees itself alone."""
    from transformers.models.grounding_dino import modeling_grounding_dino

    reference: Any = modeling_grounding_dino
    stops = ids.new_tensor(reference.SPECIAL_TOKENS)
    mask, positions = reference.generate_masks_with_special_tokens_and_transfer_map(ids, stops)
    return student(ids, mask[:, None], ids.new_zeros(ids.shape), positions).last_hidden_state
