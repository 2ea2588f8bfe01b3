"""The server's settings: the LONGSPAN_* variables, read once, in `read_settings`."""

import logging
import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from longspan.indexer.bounds import MOST_BYTES
from longspan.indexer.errors import BadConfig
from longspan.indexer.sizes import parse_size
from longspan.service.search import cgroup

PREFIX = "LONGSPAN_"
OTHERS = ("LONGSPAN_SIMD",)  # read elsewhere
_AS_JSON = {"indexes": 'list of "[NAME=]PATH"', "shares": "object of bytes by name"}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_log = logging.getLogger(__name__)


def named_index(text: str) -> tuple[str, Path]:
    """Return the name and the directory that `[NAME=]PATH` stands for.

    Without a name it is the directory's own. BadConfig when the name could not be part of a URL:
    only letters, digits, "_", "." and "-", at most 64 of them.
    """
    name, equals, path = text.partition("=")
    if not equals or "/" in name:  # ./a=b is a path
        name, path = "", text
    if not path:
        raise BadConfig(f"{text!r}: an empty name, wanted [NAME=]PATH")
    return checked_name(name or Path(path).resolve().name, text), Path(path)


def checked_name(name: str, text: str) -> str:
    """Return the name; BadConfig, naming the argument it came from, when it is not allowed."""
    if not _NAME.fullmatch(name) or set(name) == {"."}:
        raise BadConfig(
            f'{text}: "{name}" cannot name an index, want 1 to 64 of A-Z a-z 0-9 _ . -'
            " (NAME=PATH gives one)"
        )
    return name


def by_name(indexes: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Return the indexes by name; BadConfig when two share one."""
    found: dict[str, Path] = {}
    for name, path in indexes:
        if name in found:
            raise BadConfig(f"two indexes are named {name}: {found[name]} and {path}")
        found[name] = path
    return found


def _indexes(value: Any) -> Any:
    """Turn a list of `[NAME=]PATH` into a dict; leave what is none to pydantic's own check."""
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return by_name(named_index(text) for text in value)
    if isinstance(value, dict):
        return {checked_name(str(name), f"{name}={path}"): path for name, path in value.items()}
    return value


def _size(value: Any) -> Any:
    """Turn 4GiB and the like into bytes."""
    return parse_size(value) if isinstance(value, str) else value


def _threads() -> int:
    """Return the cores that this process may use, two at least: one may be waiting for the disk."""
    quota = cgroup.limits().cores
    cores = len(os.sched_getaffinity(0))
    return max(2, cores if quota is None else min(cores, ceil(quota)))


class Settings(BaseSettings):
    """What one server process serves, and how much at once."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    indexes: Annotated[dict[str, Path], BeforeValidator(_indexes)] = Field(
        min_length=1, description='indexes to serve: a JSON list of "[NAME=]PATH"'
    )
    threads: int = Field(
        default_factory=_threads, ge=1, le=256, description="searches run at once, in each worker"
    )
    memory: Annotated[int | None, BeforeValidator(_size)] = Field(
        default=None,
        description="most of the indexes to keep in memory, such as `4GiB` (`serve --memory`)",
    )
    shares: dict[str, Annotated[int, Field(ge=0, le=MOST_BYTES)]] | None = Field(
        default=None,
        description="bytes of each index by name, a JSON object, in place of `LONGSPAN_MEMORY`:"
        " `serve` divides that once and tells its workers",
    )
    ready: Literal["all", "any"] = Field(
        default="all", description="which indexes must be open for `/readyz` to pass: all, or any"
    )
    queue: int = Field(
        default=256,
        ge=0,
        le=65536,
        description="searches that may wait for a thread; more get a 503",
    )
    max_body: int = Field(
        default=32 * 2**20, ge=1024, le=2**31, description="largest request body, in bytes"
    )
    max_bodies: int = Field(
        default=128 * 2**20,
        ge=2**20,
        le=2**40,
        description="most bytes of request bodies in memory at once, those of 64 KiB aside",
    )
    body_seconds: float = Field(
        default=30, gt=0, le=3600, description="time that a request's head may take, then its body"
    )
    grace: int = Field(
        default=20,
        ge=1,
        le=3600,
        description="seconds that searches under way get when the server is told to stop",
    )
    max_batch: int = Field(default=1024, ge=1, le=2**20, description="most vectors in a batch")
    max_payload: int = Field(
        default=32 * 2**20, ge=1024, le=2**31, description="most payload in an answer, in bytes"
    )


def read_settings() -> Settings:
    """Read the environment; BadConfig names the variable that is wrong or missing.

    One that nobody reads is logged: it may be misspelt, or an orchestrator's, which names variables
    after services.
    """
    known = {*OTHERS, *(PREFIX + name.upper() for name in Settings.model_fields)}
    for name in sorted(name for name in os.environ if name.startswith(PREFIX)):
        if name not in known and (near := get_close_matches(name, known, 1, 0.85)):
            _log.warning("%s is set, which nothing reads; is %s meant?", name, near[0])
    try:
        return Settings()  # type: ignore[call-arg]  # its fields come from the environment
    except SettingsError as exc:  # of what is parsed before pydantic sees it, which it names
        named = next(name for name in _AS_JSON if f'"{name}"' in str(exc))
        variable = PREFIX + named.upper()
        found = os.environ[variable]
        raise BadConfig(f"{variable}: {found} is not a JSON {_AS_JSON[named]}") from exc
    except ValidationError as exc:
        wrong = exc.errors()[0]
        variable = PREFIX + str(wrong["loc"][0]).upper()
        found = "" if wrong["type"] == "missing" else f" (found {wrong['input']!r})"
        raise BadConfig(f"{variable}: {wrong['msg']}{found}") from exc
