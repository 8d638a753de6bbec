"""What a server takes on: made once from the command line and passed down."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

MB = 1_000_000


class ServerSettings(BaseModel):
    """Everything has a limit. `running` None: as many questions at a time as the controller allows.

    `store` is the folder that conversations and their pictures are kept in, None: conversations last as long as the
    process. `tokens` are (name, SHA-256 of the token); without any everyone who reaches the server may ask.
    """

    model_config = ConfigDict(frozen=True)

    running: int | None = Field(default=None, ge=1)
    waiting: int = Field(default=32, ge=0)
    deadline_s: float = Field(default=120.0, gt=0)
    max_body: int = Field(default=64 * MB, ge=1000)
    max_bodies: int = Field(default=512 * MB, ge=1000)  # of all requests that are under way
    upload_s: float = Field(default=60.0, gt=0)
    header_s: float = Field(default=15.0, gt=0)
    max_picture: int = Field(default=20 * MB, ge=1000)
    max_pixels: int = Field(default=100 * MB, ge=1)
    kept_pictures: int = Field(default=300 * MB, ge=0)  # in memory, decoded
    fetch: bool = False
    fetch_s: float = Field(default=10.0, gt=0)
    store: Path | None = None
    keep_days: float = Field(default=30.0, gt=0)
    store_bytes: int = Field(default=2000 * MB, ge=MB)
    drain_s: float = Field(default=30.0, ge=0)
    tokens: tuple[tuple[str, str], ...] = ()
    connections: int = Field(default=512, ge=1)
