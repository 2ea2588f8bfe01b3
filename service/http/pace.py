"""How fast large bodies are read: so fast that all of them leave the event loop time for the rest.

A socket gives a quarter of a megabyte at a time, which takes the event loop 0.1 to 0.3 ms: with
64 clients that send as fast as they can, one round of the loop took 20 ms and more. So whoever has
read a piece waits for his turn to read the next.
"""

import asyncio
from typing import Final

SMALL: Final = 64 << 10  # bytes of a body that needs no care: a query nearly always
RATE: Final = 128 << 20  # bytes a second of all bodies together: a batch takes longer to search
AHEAD: Final = 1 << 20  # bytes that may come at once when nothing came before


class Pace:
    """One pace for all who read."""

    def __init__(self) -> None:
        self._next = 0.0  # when what was read so far should have come

    async def keep(self, size: int) -> None:
        """Return when it is time to go on, after so many bytes."""
        now = asyncio.get_running_loop().time()
        self._next = max(self._next, now - AHEAD / RATE) + size / RATE
        if self._next > now:
            await asyncio.sleep(self._next - now)
