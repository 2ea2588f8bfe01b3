"""The three streams of a process, any of which may be gone.

A terminal that has gone, a closed pipe and a full disk behind stderr lose messages, never the work.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class Lossy(io.RawIOBase):
    """A stream whose writes never fail: what the descriptor does not take is lost."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def write(self, data: Any) -> int:
        """Write what can be written; return the length of all."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            pass
        return memoryview(data).nbytes

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Return True."""
        return True


def lossy(descriptor: int) -> TextIO:
    """Return a text stream that writes a line at a time and never fails."""
    return io.TextIOWrapper(
        io.BufferedWriter(Lossy(descriptor)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


@contextmanager
def dependable_streams() -> Iterator[None]:
    """Let stderr lose what cannot be written, and stdout give names in the bytes that they have.

    Streams that a caller has put in the place of the process's own stay as they are.
    """
    fill_descriptors()
    before = sys.stderr
    if before is sys.__stderr__:
        sys.stderr = lossy(2)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        yield
    finally:
        sys.stderr = before
        try:
            sys.stdout.flush()
        except (AttributeError, OSError, ValueError):
            sys.stdout = None  # else Python says once more, when it ends, that it cannot be flushed


def fill_descriptors() -> None:
    """Open what is closed of the first three, so that no file of ours is taken for stderr."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
