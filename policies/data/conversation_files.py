"""JSON lists of conversations about pictures, as LLaVA and SEAL publish them: read, checked, pictures found.

A file that is not what it should be is an error that names file and item; an item whose picture is missing or broken, or
does not hold its boxes, is counted and left out. Text from the files is data: markers of chats and pictures in it lose
their power (`tools/safety.py`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from policies.data.digests import digest_of
from policies.data.tree import Branch
from policies.data.visual_scene import Optics
from policies.text.protocol import Protocol
from tools.boxes import Box, clamp, from_xywh
from tools.errors import PictureError, UsageError
from tools.pictures import Picture
from tools.safety import neutralise

log = logging.getLogger(__name__)
ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
IMAGE_MARK = "<image>"


@dataclass(frozen=True)
class Target:
    """A thing that an item is about; `box` is x1 y1 x2 y2 in pixels, None where it is only named."""

    name: str
    box: Box | None = None


@dataclass(frozen=True)
class Item:
    """`turns` are pairs of question and answer, neutralised; `search`: things were looked for before it was answered."""

    where: str
    picture: Path | None
    turns: tuple[tuple[str, str], ...]
    search: bool = False
    targets: tuple[Target, ...] = ()


@dataclass
class Conversations:
    """The items whose pictures are there, the `sha256` of their files; how many pictures were `missing`, and those met so
    far that are `broken`, or the items whose boxes lie outside theirs."""

    items: list[Item]
    sha256: str
    missing: int = 0
    broken: set[Path | str] = field(default_factory=set)

    def at(self, index: int, seed: int) -> Item:
        """Item `index` of endless passes over all items, each pass in an order of its own."""
        turn, place = divmod(index, len(self.items))
        return self.items[_order(len(self.items), turn, seed)[place]]

    def open(self, item: Item) -> Picture | None:
        """The item's picture, or None, with a message, where it cannot be decoded."""
        assert item.picture is not None
        try:
            picture = Picture.open(item.picture)
            picture.image  # noqa: B018  decodes
        except PictureError as error:
            self._leave_out(item.picture, item, str(error))
            return None
        return picture

    def boxes(self, item: Item, picture: Picture) -> list[tuple[str, Box]] | None:
        """Names and boxes of the targets, cut to the picture; None, with a message, where one lies outside."""
        out = []
        for target in item.targets:
            if target.box is not None:
                box = clamp(target.box, picture.size)
                if box is None:
                    size = "x".join(map(str, picture.size))
                    self._leave_out(item.where, item, f"bbox of {target.name!r} is outside the {size} picture")
                    return None
                out.append((target.name, box))
        return out

    def _leave_out(self, what: Path | str, item: Item, why: str) -> None:
        if what not in self.broken:
            self.broken.add(what)
            log.warning("%s: left out: %s (%d broken so far)", item.where, why, len(self.broken))


class ConversationSource:
    """Base of the sources over a JSON file or a folder of them; pictures lie in `images` or beside the JSON."""

    version = 1  # of what trees are made from an item

    def __init__(
        self, protocol: Protocol, optics: Optics, path: Path, images: Path | None = None, seed: int = 0
    ) -> None:
        self.protocol, self.optics, self.seed = protocol, optics, seed
        self.data = load(path, images)

    def digest(self) -> str:
        """A hash of what the source gives; pictures count with their names alone."""
        data = self.data
        return digest_of(
            type(self).__name__, self.version, self.protocol, self.optics, data.sha256, data.missing, self.seed
        )


@lru_cache(maxsize=4)
def _order(count: int, turn: int, seed: int) -> list[int]:
    order = list(range(count))
    random.Random(f"conversations:{seed}:{turn}").shuffle(order)
    return order


