"""One hash over everything that decides what a source of training trees gives."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, is_dataclass

from policies.text.protocol import Protocol

SAMPLE = "<|im_start|>user\n<image>\nRegions:\nred car <|region|> at [0.125,0.250,0.500,1.000]\n"


def digest_of(name: str, version: int, protocol: Protocol, *parts: object) -> str:
    """SHA-256 over a source's name, the version of its code, how its tokenizer writes, and its settings."""
    plain = [asdict(part) if is_dataclass(part) and not isinstance(part, type) else part for part in parts]
    text = json.dumps([name, version, protocol.encode(SAMPLE), plain], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
