"""The contract between experts and everything else: `Region` out, `Tool` in, `Call` and `CallResult` around them.

An expert is one class: a name, a description, a pydantic `Args` model whose JSON schema is what controllers see,
`setup()` for the heavy work on first use, and `__call__`. The class is checked when it is made, so that a broken
plug-in fails at import with a sentence and not in the middle of a question (after smolagents' typed tools).
"""

from __future__ import annotations

import inspect
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tools.boxes import Box
from tools.errors import ExpertError
from tools.pictures import Picture

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
BoxArg = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=4, max_length=4)]
"""A box among `Args`: a list, because tool-calling APIs know arrays of numbers but not JSON-schema tuples."""
MAX_IMAGE_CHARS = 4_000_000
_setup_guard = threading.Lock()


class Region(BaseModel):
    """A box of the original image with what an expert says of it.

    `box` is `(x1, y1, x2, y2)` in pixels of the original, orientation-corrected image, float, half-open.
    `mask` is an optional COCO-style run-length encoding of the whole image. `source` names the expert.
    `image` is what the expert drew, a PNG or JPEG as data URL (`tools/drawings.py`): controllers that see pictures are
    shown it in place of the pixels in `box`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    box: Box
    label: str = ""
    score: float = Field(default=1.0, ge=0.0, le=1.0)
    text: str | None = None
    mask: dict[str, Any] | None = None
    source: str = ""
    image: str | None = Field(
        default=None, max_length=MAX_IMAGE_CHARS, pattern=r"^data:image/(png|jpeg);base64,[A-Za-z0-9+/]+=*$", repr=False
    )

    @field_validator("box")
    @classmethod
    def _ordered(cls, box: Box) -> Box:
        x1, y1, x2, y2 = box
        if not (x1 < x2 and y1 < y2):
            raise ValueError(f"box must have x1 < x2 and y1 < y2, got {box}")
        return box


class NoArgs(BaseModel):
    """For experts that take nothing but the picture."""

    model_config = ConfigDict(extra="forbid")


class Call(BaseModel):
    """One request to one expert; `args` are checked against the expert's `Args` before it runs."""

    expert: str
    args: dict[str, Any] = Field(default_factory=dict)


class CallResult(BaseModel):
    """What one call gave. Exactly one of `regions` (possibly empty) and `error` is meaningful; `ms` is wall time.

    `note` says in one line what was cut from the result (too many regions, too long texts), if anything was.
    """

    call: Call
    regions: list[Region] = Field(default_factory=list)
    error: str | None = None
    note: str | None = None
    ms: float = 0.0
    cached: bool = False


class Tool(ABC):
    """An expert. Subclass, set `name`, `description`, `Args`, implement `__call__`; nothing else is required.

    `version` is part of the result-cache key: raise it when results change. `timeout_s` bounds one call, loading not
    counted. Calls of one expert run concurrently unless `thread_safe` is False. With `by_default` False only those
    profiles have the expert that name it.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    Args: ClassVar[type[BaseModel]] = NoArgs
    version: ClassVar[str] = "1"
    timeout_s: ClassVar[float] = 60.0
    thread_safe: ClassVar[bool] = True
    by_default: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if inspect.isabstract(cls):
            return
        name = getattr(cls, "name", None)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise TypeError(f"{cls.__name__}.name must be lower-case letters, digits and _ (at most 32), got {name!r}")
        description = getattr(cls, "description", None)
        if not isinstance(description, str) or not 10 <= len(description.strip()) <= 600:
            raise TypeError(f"{cls.__name__}.description must be a sentence of 10 to 600 characters for the controller")
        if not (isinstance(cls.Args, type) and issubclass(cls.Args, BaseModel)):
            raise TypeError(f"{cls.__name__}.Args must be a pydantic model, got {cls.Args!r}")
        parameters = list(inspect.signature(cls.__call__).parameters)
        if len(parameters) != 3:
            raise TypeError(f"{cls.__name__}.__call__ must take (self, picture, args), got {parameters}")

    def unavailable(self) -> str | None:
        """None when the expert can run here; else one line: what is missing and how to get it. Must be cheap."""
        return None

    def meet(self, experts: Mapping[str, Tool]) -> None:  # noqa: B027 - most experts work alone
        """Called with all experts at hand, by name; for those that build on others, as `count` does on `ground`."""

    def setup(self) -> None:  # noqa: B027 - most experts have nothing to load
        """Load models; called once, before the first call, never at import."""

    def ready(self) -> None:
        """Run `setup()` if it has not succeeded yet; safe from several threads. Call this, not `setup()`.

        Raises `ExpertError` with the reason for an expert that is not available.
        """
        with _setup_guard:
            lock = self.__dict__.setdefault("_setup_lock", threading.Lock())
        with lock:
            if not self.__dict__.get("_is_set_up"):
                if reason := self.unavailable():
                    raise ExpertError(reason)
                self.setup()
                self.__dict__["_is_set_up"] = True

    def cache_key(self) -> str:
        """What results depend on besides picture and args; add the model or engine where an instance has a choice."""
        return self.version

    @abstractmethod
    def __call__(self, picture: Picture, args: Any) -> list[Region]:
        """Regions of `picture`; `args` is an instance of `Args`. May raise `ExpertError`."""

    @classmethod
    def parse(cls, args: dict[str, Any]) -> BaseModel:
        """Checked args. Raises `ExpertError` of one line that names the wrong field and what the expert takes."""
        try:
            return cls.Args.model_validate(args)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "args"
            takes = ", ".join(cls.Args.model_fields) or "no arguments"
            raise ExpertError(f"{cls.name}: {field}: {first['msg']}; it takes {takes}") from error

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """`{"name", "description", "parameters"}` with the JSON schema of `Args`, as tool-calling APIs take it."""
        return {"name": cls.name, "description": cls.description, "parameters": cls.Args.model_json_schema()}
