"""Fetches more pictures for grounding: `python -m policies.grounding.more --out DIR` (npm, Debian, `resvg-py`).

Emoji beyond the pack, in two styles, with their names, and clip art without names, which only teaches what a thing
looks like. Kinds of the pack are left out here, so that those kept for `unseen` never come in by another door.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from policies.data.scenes.assets import PACK
from policies.data.scenes.fetch import renderer
from policies.data.scenes.packages import Row, debian, npm, read_table, write_table
from tools.errors import P2GError

NAMED, NAMELESS = (3, 4, 5, 6, 7), (1, 8)  # groups of emojibase: animals to objects; people and symbols
SIDE = 224  # pixels of emoji and clip art; drawings stay as large as those for scenes
MOST_CLIP_ART = 6000


def more(out: Path) -> None:
    """Fills `out` with pictures and `sprites.tsv`: name (may be empty), file, words, about. Raises P2GError."""
    render = renderer()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        names = ["@lobehub/fluent-emoji-3d", "emojibase-data", "@iconify-json/noto"]
        fluent, base, noto = (found[0] for found in npm(names, Path(scratch)))
        labels = json.loads((base / "en" / "data.json").read_text(encoding="utf-8"))
        taken = {row["emoji"] for row in read_table(PACK / "kinds.tsv")}
        rows = [*_emoji(labels, taken, fluent / "assets", noto, out, render)]
        try:
            rows += _clip_art(debian("openclipart-png", Path(scratch) / "openclipart"), out)
        except P2GError as error:
            print(f"clip art is left out ({error})", file=sys.stderr)
        write_table(out / "sprites.tsv", rows)


def _emoji(
    labels: list[Any], taken: set[str], fluent: Path, noto: Path, out: Path, render: Callable[[str], bytes]
) -> Iterator[Row]:
    icons = json.loads((noto / "icons.json").read_text(encoding="utf-8"))
    chars = json.loads((noto / "chars.json").read_text(encoding="utf-8"))
    for entry in labels:
        group, code, label = entry.get("group"), entry["hexcode"].lower(), entry["label"].lower()
        if group not in (*NAMED, *NAMELESS) or code in taken or f"{code}-fe0f" in taken:
            continue
        name = label if group in NAMED else ""
        drawn = next((path for end in ("", "-fe0f") if (path := fluent / f"{code}{end}.webp").exists()), None)
        if drawn:
            with Image.open(drawn) as image:
                image.convert("RGBA").resize((SIDE, SIDE)).save(out / f"fluent-{code}.png")
            yield {"name": name, "file": f"fluent-{code}.png", "words": "", "about": label}
        icon = icons["icons"].get(chars.get(code) or chars.get(code.replace("-fe0f", "")) or "")
        if icon:
            box = f"0 0 {icon.get('width', icons['width'])} {icon.get('height', icons['height'])}"
            spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
            svg = f'<svg {spaces} viewBox="{box}">{icon["body"]}</svg>'
            (out / f"noto-{code}.png").write_bytes(render(svg))
            yield {"name": name, "file": f"noto-{code}.png", "words": "", "about": label}


def _clip_art(tree: Path, out: Path) -> Iterator[Row]:
    """Nameless: their names are those of files and often say something else. Only what is cut out of its background."""
    kept = 0
    for path in sorted(tree.rglob("*.png")):
        if kept >= MOST_CLIP_ART:
            return
        try:
            with Image.open(path) as image:
                if max(image.size) > 2500:
                    continue
                cut = image.convert("RGBA")
                cut.thumbnail((SIDE, SIDE))
        except (OSError, ValueError, Image.DecompressionBombError):
            continue
        solid = sum(cut.getchannel("A").histogram()[128:]) / (cut.width * cut.height)
        if 0.15 < solid < 0.95 and min(cut.size) > 60:
            about = " ".join([*path.parts[-3:-1], path.stem]).replace("_", " ").replace("-", " ").lower()
            cut.save(out / f"clip-{kept:04d}.png")
            kept += 1
            yield {"name": "", "file": f"clip-{kept - 1:04d}.png", "words": "", "about": " ".join(about.split())}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m policies.grounding.more", description="More pictures for grounding."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to fill")
    out = parser.parse_args().out
    try:
        more(out)
    except P2GError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
