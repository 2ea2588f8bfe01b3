"""Large JSON bodies: their vectors are taken out before the rest is parsed.

Parsed as all else they would be a Python object a number, made under the GIL: 16 MiB stop every
other thread of a server for a quarter of a second, and take ten times their size.
"""

import binascii
from typing import Final

import numpy as np

from longspan.cext.json import Outcome, take
from longspan.service.http.wire.form import Queries, wrong
from longspan.service.http.wire.limits import Limits
from longspan.service.http.wire.problems import Refused

LARGE: Final = 1 << 16  # bytes; what a smaller body holds is parsed as it is
_AT_ONCE = 1 << 18  # characters of base64 that are decoded in one call, which holds the GIL


def take_vectors(
    body: bytes, key: str, limits: Limits, *, many: bool
) -> tuple[bytes, Queries | memoryview]:
    """Return a body with an empty string for its vectors, and these: numbers, or base64.

    Refuses what is no JSON object with vectors of the index, or has much besides.
    """
    fit = min(limits.batch if many else 1, len(body) // (2 * limits.dim) + 1)
    out = np.empty((fit, limits.dim), np.float32)
    outcome, first, last, row, column = take(body, key.encode(), out, many)
    if outcome not in (Outcome.NUMBERS, Outcome.STRING):
        raise _refusal(outcome, key, limits, (last, row, column), many=many)
    rest = body[:first] + b'""' + body[last:]
    if len(rest) > LARGE:
        raise Refused(
            "too_large", f"{len(rest)} bytes besides the vectors, at most {LARGE} are read"
        )
    if outcome == Outcome.NUMBERS:
        return rest, out[:row]
    return rest, memoryview(body)[first + 1 : last - 1]  # a copy would be made under the GIL


def _refusal(
    outcome: Outcome, key: str, limits: Limits, at: tuple[int, int, int], *, many: bool
) -> Refused:
    """Return the refusal of a body whose vectors cannot be taken.

    at  the byte, and the row and the number in it, where it went wrong
    """
    byte, row, column = at
    vector = f"#/{key}/{row}" if many else f"#/{key}"
    match outcome:
        case Outcome.TOO_MANY:
            return Refused("too_large", f"more than {limits.batch} vectors in a batch")
        case Outcome.WRONG_DIM:
            what = f"{column} dims, index has {limits.dim}"
            return wrong(vector, what, code="wrong_dimension")
        case Outcome.NO_NUMBER:
            return wrong(f"{vector}/{column}", f"is no number at byte {byte}")
        case Outcome.NOT_FINITE:
            return wrong(f"{vector}/{column}", "is no finite number")
        case Outcome.OTHER:
            return wrong(f"#/{key}", "no array and no base64 in a large body")
        case _:
            return Refused("bad_json", f"no JSON object at byte {byte}")


def from_base64(text: bytes | memoryview, pointer: str) -> bytes:
    """Return the bytes in base64 of the standard alphabet, with padding, decoded piece by piece."""
    pieces = []
    for start in range(0, len(text), _AT_ONCE):
        piece = text[start : start + _AT_ONCE]
        try:
            pieces.append(binascii.a2b_base64(piece, strict_mode=True))
        except ValueError as exc:
            raise wrong(pointer, f"not base64: {exc}") from exc
        if len(pieces[-1]) < _AT_ONCE // 4 * 3 and start + _AT_ONCE < len(text):
            raise wrong(pointer, f"not base64: padding at {start + _AT_ONCE}, before its end")
    return b"".join(pieces)
