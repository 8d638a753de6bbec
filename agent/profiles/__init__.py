"""Profiles: which controller, which experts, which limits. The built-in ones are the TOML files beside this module.

A profile is read once, at the edge, into typed settings; nothing below it reads files or the environment. Copy
`nano.toml` to make your own and give its path wherever a profile's name is asked for.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tools.errors import UsageError
from tools.mcp.settings import McpSettings

if TYPE_CHECKING:
    from agent.types import Controller
    from tools.base import Tool
    from tools.runner import Runner

FOLDER = Path(__file__).parent
DEFAULT = "nano"
KINDS = ("native", "chat", "transformers", "never", "always")


def p2g_home() -> Path:
    """Where models and results are kept: `P2G_HOME`, or `~/.cache/p2g`. The one place that reads the variable."""
    return Path(os.environ.get("P2G_HOME") or "~/.cache/p2g").expanduser()


class Settings(BaseModel):
    """A table of a profile: typed, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Native(Settings):
    """The controller of this project. `weights` is a folder of `policies/weights` by name, or any path.

    The other settings are those of `NativeController`; `region_pathway` and `allocation` are for comparisons.
    """

    kind: Literal["native"] = "native"
    weights: str = "nano"
    context: Literal["paper", "append"] = "paper"
    region_pathway: Literal["crop", "roi_align", "hybrid"] | None = None
    allocation: Literal["rule", "mlp", "resampler"] | None = None
    max_regions: int = Field(default=16, ge=1, le=256)
    device: str = "cpu"

    def build(self, home: Path) -> Controller:
        from agent.controllers.native import NativeController

        return NativeController(home=home, **self.model_dump(exclude={"kind"}))


class Chat(Settings):
    """An OpenAI-compatible server. The key is read from the environment variable `api_key_env` when it is set.

    Pictures are sent with a longer side of at most `max_side` pixels, encoded in at most `max_bytes`.
    """

    kind: Literal["chat"] = "chat"
    base_url: str = "https://api.openai.com/v1"
    model: str
    api_key_env: str = "OPENAI_API_KEY"
    timeout_s: float = Field(default=120.0, gt=0)
    max_retries: int = Field(default=3, ge=0, le=10)
    max_side: int = Field(default=1536, ge=64)
    max_bytes: int = Field(default=4_000_000, ge=1000)
    max_tokens: int = Field(default=1024, ge=16)

    def build(self, home: Path) -> Controller:
        from agent.controllers.chat import ChatController

        limits = self.model_dump(include={"timeout_s", "max_retries", "max_side", "max_bytes", "max_tokens"})
        return ChatController(self.base_url, self.model, api_key=os.environ.get(self.api_key_env), **limits)


class Transformers(Settings):
    """A local chat VLM: a hub name or a folder. `device` auto takes a GPU when there is one."""

    kind: Literal["transformers"] = "transformers"
    model: str
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_pixels: int = Field(default=1_500_000, ge=1)
    max_new_tokens: int = Field(default=256, ge=16)

    def build(self, home: Path) -> Controller:
        from agent.controllers.local import LocalController

        return LocalController(**self.model_dump(exclude={"kind"}))


class Fixed(Settings):
    """A baseline around another controller: it answers, but when to call is fixed."""

    kind: Literal["never", "always"]
    controller: ControllerSettings

    def build(self, home: Path) -> Controller:
        from agent.controllers.fixed import Always, Never

        wrap = Never if self.kind == "never" else Always
        return wrap(self.controller.build(home))


ControllerSettings = Annotated[Native | Chat | Transformers | Fixed, Field(discriminator="kind")]


class ReadSettings(Settings):
    """Expert `read`: which OCR engine runs the PP-OCRv6 weights, with how many threads (None: all cores)."""

    engine: Literal["rapidocr", "openvino", "paddleocr"] = "rapidocr"
    threads: int | None = Field(default=None, ge=1)


class GroundSettings(Settings):
    """Expert `ground`: a Grounding DINO by hub name or folder, or one of `policies/weights` by name; without one the
    expert says that it is not available.

    `threshold`, `device` and `max_slices` None are the expert's own choice.
    """

    model: str | None = None
    threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    device: str | None = None
    max_slices: int | None = Field(default=None, ge=1)


