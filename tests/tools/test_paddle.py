"""PaddleOCR's own pipeline on the weights of the rapidocr wheel, run for real where paddleocr is installed."""

from importlib.util import find_spec

import pytest
from PIL import Image

from tools import Call, Picture, Runner
from tools.ocr.paddle import PaddleEngine
from tools.read import Read

needs_paddle = pytest.mark.skipif(find_spec("paddleocr") is None, reason="paddleocr is not installed (p2g[paddle])")


@pytest.mark.skipif(find_spec("paddleocr") is not None, reason="paddleocr is installed")
def test_without_paddleocr_the_engine_says_how_to_get_it(pages):
    result = Runner([Read(engine="paddleocr")]).run(Picture.open(pages.page()), [Call(expert="read")])[0]
    assert "pip install 'p2g[paddle]'" in result.error


def test_the_engines_do_not_share_cached_results():
    assert Read(engine="paddleocr").cache_key() != Read().cache_key()


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    tool = Read(engine="paddleocr")
    tool.engine = PaddleEngine(cache=tmp_path_factory.mktemp("paddle"))
    return Runner([tool])


def read(runner, image):
    result = runner.run(Picture.open(image), [Call(expert="read")])[0]
    assert result.error is None
    return result.regions


@needs_paddle
@pytest.mark.parametrize(
    "turn", [None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270]
)
def test_pages_are_read_exactly_whichever_way_up(runner, turn, pages):
    image = pages.page() if turn is None else pages.page().transpose(turn)
    assert [region.text for region in read(runner, image)] == pages.LINES


@needs_paddle
def test_both_engines_agree_on_text_and_places(runner, pages):
    ours = Runner([Read(threads=2)]).run(Picture.open(pages.page()), [Call(expert="read")])[0].regions
    theirs = read(runner, pages.page())
    assert [region.text for region in ours] == [region.text for region in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert max(abs(p - q) for p, q in zip(a.box, b.box, strict=True)) < 12


@needs_paddle
def test_a_page_without_text(runner):
    assert read(runner, Image.new("RGB", (300, 200), "white")) == []
