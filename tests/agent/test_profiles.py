"""Profiles: the built-in ones, one's own TOML file, and what a mistake in it says."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from agent import Agent
from agent.profiles import FOLDER, Chat, Fixed, Native, Profile, load_profile, p2g_home, profile_names
from tools.errors import UsageError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["nano", "cpu", "gpu", "api"])
def test_built_in_profiles_load_by_name_and_describe_themselves(name):
    profile = load_profile(name)
    assert profile.name == name
    assert len(profile.description) > 20


def test_the_default_is_nano_and_is_offline():
    profile = load_profile()
    assert profile_names()[0] == profile.name == "nano"
    assert profile.controller == Native(weights="nano")
    assert profile.experts.ground.model == "grounding-nano"  # of policies/weights


def test_large_profiles_name_hub_models():
    assert load_profile("cpu").experts.ground.model == "IDEA-Research/grounding-dino-tiny"
    assert load_profile("gpu").experts.ground.model == "IDEA-Research/grounding-dino-base"
    assert isinstance(load_profile("api").controller, Chat)


def test_a_copy_of_a_built_in_file_is_the_same_profile(tmp_path):
    copy = write(tmp_path, (FOLDER / "cpu.toml").read_text(encoding="utf-8"))
    assert load_profile(copy) == load_profile("cpu").model_copy(update={"name": "mine"})
    assert load_profile(str(copy)).name == "mine"


def test_a_file_can_be_short(tmp_path):
    profile = load_profile(write(tmp_path, "max_rounds = 5"))
    assert profile == load_profile("nano").model_copy(
        update={"name": "mine", "max_rounds": 5, "description": "", "experts": profile.experts}
    )


def test_a_baseline_wraps_another_controller(tmp_path):
    text = "[controller]\nkind = 'never'\n[controller.controller]\nkind = 'chat'\nmodel = 'm'\n"
    controller = load_profile(write(tmp_path, text)).controller
    assert isinstance(controller, Fixed)
    assert controller.controller == Chat(model="m")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 'red'", "unknown key 'colour'"),
        ("[controller]\nkind = 'native'\nsize = 3", "unknown key 'controller.size'"),
        ("[controller]\nkind = 'magic'", "controller.kind: choose one of native"),
        ("[controller]\nweights = 'nano'", "controller.kind: choose one of native"),
        ("[controller]\nkind = 'chat'", "controller.model: field required"),
        ("[controller]\nkind = 'never'\n[controller.controller]\nkind = 'chat'", "controller.controller.model"),
        ("[experts.read]\nengine = 'tesseract'", "experts.read"),
        ("[experts.read]\nspeed = 3", "experts.read"),
        ("experts = 3", "experts"),
        ("[experts]\nspell = 3", "experts.spell"),
        ("threshold = 2", "threshold: "),
        ("max_rounds = 'many'", "max_rounds: "),
        ("timeout_s = -1", "timeout_s"),
        ("name = 'Not A Name'", "name"),
        ("max_rounds = ", "TOML"),
        ("\x00", "TOML"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(tmp_path, text, said):
    with pytest.raises(UsageError) as error:
        load_profile(write(tmp_path, text))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert "mine.toml" in str(error.value)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match="unknown profile 'nanoo'; choose nano, api, cpu, gpu"):
        load_profile("nanoo")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        load_profile(tmp_path / "gone.toml")


def test_a_folder_or_binary_file_is_a_usage_error(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="TOML"):
        load_profile(tmp_path / "binary.toml")
    with pytest.raises(UsageError, match="unknown profile"):
        load_profile(tmp_path)


def test_p2g_home_moves_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("P2G_HOME", str(tmp_path))
    assert p2g_home() == load_profile().home == tmp_path
    monkeypatch.setenv("P2G_HOME", "")
    assert p2g_home() == Path("~/.cache/p2g").expanduser()


def test_a_profile_survives_being_dumped():
    for name in profile_names():
        profile = load_profile(name)
        assert Profile.model_validate(profile.model_dump()) == profile
        assert Profile.model_validate_json(profile.model_dump_json()) == profile


def test_experts_of_nano_are_made_without_loading_models():
    experts = {tool.name: tool for tool in load_profile("nano").build_tools()}
    assert {"read", "ground", "zoom"} <= set(experts)
    assert experts["ground"].unavailable() is None  # its weights ship with the code
    assert experts["read"].unavailable() is None


def test_an_expert_can_be_left_out(tmp_path):
    profile = load_profile(write(tmp_path, "[experts]\nground = false\nread = false\nplugins = false\n"))
    assert [tool.name for tool in profile.build_tools()] == ["zoom"]


def test_an_expert_that_is_not_installed_is_named(tmp_path):
    profile = load_profile(write(tmp_path, "[experts.spell]\nlanguage = 'en'\n"))
    with pytest.raises(UsageError, match="spell"):
        profile.build_tools()


def test_results_are_kept_in_the_cache_directory_unless_told_otherwise(tmp_path):
    text = "timeout_s = {read = 9.5}\n[experts]\nground = false\nread = false\nplugins = false\n"
    profile = load_profile(write(tmp_path, text)).model_copy(update={"home": tmp_path})
    runner = profile.build_runner()
    assert runner.cache.file.is_relative_to(tmp_path)
    assert runner.timeout_s == {"read": 9.5}
    assert profile.model_copy(update={"keep_results": False}).build_runner().cache.file is None


def test_profile_files_are_toml_with_a_comment_that_says_what_they_are():
    for path in FOLDER.glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# ")
        assert "controller" in tomllib.loads(text)


def test_a_home_with_a_tilde_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "mine.toml"
    file.write_text('home = "~/models"')
    assert load_profile(file).home == tmp_path / "models"


def test_an_override_of_a_wrong_kind_is_a_usage_error(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[controller]\nkind = "chat"\nmodel = "m"\nbase_url = "http://127.0.0.1:9/v1"')
    with Agent.load(file, max_rounds=1) as agent:
        assert agent.limits.max_rounds == 1
    with pytest.raises(UsageError, match="profile mine: max_rounds: "):
        Agent.load(file, max_rounds=99)
