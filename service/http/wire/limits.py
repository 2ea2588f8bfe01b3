"""The most that one request may ask of an index: what a server allows, and what the index needs.

They are known before a body is read, and are plain numbers, so that a body can be decoded in
another process.
"""

from dataclasses import dataclass
from typing import Final

from longspan.service.http.wire.media import JSON, Media
from longspan.service.search.index import Index

MAX_HITS: Final = 1 << 18  # k of all queries of a request together: 12 MB of JSON
MAX_OBJECTS: Final = 1 << 15  # hits with payload: each may be two pages of the disk
MAX_READS: Final = 1 << 20  # probes, or depth, of all queries together

_NUMBER = 32  # bytes that a number takes in JSON, with all its digits and on a line of its own
_ITEM = 4  # bytes that it takes in a raw body, at most
_SLACK = 1 << 20  # bytes of a body besides its numbers


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask of one index.

    dim, dtype     of its vectors
    batch          most vectors
    body_bytes     largest body of any form, as the server was told
    payload_bytes  most payload in an answer
    hits           most of all queries together
    objects        most hits with payload
    reads          most postings, or candidates, of all queries together, where the client says
    """

    dim: int
    dtype: str
    batch: int
    body_bytes: int
    payload_bytes: int
    hits: int = MAX_HITS
    objects: int = MAX_OBJECTS
    reads: int = MAX_READS

    def body(self, media: Media) -> int:
        """Return the largest body of a media type in bytes: what a full batch needs."""
        number = _NUMBER if media == JSON else _ITEM
        return min(self.body_bytes, self.batch * self.dim * number + _SLACK)


def limits_for(index: Index, *, max_body: int, max_batch: int, max_payload: int) -> Limits:
    """Return what one request may ask of an index of a server with these settings."""
    return Limits(index.dim, index.dtype_name, max_batch, max_body, max_payload)
