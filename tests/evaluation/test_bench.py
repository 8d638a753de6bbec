"""`python -m evaluation.bench`: what is compared is alike."""

import pytest

from agent.profiles import ReadSettings
from evaluation import bench


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_both_readers_get_equally_many_threads(threads, monkeypatch):
    monkeypatch.setattr(bench, "find_spec", lambda name: name)
    monkeypatch.setattr(bench.os, "cpu_count", lambda: 6)
    found = bench.engines(ReadSettings(threads=threads))
    assert {name: reader.engine.threads for name, reader in found.items()} == dict.fromkeys(
        ["rapidocr", "openvino"], threads or 6
    )
    assert [reader.engine_name for reader in found.values()] == list(found)


def test_nothing_is_compared_where_the_profile_reads_otherwise_or_openvino_is_missing(monkeypatch):
    monkeypatch.setattr(bench, "find_spec", lambda name: name)
    assert bench.engines(ReadSettings(engine="paddleocr")) == {}
    assert bench.engines(ReadSettings(engine="openvino")) == {}
    assert bench.engines(False) == {}
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    assert bench.engines(ReadSettings()) == {}
