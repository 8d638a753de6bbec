"""What is installed here, what a profile needs, and the exact command for what it lacks. Loads no model.

Each check looks where the profile itself will look: packages, shipped weights, the cache directory, the hub cache, the
server's list of models.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from tools.errors import P2GError

if TYPE_CHECKING:
    from agent.profiles import Chat, Native, Profile

PACKAGES = [
    *("p2g", "torch", "transformers", "peft", "safetensors", "gguf", "langgraph", "langgraph-checkpoint-sqlite"),
    *("pydantic", "httpx", "pillow", "numpy", "rapidocr", "onnxruntime", "typer", "rich"),
    *("paddleocr", "paddlepaddle", "groundingdino-py", "torchvision", "accelerate", "ray", "openvino"),
]
LOCAL_MODEL = {"torch": "torch", "transformers": "transformers", "safetensors": "safetensors"}
INSTALL = "pip install -e . -c constraints.txt"


class Check(BaseModel):
    """One thing a profile needs: here or not, and the command that fixes it."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def installed() -> dict[str, str]:
    """Versions of Python and of the packages that matter, where they are installed."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def check_profile(profile: Profile) -> list[Check]:
    """All checks of one profile: its controller first, then each expert, then broken plug-ins."""
    return [*_controller(profile), *_experts(profile)]


def _controller(profile: Profile) -> Iterator[Check]:
    settings = profile.controller
    while settings.kind in {"never", "always"}:
        settings = settings.controller  # type: ignore[union-attr]
    if settings.kind == "native":
        yield from _native(settings, profile.home)
    elif settings.kind == "transformers":
        yield from _packages(LOCAL_MODEL)
        yield _model("controller", settings.model)
        yield from _device("controller", settings.device)
    elif settings.kind == "chat":
        yield _server(settings)


def _native(settings: Native, home: Path) -> Iterator[Check]:
    from policies.base_lm import NAME, base_lm_path, base_lm_ready
    from policies.nano import weights_path

    yield from _packages({**LOCAL_MODEL, "peft": "peft", "gguf": "gguf"})
    try:
        yield Check(name="weights", ok=True, detail=f"{settings.weights} in {weights_path(settings.weights)}")
    except P2GError as error:
        fix = "name a folder of weights in the profile; those of the repository: git checkout -- policies/weights"
        yield Check(name="weights", ok=False, detail=str(error), fix=fix)
    ready = base_lm_ready(home)
    yield Check(
        name="base model",
        ok=ready,
        detail=f"{NAME} in {base_lm_path(home)}" if ready else f"{NAME} is not in {home}",
        fix="p2g weights fetch",
    )


def _experts(profile: Profile) -> Iterator[Check]:
    from tools.registry import available_tools

    experts, read = profile.experts, []
    if experts.read:
        read = [*_packages({"rapidocr": "rapidocr", "onnxruntime": "onnxruntime", "opencv": "cv2"}, "read")]
        if experts.read.engine == "paddleocr":
            read += _packages({"paddleocr": "paddleocr"}, "read", "pip install -e '.[paddle]' -c constraints.txt")
        yield from read
    if experts.ground and experts.ground.model:
        yield from _packages(LOCAL_MODEL, "ground")
        yield _model("ground", experts.ground.model)
        yield from _device("ground", experts.ground.device)
    tables = experts.tables()
    broken = {name: str(found) for name, found in available_tools().items() if isinstance(found, P2GError)}
    for name, reason in broken.items():
        if tables.get(name) is not False:
            yield Check(name=name, ok=False, detail=reason, fix="repair the package that registers it, or uninstall it")
    if any(isinstance(tables.get(name), dict) for name in broken):
        return  # the profile names a broken expert: it cannot make its experts at all
    try:
        runner = profile.build_runner()
    except P2GError as error:
        yield Check(name="experts", ok=False, detail=str(error), fix="correct the profile's [experts] tables")
        return
    lacking = runner.unavailable()
    for tool in runner.tools.values():
        if experts.ground and tool.name == "ground":  # its model is checked above; none at all is the profile's choice
            if experts.ground.model is None:
                yield Check(name="ground", ok=True, detail="not part of this profile (no model)")
            continue
        if tool.name == "read" and not all(check.ok for check in read):
            continue
        lack = lacking.get(tool.name)
        yield Check(name=tool.name, ok=lack is None, detail=lack or "available")


def _packages(modules: dict[str, str], of: str = "controller", fix: str = INSTALL) -> Iterator[Check]:
    """One check for all packages that can be found, one for each that cannot."""
    missing = [name for name, module in modules.items() if find_spec(module) is None]
    if not missing:
        yield Check(name=f"{of} packages", ok=True, detail=", ".join(modules))
    for name in missing:
        yield Check(name=f"{of} packages", ok=False, detail=f"{name} is not installed", fix=fix)


def _model(of: str, model: str) -> Check:
    """A folder, or a hub model in the hub's cache."""
    if Path(model).expanduser().is_dir():
        return Check(name=f"{of} model", ok=True, detail=f"{model} (a folder)")
    from huggingface_hub import constants

    kept = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}" / "snapshots"
    there = kept.is_dir() and any(kept.glob("*/config.json"))
    where = "in the hub cache" if there else "is not in the hub cache; it is downloaded on first use"
    return Check(name=f"{of} model", ok=there, detail=f"{model} {where}", fix=f"hf download {model}")


def _device(of: str, device: str | None) -> Iterator[Check]:
    if not (device or "").startswith("cuda") or find_spec("torch") is None:
        return
    import torch

    there = torch.cuda.is_available()
    detail = torch.cuda.get_device_name() if there else f"no GPU that torch {torch.__version__} can use"
    yield Check(
        name=f"{of} device", ok=there, detail=detail, fix="install a CUDA build of torch, or use `--profile cpu`"
    )


def _server(settings: Chat) -> Check:
    """Asks the server for its models; three seconds at most."""
    import httpx

    key = os.environ.get(settings.api_key_env)
    start = f"vllm serve {settings.model}  (or set base_url in a copy of the profile)"
    try:
        reply = httpx.get(
            f"{settings.base_url.rstrip('/')}/models",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=3.0,
        )
        names = [item["id"] for item in reply.json()["data"]] if reply.status_code == 200 else []
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        detail = f"{settings.base_url} does not answer ({type(error).__name__})"
        return Check(name="server", ok=False, detail=detail, fix=start)
    except (ValueError, KeyError, TypeError):
        return Check(
            name="server", ok=False, detail=f"{settings.base_url} is not an OpenAI-compatible server", fix=start
        )
    if reply.status_code in {401, 403}:
        fix = f"export {settings.api_key_env}=<your key>"
        return Check(name="server", ok=False, detail=f"{settings.base_url} refuses the key", fix=fix)
    if reply.status_code != 200:
        detail = f"{settings.base_url} answers with HTTP {reply.status_code}"
        return Check(name="server", ok=False, detail=detail, fix=start)
    if settings.model not in names:
        detail = f"{settings.base_url} has no model {settings.model!r} (it has {', '.join(names[:5]) or 'none'})"
        return Check(name="server", ok=False, detail=detail, fix="name one of its models in a copy of the profile")
    return Check(name="server", ok=True, detail=f"{settings.model} at {settings.base_url}")
