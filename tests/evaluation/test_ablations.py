"""Ablations: every variant is the same questions with one change, and what cannot be done is a row that says why."""

import shutil
from dataclasses import replace

import pytest

from agent.profiles import load_profile
from evaluation.ablations import BASE, VARIANTS, ablate, chosen_from, merged
from evaluation.benchmarks.format import read_questions
from evaluation.journal import read_rows, read_run
from policies.nano import WEIGHTS
from tests.evaluation.bench_fakes import BENCHMARK, make_folder
from tools.errors import UsageError


def test_tables_are_merged_and_the_rest_is_replaced():
    base = {"controller": {"kind": "native", "weights": "nano"}, "experts": {"read": {"engine": "rapidocr"}}}
    changed = merged(base, {"controller": {"weights": "other"}, "experts": {"read": False}, "threshold": 0.2})
    assert changed["controller"] == {"kind": "native", "weights": "other"}
    assert (changed["experts"], changed["threshold"]) == ({"read": False}, 0.2)
    assert base["experts"] == {"read": {"engine": "rapidocr"}}


def test_the_base_is_always_among_the_variants_and_unknown_names_are_told():
    assert [variant.name for variant in chosen_from(["direct"])] == [BASE, "direct"]
    assert len(chosen_from(None)) == len(VARIANTS) == len({variant.name for variant in VARIANTS})
    with pytest.raises(UsageError, match="unknown variant 'nonsense': choose learned, direct"):
        chosen_from(["nonsense"])


@pytest.fixture
def blind(tmp_path):
    """Profile nano without its vision tower."""
    folder = tmp_path / "blind"
    folder.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors", "token_rows.safetensors", "policy.json"):
        shutil.copy(WEIGHTS / "nano" / name, folder)
    profile = load_profile("nano")
    return profile.replaced(merged(profile.model_dump(), {"controller": {"weights": str(folder)}}))


def test_a_variant_is_a_run_that_goes_on_and_one_that_cannot_be_says_why(tmp_path, blind):
    make_folder(tmp_path / "walls")
    benchmark = replace(BENCHMARK, load=lambda folder: read_questions(tmp_path / "walls"))
    names = ["direct", "true-boxes", "allocation-resampler"]
    said = []
    how = {"names": names, "limit": 3, "say": said.append}
    text = ablate(benchmark, blind, tmp_path / "out", **how)
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][2:6] == [
        *[BASE, "direct", "allocation-resampler", "true-boxes"]
    ]
    assert "Not measured: " in text.split("allocation-resampler")[2]
    for name in (BASE, "direct", "true-boxes"):
        assert len(list(read_rows(tmp_path / "out" / name))) == 3
    assert read_run(tmp_path / "out" / "direct").modes == ["direct"]
    told = list(read_rows(tmp_path / "out" / "true-boxes"))
    assert all(row.error is None and not row.calls for row in told)
    said.clear()
    assert ablate(benchmark, blind, tmp_path / "out", **how) == text
    assert [line.split(":")[0] for line in said] == ["allocation-resampler"], "nothing is asked twice"


def test_where_no_variant_could_start_the_table_says_why(tmp_path):
    def load(folder):
        raise UsageError("its data are not here: give --data")

    text = ablate(replace(BENCHMARK, load=load), load_profile("nano"), tmp_path / "out", names=["direct"])
    assert text.count("Not measured: its data are not here") == 2
    assert (tmp_path / "out" / "ablations.md").read_text() == text


def test_a_place_that_cannot_be_written_is_told_before_anything_is_asked(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        ablate(BENCHMARK, load_profile("nano"), tmp_path / "out")
