"""The mean of two folders of weights."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from policies.nano import Policy
from policies.train.average import main


@pytest.fixture
def folders(tmp_path):
    """`folders(name=tensor)`: a folder with these weights beside a configuration."""

    def make(name, **tensors):
        folder = tmp_path / name
        folder.mkdir()
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        (folder / "policy.json").write_text('{"threshold": 0.3, "temperature": 2.0}')
        (folder / "training.json").write_text("{}")
        (folder / "p2g_config.json").write_text(f'{{"of": "{name}"}}')
        return folder

    return make


def test_every_tensor_is_the_share_of_the_new_and_the_rest_of_the_old(folders, tmp_path):
    steps = torch.tensor([7])
    old = folders("old", a=torch.tensor([0.0, 4.0], dtype=torch.bfloat16), n=torch.tensor([3]))
    new = folders("new", a=torch.tensor([1.0, 8.0], dtype=torch.bfloat16), n=steps)
    out = tmp_path / "out"
    assert main([str(old), str(new), "--out", str(out), "--share", "0.25"]) == 0
    found = load_file(out / "adapter_model.safetensors")
    assert found["a"].tolist() == [0.25, 5.0]
    assert found["a"].dtype == torch.bfloat16
    assert torch.equal(found["n"], steps)
    assert (out / "p2g_config.json").read_text() == '{"of": "new"}'
    assert Policy.model_validate_json((out / "policy.json").read_text()) == Policy()
    assert not (out / "training.json").exists()


def test_weights_that_cannot_be_averaged_are_refused_in_one_line(folders, tmp_path, capsys):
    old, new, out = folders("old", a=torch.zeros(2)), folders("new", a=torch.zeros(3)), tmp_path / "out"
    other = folders("other", a=torch.zeros(2))
    (other / "more.safetensors").write_bytes((old / "adapter_model.safetensors").read_bytes())
    whole = folders("whole", a=torch.zeros(2))
    (whole / "language").mkdir()
    cases = [
        ([old, new], "other tensors"),
        ([old, other], "other files of weights"),
        ([old, old, "--share", "1.5"], "between 0 and 1"),
        ([old, whole], "trained in full"),
        ([old, tmp_path], "no adapter_model.safetensors"),
    ]
    for arguments, said in cases:
        assert main([*map(str, arguments), "--out", str(out)]) > 1
        errors = capsys.readouterr().err
        assert said in errors
        assert errors.count("\n") == 1
        assert not out.exists()
    assert main([str(old), str(old), "--out", str(new)]) == 2
    assert "is there already" in capsys.readouterr().err
