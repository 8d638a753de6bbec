"""The page's own routes: its files, what it is told about the server, samples, previews, the evidence picture.

Questions go to the server's `/v1/ask` like everyone else's. The policy forbids all but the page's own scripts, and the
page only ever shows words of pictures and models as text.
"""

from __future__ import annotations

import asyncio
import io
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, Response

from agent.many_rows import PICTURES
from agent.server.errors import Refused
from agent.server.wire import GivenRegion
from tools.pictures import Picture, PictureLimits

if TYPE_CHECKING:
    from agent.agent import Agent
    from agent.server.service import Service

STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
PREVIEW_SIDE, THUMBNAIL_SIDE, EVIDENCE_SIDE = 4000, 240, 2000
MAX_TITLE = 600
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}


class EvidenceRequest(BaseModel):
    """A picture (data URL), and what is drawn on it and written beside it."""

    model_config = ConfigDict(extra="forbid")

    picture: str
    regions: list[GivenRegion] = Field(default_factory=list, max_length=1000)
    title: str = ""


def include_page(app: FastAPI, service: Service, samples: Path | None = None) -> None:
    """Adds the page at `/`; the pictures in the folder `samples` are offered to begin with."""
    offered = {path.name: path for path in pictures_in(samples)}
    for path in sorted(STATIC.iterdir()):
        if path.suffix in TYPES:
            add_file(app, "/" if path.name == "index.html" else f"/{path.name}", path)

    @app.get("/page/info", include_in_schema=False)
    async def info() -> dict[str, Any]:
        """What the page says about this server. `waiting` is why no question can be answered yet."""
        name, offer = next(iter(service.offers.items()))
        about: dict[str, Any] = {"profile": name, "waiting": service.not_ready(), "failed": offer.failure is not None}
        about |= {"samples": list(offered), "threshold": None, "experts": []}
        if offer.agent is not None:
            about["threshold"] = own_threshold(offer.agent)
            about["experts"] = [
                {"name": schema["name"], "description": schema["description"]}
                for schema in offer.agent.runner.schemas()
            ]
        return about

    @app.get("/page/samples/{name}", include_in_schema=False)
    async def sample(name: str) -> Response:
        if name not in offered:
            raise Refused(404, "no_such_sample", "there is no such sample; reload the page")
        return FileResponse(offered[name], media_type=mimetypes.guess_type(name)[0], headers=HEADERS)

    @app.get("/page/thumbnails/{name}", include_in_schema=False)
    async def thumbnail(name: str) -> Response:
        if name not in offered:
            raise Refused(404, "no_such_sample", "there is no such sample; reload the page")
        data = await asyncio.to_thread(thumbnail_of, offered[name])
        return Response(data, media_type="image/jpeg", headers={**HEADERS, "Cache-Control": "max-age=3600"})

    @app.post("/page/preview", include_in_schema=False)
    async def preview(request: Request) -> Response:
        """The picture in the body as one that every browser can show."""
        data = await request.body()
        picture, image = await asyncio.to_thread(previewed, data, service.intake.limits)
        size = f"{picture.width}x{picture.height}"
        return Response(image, media_type="image/jpeg", headers={**HEADERS, "X-Picture-Size": size})

    @app.post("/page/evidence", include_in_schema=False)
    async def evidence(body: EvidenceRequest) -> Response:
        data = await service.intake.data(body.picture)
        image = await asyncio.to_thread(drawn, data, body, service.intake.limits)
        return Response(image, media_type="image/png", headers=HEADERS)


def add_file(app: FastAPI, route: str, path: Path) -> None:
    media_type = TYPES[path.suffix]

    async def file() -> Response:
        return FileResponse(path, media_type=media_type, headers=HEADERS)

    app.add_api_route(route, file, methods=["GET"], include_in_schema=False)


def pictures_in(folder: Path | None) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file())


def own_threshold(agent: Agent) -> float | None:
    """The threshold that is used when a question names none, where it is known."""
    own = agent.threshold if agent.threshold is not None else getattr(agent.controller, "threshold", None)
    return own if isinstance(own, float | int) else None


@lru_cache(maxsize=256)
def thumbnail_of(path: Path) -> bytes:
    return jpeg(Picture.open(path), THUMBNAIL_SIDE)


def previewed(data: bytes, limits: PictureLimits) -> tuple[Picture, bytes]:
    picture = Picture.open(data, limits)
    return picture, jpeg(picture, PREVIEW_SIDE)


def jpeg(picture: Picture, side: int) -> bytes:
    out = io.BytesIO()
    picture.thumbnail(side).save(out, "JPEG", quality=88)
    return out.getvalue()


def drawn(data: bytes, body: EvidenceRequest, limits: PictureLimits) -> bytes:
    from agent.evidence import draw_evidence

    out, regions = io.BytesIO(), [given.region() for given in body.regions]
    draw_evidence(Picture.open(data, limits), regions, body.title[:MAX_TITLE], EVIDENCE_SIDE).save(out, "PNG")
    return out.getvalue()