def load(path: Path, images: Path | None = None) -> Conversations:
    """All items of a JSON file, or of every `*.json` in a folder; pictures lie in `images` or beside the files.

    Raises `UsageError` that names file and item for what is not in the layout.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise UsageError(f"{path}: no JSON file of conversations there")
    folder = images or (path if path.is_dir() else path.parent)
    sha256 = hashlib.sha256()
    items: list[Item] = []
    missing = 0
    for file in files:
        data = file.read_bytes()
        sha256.update(data)
        for number, row in enumerate(_rows(file, data)):
            item = _item(f"{file.name} item {number}", row, folder)
            if item.picture is not None and not item.picture.is_file():
                missing += 1
                continue
            items.append(item)
    if missing:
        log.warning(
            "%s: %d of %d items left out: their pictures are not in %s", path, missing, missing + len(items), folder
        )
    if not items:
        raise UsageError(f"{path}: no item can be used: {missing} pictures are missing in {folder}")
    return Conversations(items, sha256.hexdigest(), missing)


def _rows(file: Path, data: bytes) -> list[Any]:
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: not JSON: {str(error).splitlines()[0]}") from error
    if not isinstance(rows, list):
        raise UsageError(f"{file}: holds {type(rows).__name__}, not a list of items")
    return rows


def _item(where: str, row: Any, folder: Path) -> Item:
    if not isinstance(row, dict):
        raise UsageError(f"{where}: is {type(row).__name__}, not an object")
    picture = _picture(where, row.get("image"), folder)
    turns = _turns(where, row.get("conversations"))
    search = row.get("search", bool(row.get("target_instances")))
    if not isinstance(search, bool):
        raise UsageError(f"{where}: 'search' is {search!r}, not true or false")
    listed = row.get("target_instances") or []
    if not isinstance(listed, list):
        raise UsageError(f"{where}: 'target_instances' is {type(listed).__name__}, not a list")
    targets = tuple(_target(f"{where}, target {i}", target) for i, target in enumerate(listed))
    if picture is None and targets:
        raise UsageError(f"{where}: has target_instances but no image")
    return Item(where, picture, turns, search, targets)


def _picture(where: str, name: Any, folder: Path) -> Path | None:
    if name is None:
        return None
    if not isinstance(name, str) or not name or "\0" in name:
        raise UsageError(f"{where}: 'image' is {name!r}, not a file name")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise UsageError(f"{where}: 'image' {name!r} leaves the folder of pictures")
    return folder / name


def _turns(where: str, listed: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(listed, list) or not listed:
        raise UsageError(f"{where}: 'conversations' is not a list of turns")
    said: list[tuple[str, str]] = []
    for number, turn in enumerate(listed):
        if not isinstance(turn, dict) or not isinstance(turn.get("value"), str) or turn.get("from") not in ROLES:
            raise UsageError(f"{where}, turn {number}: needs 'from' (human or gpt) and a text in 'value'")
        said.append((ROLES[turn["from"]], turn["value"]))
    if said[0][0] == "assistant":  # a few published conversations begin in the middle
        said = said[1:]
    if len(said) % 2:
        said = said[:-1]
    roles = [role for role, _ in said]
    if not said or roles != ["user", "assistant"] * (len(said) // 2):
        raise UsageError(
            f"{where}: human and gpt do not take turns: {', '.join(roles[:6]) or 'no question and answer'}"
        )
    texts = [text for _, text in said]
    texts[0] = without_mark(texts[0])
    safe = [re.sub(" +", " ", neutralise(text)).strip() for text in texts]
    return tuple(zip(safe[::2], safe[1::2], strict=True))


def without_mark(text: str) -> str:
    """The first question without the mark that says where the picture stands; any other is text."""
    plain = text.strip()
    if plain.startswith(IMAGE_MARK):
        return plain.removeprefix(IMAGE_MARK).strip()
    return plain.removesuffix(IMAGE_MARK).strip()


def _target(where: str, target: Any) -> Target:
    if not isinstance(target, dict) or not isinstance(target.get("name"), str) or not target["name"].strip():
        raise UsageError(f"{where}: needs a 'name' and a 'bbox'")
    name = " ".join(neutralise(target["name"]).split())
    box = target.get("bbox")
    if box is None:
        return Target(name)
    if not isinstance(box, list) or len(box) != 4 or not all(_is_length(value) for value in box) or min(box[2:]) <= 0:
        raise UsageError(f"{where} ({name!r}): 'bbox' {str(box)[:60]} is not [x, y, width, height] in pixels")
    return Target(name, from_xywh(box))


def _is_length(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e7


def branches(turns: Sequence[tuple[str, str]], protocol: Protocol, kind: str) -> list[Branch]:
    """One branch a turn: the turns before it and its question are the prompt, its answer the target."""
    out: list[Branch] = []
    before: list[int] = []
    for question, answer in turns:
        prompt = [*before, *protocol.question(question)]
        target = [protocol.answer_id, *protocol.encode(f" {answer}"), protocol.end_id]
        out.append(Branch(prompt, target, kind))
        before = [*prompt, *target, *protocol.encode("\n<|im_start|>user\n")]
    return out
