"""The one exception family. Every message is a single line that says what was wrong, with which input, and what to do.

The CLI turns any `P2GError` into that line and `exit_code`; a traceback is for our own bugs only.
"""


class P2GError(Exception):
    """Base of every error a user can act on."""

    exit_code = 1


class UsageError(P2GError):
    """A wrong option, argument, profile or file format (exit code 2)."""

    exit_code = 2


class PictureError(P2GError):
    """A picture that cannot be opened: missing, not an image, truncated, over a limit (exit code 3)."""

    exit_code = 3


class ExpertError(P2GError):
    """An expert that is not available, crashed, timed out or returned too much (exit code 4)."""

    exit_code = 4


class ControllerError(P2GError):
    """A controller that cannot be loaded or reached, or whose reply cannot be used (exit code 5)."""

    exit_code = 5


class TrainingError(P2GError):
    """A training run that cannot go on: data, disk, a loss that is no number (exit code 6)."""

    exit_code = 6


class StoreError(P2GError):
    """Conversations that cannot be kept or found: the disk is full, their file is locked or damaged."""
