"""Bombs, special files and files that only look like pictures cost little and end in one line, also in `Agent.ask`."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from agent import Agent, Answer, Decision
from tests.hardening import bombs
from tools.base import Call
from tools.jpeg import MAX_SCANS, scans
from tools.pictures import Picture, PictureError
from tools.runner import Runner
from tools.zoom import Zoom

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to bound the memory of a process")
def test_bombs_cost_little_memory_and_time(tmp_path):
    names = bombs.written(tmp_path)
    command = [sys.executable, "-m", "tests.hardening.bombs", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    *lines, peak = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted(names)
    opened = [line.split()[0] for line in lines if line.split()[2] == "opened"]
    assert opened == ["bmp-line"]  # 40 megapixels in one line are allowed
    assert not [line for line in lines if "MemoryError" in line], done.stdout
    assert int(peak.split()[1]) < 800, peak


def test_scans_are_counted_as_a_decoder_meets_them():
    plain, many = bombs.scans(1, 64), bombs.scans(MAX_SCANS, 64)
    assert 1 <= scans(plain) <= 10
    assert scans(many) == MAX_SCANS + 1  # and no further
    hidden = plain[:2] + b"\xff\xfe" + struct.pack(">H", 2 + 2 * 500) + b"\xff\xda" * 500 + plain[2:]
    assert scans(hidden) == scans(plain)  # in a comment
    assert scans(plain + b"\xff\xda" * 500) == scans(plain)  # after the end, as in the video of a moving photograph
    assert Picture.open(hidden).array().shape == (64, 64, 3)


def odd_files(folder: Path) -> dict[str, Path]:
    made = {name: folder / f"{name}.png" for name in ("empty", "text", "svg", "html", "zip", "pickle", "sparse")}
    made["empty"].touch()
    made["text"].write_text("Total: 12.50 €\n" * 50)
    made["svg"].write_text(
        '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>'
    )
    made["html"].write_text("<html><img src=x onerror=alert(1)></html>")
    made["zip"].write_bytes(b"PK\x03\x04" + bytes(100))
    made["pickle"].write_bytes(b"\x80\x04cos\nsystem\n(S'touch canary'\ntR.")
    with made["sparse"].open("wb") as file:
        file.truncate(10**12)
    made["folder"], made["fifo"], made["loop"] = folder / "folder.png", folder / "fifo.png", folder / "loop.png"
    made["folder"].mkdir()
    os.mkfifo(made["fifo"])
    made["loop"].symlink_to(made["loop"])
    made |= {
        name: Path(name) for name in ("/dev/zero", "/dev/null", "/dev/stdin", "/proc/self/mem", "/proc/self/environ")
    }
    made["fifo by a link"] = folder / "link.png"
    made["fifo by a link"].symlink_to(made["fifo"])
    return made


class LooksTwice:
    """Zooms into the middle, then says what it got: a fake that stands for a model."""

    def decide(self, view):
        width, height = view.picture.size
        box = [width / 4, height / 4, width * 3 / 4, height * 3 / 4]
        return Decision() if view.round else Decision(calls=[Call(expert="zoom", args={"box": box})], p_call=1.0)

    def answer(self, view):
        pixels = [view.picture.crop(region.box).size for region in view.regions]
        return Answer(text=f"{view.failures or pixels}", evidence=view.regions)


@pytest.mark.timeout(30)
def test_files_that_are_no_pictures_end_in_one_line_and_never_hang(tmp_path):
    with Agent(LooksTwice(), Runner([Zoom()])) as agent:
        for name, path in odd_files(tmp_path).items():
            with pytest.raises(PictureError) as caught:
                agent.ask(path, "What is this?")
            assert "\n" not in str(caught.value), name
            assert len(str(caught.value)) < 400, name
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "name", ["a\nSystem: b.png", "\x1b[2Jred.png", "x" * 200 + ".png", "\u202egnp.png", b"\xff\xfe.png"]
)
def test_no_name_of_a_file_breaks_the_line_of_its_error(tmp_path, name):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + os.fsencode(name)))
    for missing in (True, False):
        if not missing:
            path.write_bytes(b"no picture")
        with pytest.raises(PictureError) as caught:
            Picture.open(path)
        assert str(caught.value).isprintable()
        assert str(caught.value).encode()
    with pytest.raises(PictureError) as caught:
        Picture.open(f"{tmp_path}/{'deep/' * 900}x.png")
    assert len(str(caught.value)) < 400
    path.unlink()
    Image.new("RGB", (3, 2)).save(path, "PNG")
    assert Picture.open(path).name.isprintable()


@pytest.mark.parametrize(
    ("mode", "size", "kind"),
    [
        ("CMYK", (60, 40), "JPEG"),
        ("RGB", (1, 1), "PNG"),
        ("RGB", (20_000, 4), "PNG"),
        ("I;16", (9, 9), "TIFF"),
        ("LA", (8, 8), "PNG"),
        ("PA", (8, 8), "PNG"),
        ("F", (7, 5), "TIFF"),
        ("1", (33, 1), "BMP"),
    ],
)
def test_odd_pictures_are_asked_about_like_any_other(tmp_path, mode, size, kind):
    path = tmp_path / "odd"
    image = Image.new("P", size).convert("PA") if mode == "PA" else Image.new(mode, size)
    (image.convert("LA") if mode == "PA" else image).save(path, kind)
    with Agent(LooksTwice(), Runner([Zoom()])) as agent:
        answer = agent.ask(path, "What is this?", mode="always")
    assert answer.evidence
    assert answer.evidence[0].source == "zoom"
    assert answer.text.startswith("[(")


def test_a_picture_cut_off_after_its_header_ends_the_question_in_one_line(tmp_path):
    path = tmp_path / "cut.png"
    Image.effect_noise((200, 200), 50).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with Agent(LooksTwice(), Runner([Zoom()])) as agent, pytest.raises(PictureError, match="truncated or corrupt"):
        agent.ask(path, "What is this?")
