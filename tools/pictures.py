"""PLACEHOLDER docstring: the one place that opens pictures (owner fills in)."""

from __future__ import annotations


class Picture:
    """See owner."""
