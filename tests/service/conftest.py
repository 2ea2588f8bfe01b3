"""One server process for all tests of HTTP, with an index of each kind."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import BuildIndex
from tests.service.serving import serving

# name in the URL: metric and dtype of `tiny_index`
KINDS = {"floats": ("l2", "f32"), "bytes": ("l2", "u8"), "angles": ("cosine", "f16")}
MAX_BODY = 2**18
MAX_BATCH = 64


@pytest.fixture(scope="session")
def server(tiny_index: BuildIndex) -> Iterator[httpx.Client]:
    """A client of a server of KINDS, with limits small enough to be tested."""
    paths = {name: tiny_index(*kind) for name, kind in KINDS.items()}
    limits = {"MAX_BODY": str(MAX_BODY), "MAX_BATCH": str(MAX_BATCH)}
    with serving(paths, **limits) as (client, _):
        yield client
