"""Experts are found through entry points of really installed packages; a broken plug-in harms nobody else."""

import sys

import pytest
from PIL import Image

from tools import Call, ExpertError, P2GError, Picture, Runner, Tool, UsageError, available_tools, load_tools

GOOD = """
from tools import Region, Tool

class Corner(Tool):
    name = "corner"
    description = "Marks the top left corner of the picture."

    def __init__(self, size=10.0):
        self.size = size

    def __call__(self, picture, args):
        return [Region(box=(0, 0, self.size, self.size), label="corner")]
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a distribution the way pip does: modules and a dist-info folder on the path."""

    def _install(name: str, modules: dict[str, str], entries: dict[str, str]) -> None:
        root = tmp_path / name
        info = root / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{entry} = {value}" for entry, value in entries.items()]
        (info / "entry_points.txt").write_text("[p2g.tools]\n" + "\n".join(lines) + "\n")
        for module, code in modules.items():
            (root / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(str(root))
        for module in modules:
            monkeypatch.delitem(sys.modules, module, raising=False)

    return _install


def test_the_built_in_experts_are_there():
    found = available_tools()
    assert {"read", "ground", "zoom"} <= set(found)
    assert all(issubclass(found[name], Tool) for name in ("read", "ground", "zoom"))
    assert [tool.name for tool in load_tools(["zoom", "read"])] == ["zoom", "read"]


def test_an_installed_plug_in_is_found_and_runs(install):
    install("p2g_corner", {"corner_expert": GOOD}, {"corner": "corner_expert:Corner"})
    tools = load_tools(["corner"], {"corner": {"size": 4.0}})
    result = Runner(tools).run(Picture.open(Image.new("RGB", (50, 50))), [Call(expert="corner")])[0]
    assert result.regions[0].box == (0, 0, 4, 4)
    assert result.regions[0].source == "corner"
    assert "corner" in [tool.name for tool in load_tools()]


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(UsageError, match=r"no expert 'red'; installed: .*ground.*read.*zoom"):
        load_tools(["red"])
    with pytest.raises(UsageError, match="no expert 'red'"):
        load_tools(["read"], {"red": {}})


@pytest.mark.parametrize(
    ("code", "entry", "words"),
    [
        ("import package_that_is_not_there", "broken:X", "package_that_is_not_there"),
        ("raise SystemExit('bye')", "broken:X", "SystemExit"),
        ("def f(:", "broken:X", "SyntaxError"),
        ("x = 1", "broken:X", "AttributeError"),
        ("x = 1", "broken:x", "not a subclass"),
        (GOOD, "broken:Corner", "make the two names equal"),
        (GOOD.replace('"corner"', '"Not A Name"'), "broken:Corner", "lower-case"),
    ],
)
def test_a_broken_plug_in_is_reported_and_the_others_work(install, caplog, code, entry, words):
    install("p2g_broken", {"broken": code}, {"broken": entry})
    found = available_tools()
    assert isinstance(found["broken"], P2GError)
    assert words in str(found["broken"])
    assert "\n" not in str(found["broken"])
    assert issubclass(found["zoom"], Tool)
    names = [tool.name for tool in load_tools()]
    assert "zoom" in names
    assert "broken" not in names
    assert words in caplog.text
    with pytest.raises(ExpertError, match="broken"):
        load_tools(["zoom", "broken"])


def test_two_packages_with_one_name_are_reported(install):
    install("p2g_first", {"first": GOOD}, {"corner": "first:Corner"})
    install("p2g_second", {"second": GOOD}, {"corner": "second:Corner"})
    assert "registered twice" in str(available_tools()["corner"])


def test_wrong_settings_are_a_usage_error():
    with pytest.raises(UsageError, match=r"'read'.*\(colour\)"):
        load_tools(["read"], {"read": {"colour": "red"}})
    with pytest.raises(UsageError, match="no engine 'tesseract'"):
        load_tools(["read"], {"read": {"engine": "tesseract"}})
