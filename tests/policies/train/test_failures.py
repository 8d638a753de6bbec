"""What goes wrong in a run: no number, a full disk, Ctrl-C, another run's folder. Each says so and loses nothing."""

import errno
import os
import signal
import subprocess

import pytest
import torch

from policies.train import checkpoint
from policies.train.stages import Loss
from tools.errors import TrainingError, UsageError


def test_a_loss_that_is_no_number_stops_before_the_weights_and_a_lower_rate_goes_on(recipe, run, small, tmp_path):
    class Breaks(small.Small):
        def loss(self, work, trees):
            found = super().loss(work, trees)
            broken = work.step == 3 and self.recipe.rates.language > 1e-3
            return Loss(found.total * float("nan"), found.count) if broken else found

    with pytest.raises(TrainingError) as caught:
        run(recipe(checkpoint_seconds=1e-9), kind=Breaks)
    assert "the loss is nan at step 3; the checkpoint of step 3 is intact" in str(caught.value)
    assert "--resume" in str(caught.value)
    assert "--set instruct.rates.language=3.3e-03" in str(caught.value)
    tensors, _ = checkpoint.load(tmp_path / "out/instruct")
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    facts, _ = run(recipe(rates={"language": 1e-3, "rows": 1e-3}), resume=True, kind=Breaks)
    assert facts["complete"]


@pytest.fixture(params=["tmpfs", "write error"])
def full(request, tmp_path, monkeypatch):
    """`full()` makes the disk under the folder `full.folder` run out."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "tmpfs":
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("cannot mount a small file system")

        def fill():
            with (folder / "filling").open("wb", buffering=0) as file:
                while True:
                    try:
                        file.write(bytes(4096))
                    except OSError:
                        return
    else:

        def fill():
            def refuse(*args, **kwargs):
                raise OSError(errno.ENOSPC, "No space left on device")

            monkeypatch.setattr("safetensors.torch.save_file", refuse)

    fill.folder = folder
    yield fill
    if request.param == "tmpfs":
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_the_last_checkpoint_is_whole(recipe, run, small, full):
    class Fills(small.Small):
        def loss(self, work, trees):
            if work.step == 3:
                full()
            return super().loss(work, trees)

    with pytest.raises(TrainingError) as caught:
        run(recipe(out=full.folder, checkpoint_seconds=1e-9), kind=Fills)
    message = str(caught.value)
    assert "no space left" in message
    assert "of step 3 is intact" in message
    assert "\n" not in message
    _, state = checkpoint.load(full.folder / "instruct")
    assert state["step"] == 3
    assert not list((full.folder / "instruct").glob("*.new"))


def test_the_first_interrupt_leaves_a_checkpoint_to_go_on_from(recipe, run, small, tmp_path):
    class Interrupts(small.Small):
        def loss(self, work, trees):
            if work.step == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return super().loss(work, trees)

    with pytest.raises(KeyboardInterrupt):
        run(recipe(), kind=Interrupts)
    assert checkpoint.load_state(tmp_path / "out/instruct")["step"] == 3
    facts, _ = run(recipe(), resume=True)
    assert facts["steps"] == 8


def test_a_run_does_not_go_over_another_or_on_as_another(recipe, run):
    run(recipe(piece=1e-9))
    with pytest.raises(UsageError, match="has a run: go on with --resume"):
        run(recipe())
    with pytest.raises(UsageError, match="had tokens 120, not 60"):
        run(recipe(tokens=60), resume=True)
    with pytest.raises(UsageError, match="had seed 1, not 2"):
        run(recipe(seed=2), resume=True)


def test_a_run_goes_on_from_its_own_first_weights_wherever_they_are(recipe, run, tmp_path):
    for name in ("one", "other"):
        run(recipe(out=tmp_path / name, steps=2, seed=2 if name == "other" else 1))
    run(recipe(init=str(tmp_path / "one/instruct"), piece=1e-9))
    with pytest.raises(UsageError, match=r"had initial weights \(SHA-256\) \w{64}, not \w{64}"):
        run(recipe(init=str(tmp_path / "other/instruct")), resume=True)
    with pytest.raises(UsageError, match=r"had initial weights \(SHA-256\) \w{64}, not None"):
        run(recipe(), resume=True)
    (tmp_path / "one").rename(tmp_path / "moved")
    facts, _ = run(recipe(init=str(tmp_path / "moved/instruct")), resume=True)
    assert facts["complete"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rates": {}}, "nothing learns"),
        ({"steps": None}, "never ends: give it steps or minutes"),
        ({"sources": [{"kind": "long"}], "pool": 1}, "gave no tree of at most 120 tokens"),
        ({"init": "elsewhere"}, "there is no folder elsewhere"),
    ],
)
def test_what_cannot_be_trained_says_why(recipe, run, changes, said, monkeypatch):
    monkeypatch.setattr("policies.train.loop.NOTHING", 3)
    with pytest.raises((UsageError, TrainingError), match=said):
        run(recipe(**changes))


def test_a_checkpoint_between_its_two_renames_is_found(tmp_path):
    checkpoint.save(tmp_path, {"a": torch.ones(1)}, {"step": 1})
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    (tmp_path / "checkpoint.new").mkdir()
    assert checkpoint.load_state(tmp_path) == {"step": 1}
    checkpoint.save(tmp_path, {"a": torch.ones(1)}, {"step": 2})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint"]
