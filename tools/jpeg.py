"""Counts the scans of a JPEG: a few hundred kilobytes can hold thousands, each of which decodes the whole picture anew.

Cameras and encoders write one to about fifteen (ITU-T T.81, annex G: a progressive picture has a scan for each step).
"""

from __future__ import annotations

import re

MAX_SCANS = 100
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd8\xff]", re.DOTALL)  # no stuffed byte, restart or start


def scans(data: bytes, most: int = MAX_SCANS) -> int:
    """The scans from the start to the end-of-image marker; counts no further than `most` + 1."""
    count = at = 0
    while count <= most and (marker := _MARKER.search(data, at)):
        kind, at = marker[0][-1], marker.end()
        if kind == 0xD9:
            break
        count += kind == 0xDA
        if kind != 0x01:  # all others say how long they are
            at += int.from_bytes(data[at : at + 2], "big")
    return count
