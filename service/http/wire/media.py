"""Media types: which kind of body came, and which kind of answer is wanted."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

from longspan.service.http.wire.problems import Refused

JSON: Final = "application/json"
RAW: Final = "application/octet-stream"
Media = Literal["application/json", "application/octet-stream"]


_LONGEST = 1024  # characters of a header that is read here
_SHOWN = 80  # of one that an error shows


def media_of(headers: Mapping[str, str]) -> tuple[Media, Media]:
    """Return the media types of a request's body, and of the answer that is wanted.

    Refuses what is not read here, compressed bodies too, and headers of more than 1,024 characters.
    """
    kind, accept = headers.get("content-type"), headers.get("accept")
    encoding = headers.get("content-encoding", "identity")
    if max(map(len, (kind or "", accept or "", encoding))) > _LONGEST:
        raise Refused(
            "bad_request", f"Content-Type, -Encoding or Accept has over {_LONGEST} characters"
        )
    if encoding.strip().lower() not in ("identity", ""):
        raise Refused(
            "wrong_content_type",
            f"Content-Encoding is {_shown(encoding)}, bodies are read as they are: send none",
            headers={"Accept-Encoding": "identity"},
        )
    return body_media(kind), answer_media(accept)


@lru_cache(maxsize=256)
def body_media(content_type: str | None) -> Media:
    """Return the media type of a body from its Content-Type; parameters do not matter."""
    name = (content_type or "").partition(";")[0].strip().lower()
    if name == JSON:
        return JSON
    if name == RAW:
        return RAW
    raise Refused(
        "wrong_content_type", f"Content-Type is {_shown(content_type)}, want {JSON} or {RAW}"
    )


@lru_cache(maxsize=256)
def answer_media(accept: str | None) -> Media:
    """Return the media type that an Accept header likes better; JSON when both are as good."""
    liked = dict(map(_quality, (accept or "*/*").split(",")))
    fallback = liked.get("application/*", liked.get("*/*", 0.0))
    json, raw = liked.get(JSON, fallback), liked.get(RAW, fallback)
    if max(json, raw) <= 0:
        raise Refused(
            "not_acceptable", f"Accept is {_shown(accept)}, the answer is {JSON} or {RAW}"
        )
    return RAW if raw > json else JSON


def _quality(choice: str) -> tuple[str, float]:
    """Return a media range and how well it is liked: `a/b;q=0.5` -> ("a/b", 0.5)."""
    name, *parameters = (part.strip().lower() for part in choice.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


def _shown(header: str | None) -> str | None:
    """Return a header as an error shows it: its beginning when it is long."""
    return header if header is None or len(header) <= _SHOWN else f"{header[:_SHOWN]}..."
