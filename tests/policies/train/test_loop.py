"""The loop: it learns, it goes on exactly where it was cut, and it stops with a message when it cannot go on."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from policies.shards import read_shards
from policies.train import checkpoint
from policies.train.sources import HELD_OUT

PROGRAM = Path(__file__).with_name("run_small.py")


def same(one, other):
    """Masters, moments, step, random states and waiting trees of two runs are equal bit for bit."""
    (tensors, state), (others, other_state) = checkpoint.load(one), checkpoint.load(other)
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name
    for key in ("step", "totals", "ranks"):
        assert state[key] == other_state[key]
    for stem in ("adapter_model", "token_rows"):
        weights, other_weights = read_shards(one, stem), read_shards(other, stem)
        assert weights.keys() == other_weights.keys()
        assert all(torch.equal(weights[name], other_weights[name]) for name in weights)
    return True


def test_a_tiny_model_learns_twenty_questions_by_heart(recipe, run):
    full = recipe(language="full", rates={"language": 5e-2}, steps=150, clip=5, validate_minutes=10, validate_items=5)
    facts, _ = run(full)
    exact = {name: value for name, value in facts["validation"].items() if name != "loss"}
    assert exact == {"exact even": 1.0, "exact odd": 1.0}


def test_held_out_items_are_made_once(recipe, run, small):
    made = []

    class Counts(small.Random):
        def trees(self, index):
            if index >= HELD_OUT:
                made.append(index)
            return super().trees(index)

    class Stage(small.Small):
        def source(self, protocol):
            return Counts(protocol)

    _, lines = run(recipe(steps=3, validate_minutes=1e-9, validate_items=2), kind=Stage)
    assert sum("held out" in line for line in lines) == 3
    assert made == [HELD_OUT, HELD_OUT + 1]


def test_a_run_cut_twice_equals_one_in_one_piece(recipe, run, tmp_path):
    run(recipe(out=tmp_path / "a", seed=4))
    cut = tmp_path / "b"
    facts, lines = run(recipe(out=cut, seed=4, piece=1e-9))
    assert not facts["complete"]
    assert facts["steps"] == 1
    assert "--resume" in lines[-1]
    run(recipe(out=cut, seed=4, piece=1e-9), resume=True)
    facts, _ = run(recipe(out=cut, seed=4), resume=True)
    assert facts["complete"]
    assert same(tmp_path / "a/instruct", cut / "instruct")
    steps = [json.loads(line)["step"] for line in (cut / "instruct/log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 9))


def test_killed_and_resumed_equals_uninterrupted_and_leaves_no_process(recipe, run, tmp_path, base):
    run(recipe(out=tmp_path / "a", steps=12))
    cut = recipe(out=tmp_path / "b", steps=12, checkpoint_seconds=1e-9, workers=1)
    file = tmp_path / "recipe.toml"
    file.write_text(to_toml(cut))
    process = subprocess.Popen([sys.executable, PROGRAM, file, base], stdout=subprocess.PIPE, text=True, env=quiet())
    for line in process.stdout:
        if line.startswith("step 5 "):
            break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    assert children, "the data worker"
    reached = checkpoint.load_state(tmp_path / "b/instruct")["step"]
    assert 4 <= reached < 12
    run(recipe(out=tmp_path / "b", steps=12), resume=True)
    assert same(tmp_path / "a/instruct", tmp_path / "b/instruct")
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_two_processes_equal_one_on_the_same_global_batch(recipe, run, tmp_path, base):
    one = {"steps": 4, "pool": 1, "seed": 2}
    run(recipe(out=tmp_path / "one", accumulate=2, **one))
    files = []
    for name, shard in (("replicated", False), ("sharded", True)):
        files.append(tmp_path / f"{name}.toml")
        files[-1].write_text(to_toml(recipe(out=tmp_path / name, shard=shard, **one)))
    (tmp_path / "both.list").write_text("\n".join(map(str, files)))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    done = subprocess.run(
        [*torchrun, PROGRAM, tmp_path / "both.list", base], capture_output=True, text=True, env=quiet(), timeout=200
    )
    assert done.returncode == 0, done.stderr[:4000]
    expected, _ = checkpoint.load(tmp_path / "one/instruct")
    for name in ("replicated", "sharded"):
        found, state = checkpoint.load(tmp_path / name / "instruct")
        assert len(state["ranks"]) == 2
        assert found.keys() == expected.keys()
        for key, tensor in expected.items():
            torch.testing.assert_close(found[key], tensor, atol=2e-5, rtol=2e-4)


def to_toml(recipe):
    """A recipe as TOML: JSON values are TOML values but for null, which is left out."""

    def value(v):
        if isinstance(v, dict):
            return "{" + ", ".join(f"{k} = {value(x)}" for k, x in v.items() if x is not None) + "}"
        return json.dumps(v)

    data = recipe.model_dump(mode="json", exclude_unset=True)
    return "\n".join(f"{key} = {value(v)}" for key, v in data.items())


def quiet():
    return {**os.environ, "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore"}