class Experts(BaseModel):
    """Settings of each expert; `name = false` leaves it out. Other names are plug-ins: their constructor's keywords.

    Every installed plug-in takes part in every profile, unless it is one that wants to be named (`Tool.by_default`);
    `plugins = false` keeps out all that are not named.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, dict[str, Any] | Literal[False]]

    read: ReadSettings | Literal[False] = ReadSettings()
    ground: GroundSettings | Literal[False] = GroundSettings()
    zoom: Settings | Literal[False] = Settings()
    plugins: bool = True

    def tables(self) -> dict[str, dict[str, Any] | Literal[False]]:
        """Constructor arguments by expert name, False for those left out."""
        tables = self.model_dump(exclude_none=True, exclude={"plugins"})
        if isinstance(self.ground, GroundSettings) and self.ground.model and "/" not in self.ground.model:
            from policies.nano import shipped

            tables["ground"]["model"] = str(shipped(self.ground.model))
        return tables


class RemoteSettings(Settings):
    """An expert of another process: the address of its server (`p2g tools serve`), and its name there if it is another.

    The token is read from the environment variable `token_env` when it is set; `timeout_s` None is the expert's own
    time limit.
    """

    url: str
    expert: str | None = None
    token_env: str = "P2G_TOKEN"
    timeout_s: float | None = Field(default=None, gt=0)


class Profile(Settings):
    """A named set-up.

    `remote` names experts of other processes, by address or by `RemoteSettings`; they replace those of this process.
    `mcp` names MCP servers; every tool of one is an expert called NAME_tool.
    `threshold` None is the one that ships with the controller; `timeout_s` bounds an expert call, for all or by name;
    `home` is the cache directory, where experts' results are kept unless `keep_results` is false.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    description: str = ""
    controller: ControllerSettings = Native()
    experts: Experts = Experts()
    remote: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], RemoteSettings] = Field(default_factory=dict)
    mcp: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,15}$")], McpSettings] = Field(default_factory=dict)
    threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    max_rounds: int = Field(default=2, ge=0, le=16)
    max_pixels: int = Field(default=200_000_000, ge=1)
    max_bytes: int = Field(default=200_000_000, ge=1)
    timeout_s: Annotated[float, Field(gt=0)] | dict[str, Annotated[float, Field(gt=0)]] | None = None
    keep_results: bool = True
    home: Path = Field(default_factory=p2g_home)

    @field_validator("remote", mode="before")
    @classmethod
    def _addresses(cls, remote: Any) -> Any:
        tables = remote.items() if isinstance(remote, dict) else []
        return {name: {"url": table} if isinstance(table, str) else table for name, table in tables} or remote

    @model_validator(mode="before")
    @classmethod
    def _remote_replaces_local(cls, data: dict[str, Any]) -> dict[str, Any]:
        remote, experts = data.get("remote"), data.get("experts", {})
        experts = experts.model_dump() if isinstance(experts, Experts) else experts
        if not (remote and isinstance(remote, dict) and isinstance(experts, dict)):
            return data
        return {**data, "experts": {**experts, **{name: False for name in remote if name != "plugins"}}}

    @field_validator("home")
    @classmethod
    def _expanded(cls, home: Path) -> Path:
        return home.expanduser()

    def replaced(self, changes: dict[str, Any]) -> Profile:
        """The same profile with other values in these fields. Raises `UsageError`."""
        return _checked(f"profile {self.name}", {**self.model_dump(), **changes})

    def build_controller(self) -> Controller:
        """The controller, made now; raises `ControllerError` when it cannot be."""
        return self.controller.build(self.home)

    def build_tools(self) -> list[Tool]:
        """The experts, not yet set up. Raises `UsageError` for one not installed or settings it rejects."""
        from tools.registry import available_tools, load_tools

        tables = self.experts.tables()
        settings = {name: table for name, table in tables.items() if table is not False}
        plugins = [
            name
            for name, found in available_tools().items()
            if isinstance(found, type) and found.by_default and name not in tables
        ]
        return [
            *load_tools([*settings, *(plugins if self.experts.plugins else [])], settings),
            *self.build_remote_tools(),
            *self.build_mcp_tools(),
        ]

    def build_mcp_tools(self) -> list[Tool]:
        """The tools of the MCP servers, asked for now; a server that is away is an expert that says so."""
        from tools.mcp.experts import mcp_experts

        return [tool for name, server in self.mcp.items() for tool in mcp_experts(name, server, os.environ)]

    def build_remote_tools(self) -> list[Tool]:
        """The experts of other processes, not yet asked for; those of one server share its connection."""
        from tools.remote.client import remote_tool
        from tools.remote.connection import Connection

        servers: dict[tuple[str, str], Connection] = {}
        for remote in self.remote.values():
            address = remote.url, remote.token_env
            servers.setdefault(address, Connection(remote.url, os.environ.get(remote.token_env)))
        return [
            remote_tool(name, servers[remote.url, remote.token_env], remote.timeout_s, remote.expert)
            for name, remote in self.remote.items()
        ]

    def build_runner(self) -> Runner:
        """The experts with their time limits and result cache."""
        from tools.cache import ResultCache
        from tools.runner import Runner

        cache = ResultCache(self.home / "results" if self.keep_results else None)
        return Runner(self.build_tools(), cache=cache, timeout_s=self.timeout_s)


def profile_names() -> list[str]:
    """The built-in profiles, the default one first."""
    names = sorted(path.stem for path in FOLDER.glob("*.toml"))
    return sorted(names, key=lambda name: name != DEFAULT)


def load_profile(name_or_path: str | Path = DEFAULT) -> Profile:
    """A built-in profile by name, or one from a TOML file. Raises `UsageError`."""
    text = str(name_or_path)
    path = FOLDER / f"{text}.toml" if text in profile_names() else Path(text).expanduser()
    if not path.is_file():
        if path.suffix == ".toml":
            raise UsageError(f"profile file {text} does not exist; check the path")
        raise UsageError(f"unknown profile {text!r}; choose {', '.join(profile_names())}, or the path of a .toml file")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"profile {text} cannot be read as TOML: {str(error).splitlines()[0]}") from None
    return _checked(f"profile {text}", {"name": path.stem, **data})


def _checked(what: str, data: dict[str, Any]) -> Profile:
    try:
        return Profile.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"{what}: {_first_problem(error)}") from None


def _first_problem(error: ValidationError) -> str:
    """The first problem of a profile as `key: what is wrong with it`."""
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"] if part not in KINDS)
    if problem["type"].startswith("union_tag"):
        return f"{key}.kind: choose one of {', '.join(KINDS)}"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; remove it or check its spelling"
    return f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
