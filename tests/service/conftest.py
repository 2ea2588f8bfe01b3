"""One server process for all tests of HTTP, with an index of each kind."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import BuildIndex
from tests.service.serving import serving

# name in the URL: metric and dtype of `tiny_index`
KINDS = {"floats": ("l2", "f32"), "bytes": ("l2", "u8"), "angles": ("cosine", "f16")}
MAX_BODY = 2**18
MAX_BATCH = 64
MAX_PAYLOAD = 2**14


@pytest.fixture(scope="session")
def coded(coded_index: BuildIndex) -> Path:
    """The index of `clustered` with codes, for those who want just one."""
    return coded_index()


@pytest.fixture(scope="session")
def server(tiny_index: BuildIndex, objects_index: Path) -> Iterator[httpx.Client]:
    """A client of a server of KINDS and of objects, with limits small enough to be tested."""
    paths = {name: tiny_index(*kind) for name, kind in KINDS.items()} | {"objects": objects_index}
    limits = {"MAX_BODY": MAX_BODY, "MAX_BATCH": MAX_BATCH, "MAX_PAYLOAD": MAX_PAYLOAD}
    with serving(paths, **{name: str(value) for name, value in limits.items()}) as (client, _):
        yield client
