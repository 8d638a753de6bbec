"""The result cache: bounded, shared between processes through a file, and never a reason to fail."""

import pytest

from tools import Region, ResultCache
from tools.cache import CachedResult


def result(text: str) -> CachedResult:
    return CachedResult(regions=[Region(box=(0, 0, 5, 5), text=text, mask={"counts": [1, 2]})], note="cut")


def test_the_least_used_goes_first():
    cache = ResultCache(max_items=2)
    cache.put("a", result("a"))
    cache.put("b", result("b"))
    assert cache.get("a")
    cache.put("c", result("c"))
    assert cache.get("b") is None
    assert cache.get("a").regions[0].text == "a"
    assert cache.get("c")


def test_size_zero_keeps_nothing(tmp_path):
    cache = ResultCache(tmp_path, max_items=0)
    cache.put("a", result("a"))
    assert cache.get("a") is None
    assert not cache.file.exists()


def test_results_outlive_the_process(tmp_path):
    ResultCache(tmp_path / "new" / "folder").put("a", result("ä \u2028 ☃"))
    assert ResultCache(tmp_path / "new" / "folder").get("a") == result("ä \u2028 ☃")
    assert ResultCache(tmp_path / "new" / "folder").get("b") is None


def test_the_file_is_bounded(tmp_path):
    cache = ResultCache(tmp_path, max_rows=3)
    for key in "abcde":
        cache.put(key, result(key))
    fresh = ResultCache(tmp_path)
    assert [key for key in "abcde" if fresh.get(key)] == ["c", "d", "e"]


@pytest.mark.parametrize("damage", [b"", b"garbage" * 100, None])
def test_a_damaged_file_is_started_anew(tmp_path, damage):
    cache = ResultCache(tmp_path)
    cache.put("a", result("a"))
    content = cache.file.read_bytes()
    cache.file.write_bytes(content[: len(content) // 2] if damage is None else damage)
    fresh = ResultCache(tmp_path)
    assert fresh.get("a") is None
    fresh.put("b", result("b"))
    assert fresh.get("b")
    assert ResultCache(tmp_path).get("b") or damage is None


def test_a_row_of_an_older_format_is_ignored(tmp_path):
    cache = ResultCache(tmp_path)
    cache.put("a", result("a"))
    cache._sql("UPDATE results SET value = ?", ('{"regions": [{"old": 1}]}',))
    assert ResultCache(tmp_path).get("a") is None


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    cache = ResultCache(tmp_path / "file" / "sub")
    cache.put("a", result("a"))
    assert cache.get("a")
