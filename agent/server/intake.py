"""How pictures come in: an upload, a data URL or, where it is allowed, an address; within limits from the first byte.

A picture asked about again is not decoded again; pictures of conversations are kept in files, the oldest go first.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from agent.server.errors import Refused
from agent.server.fetch import Fetcher
from agent.server.settings import ServerSettings
from tools.errors import PictureError
from tools.pictures import Picture, PictureLimits
from tools.remote.store import PictureStore


class Intake:
    """For one server. `folder` keeps the pictures of conversations; without it they last as long as the process."""

    def __init__(self, settings: ServerSettings, limits: PictureLimits, fetcher: Fetcher | None = None) -> None:
        self.settings, self.limits = settings, limits
        self.folder = settings.store / "pictures" if settings.store else None
        self.fetcher = fetcher or Fetcher(limits.max_bytes, settings.fetch_s)
        self._kept = PictureStore(settings.kept_pictures)

    async def data(self, given: str) -> bytes:
        """The encoded picture of a data URL or an address. Raises `Refused`."""
        if given[:5].lower() == "data:":
            return await asyncio.to_thread(self._decoded, given)
        if given[:7].lower() == "http://" or given[:8].lower() == "https://":
            if not self.settings.fetch:
                text = (
                    "this server does not fetch pictures; send a data URL (it may be started with --allow-picture-urls)"
                )
                raise Refused(400, "picture_urls_off", text, "picture")
            return await self.fetcher.get(given)
        raise Refused(400, "bad_picture", "the picture must be a data URL, data:image/png;base64,...", "picture")

    def opened(self, data: bytes, keep: bool) -> Picture:
        """The picture; with `keep` it is one with a path, for a conversation. Raises `Refused` and `PictureError`."""
        self._check(len(data))
        picture = Picture.open(data, self.limits)
        found = self._kept.get(picture.sha256)
        if found is not None and (not keep or self.folder is None or (found.path and found.path.is_file())):
            self._touch(found.path)
            return found
        if keep and self.folder is not None:
            picture = Picture.open(self._write(self.folder, picture.sha256, data), self.limits)
        with suppress(PictureError):  # larger than all that is kept: not kept
            self._kept.put(picture, len(data))
        return picture

    def from_conversation(self, path: str, sha256: str) -> Picture:
        """The picture that a conversation was about. Raises `Refused` when it is no longer here."""
        picture = self._kept.get(sha256)
        if picture is None:
            try:
                picture = Picture.open(Path(path) if path else b"", self.limits)
            except PictureError:
                gone = "the picture of this conversation is no longer here; send it again"
                raise Refused(400, "picture_gone", gone, "picture") from None
            with suppress(PictureError):
                self._kept.put(picture, 0)
        self._touch(picture.path)
        return picture

    def sweep(self, oldest: float, most_bytes: int) -> int:
        """Deletes pictures last used before `oldest` (seconds), then the oldest ones until `most_bytes` are left."""
        files = []
        for path in self.folder.iterdir() if self.folder is not None and self.folder.is_dir() else ():
            with suppress(OSError):
                found = path.stat()
                files.append((found.st_mtime, found.st_size, path))
        left = sum(size for _, size, _ in files)
        for changed, size, path in sorted(files):
            if changed >= oldest and left <= most_bytes:
                break
            path.unlink(missing_ok=True)
            left -= size
        return left

    def _decoded(self, given: str) -> bytes:
        head, _, encoded = given.partition(",")
        if not head.lower().endswith(";base64") or not encoded:
            raise Refused(400, "bad_picture", "the data URL is not base64: data:image/png;base64,...", "picture")
        self._check(len(encoded) * 3 // 4 - 2)
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise Refused(400, "bad_picture", "the data URL is not valid base64; send it again", "picture") from None

    def _check(self, size: int) -> None:
        if size > self.limits.max_bytes:
            most = f"over the limit of {self.limits.max_bytes / 1e6:.0f} MB"
            raise Refused(413, "too_large", f"the picture has {size / 1e6:.1f} MB, {most}; shrink it", "picture")

    def _write(self, folder: Path, sha256: str, data: bytes) -> Path:
        path = folder / sha256
        if not path.is_file():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                handle, name = tempfile.mkstemp(dir=folder)
                try:
                    with os.fdopen(handle, "wb") as file:
                        file.write(data)
                        file.flush()
                        os.fsync(file.fileno())
                    os.replace(name, path)
                except BaseException:
                    Path(name).unlink(missing_ok=True)
                    raise
            except OSError as error:
                text = f"the picture cannot be kept: {error.strerror}; ask without a thread_id, or tell the operator"
                raise Refused(503, "store_failed", text, retry_s=30) from None
        self._touch(path)
        return path

    def _touch(self, path: Path | None) -> None:
        if path is not None:
            with suppress(OSError):
                os.utime(path)
