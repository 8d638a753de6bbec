"""The engine `openvino` on the weights of the rapidocr wheel: the same lines as onnxruntime reads."""

from importlib.util import find_spec

import pytest

from tools import Call, Picture, Runner
from tools.read import Read

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed (p2g[openvino])")


def read(tool, image):
    result = Runner([tool]).run(Picture.open(image), [Call(expert="read")])[0]
    assert result.error is None
    return result.regions


@needs_openvino
def test_it_reads_what_onnxruntime_reads_at_the_same_places(pages):
    found, expected = (read(Read(engine=engine, threads=1), pages.page()) for engine in ("openvino", "rapidocr"))
    assert [region.text for region in found] == pages.LINES == [region.text for region in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert max(abs(a - b) for a, b in zip(mine.box, theirs.box, strict=True)) < 4


@pytest.mark.skipif(find_spec("openvino") is not None, reason="openvino is installed")
def test_without_openvino_the_engine_says_how_to_get_it(pages):
    result = Runner([Read(engine="openvino")]).run(Picture.open(pages.page()), [Call(expert="read")])[0]
    assert "pip install" in result.error


def test_it_does_not_share_cached_results_with_the_other_engines():
    assert len({Read(engine=engine).cache_key() for engine in ("openvino", "rapidocr", "paddleocr")}) == 3
