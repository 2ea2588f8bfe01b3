"""Indexes and bytes that were written once: they must be read for ever."""

from pathlib import Path

import numpy as np
import pytest

from longspan.cext import posting
from longspan.indexer.tools.verify import verify
from longspan.service import Index
from tests.golden.write import CALIBRATED, KINDS, asked, read_by

V1 = Path(__file__).parent / "v1"


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_of_format_1_answers_as_it_did(kind: str) -> None:
    assert verify(V1 / kind / "index") == []
    answers = np.load(V1 / kind / "answers.npz")
    with Index.open(V1 / kind / "index") as index:
        found = index.search(np.load(V1 / kind / "base.npy")[:8], 7, 1.0)
    np.testing.assert_allclose(found.distances, answers["distances"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.ids, answers["ids"])


@pytest.mark.parametrize("kind", CALIBRATED)
def test_a_calibrated_search_answers_as_it_did_at_every_step_of_the_dial(kind: str) -> None:
    answers, queries = np.load(V1 / kind / "answers.npz"), np.load(V1 / kind / "queries.npy")
    for memory, recall in asked(V1 / kind):
        with Index.open(V1 / kind / "index", memory) as index:
            found = index.search(queries, 7, recall, stats=True)
            assert read_by(found) == answers[f"postings {index.tier} {recall}"].tolist()
        np.testing.assert_array_equal(found.ids, answers[f"ids {index.tier} {recall}"])


@pytest.mark.parametrize("kind", CALIBRATED)
def test_an_index_with_ids_payload_and_shards_gives_them_as_it_did(kind: str) -> None:
    assert verify(V1 / kind / "index") == []
    rows = np.load(V1 / kind / "base.npy")[:40]
    with Index.open(V1 / kind / "index") as index:
        assert len(index.manifest.shards) > 1
        found = index.search(rows, 1, 1.0, include=("payload",))
    assert found.payload is not None
    given = [[{"row": (id - 2**40) // 7}] for id in found.ids[:, 0].tolist()]
    assert found.payload == given
    np.testing.assert_array_equal(found.ids[:, 0], 2**40 + 7 * np.arange(40))


def test_the_bytes_of_a_posting() -> None:
    rows = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.uint8)
    numbers, inverses = np.array([10, 11, 2**31], np.uint32), np.array([1, 0.5, 2], np.float32)
    out = np.zeros(posting.size(3, 3, True), np.uint8)
    posting.encode(rows, numbers, inverses, out)
    assert out.tobytes().hex() == (
        "010203040506070809" "000000"  # rows, then to the next multiple of 4
        "0a0000000b00000000000080"  # row numbers
        "0000803f0000003f00000040"  # inverse norms
    )  # fmt: skip
    decoded = posting.decode(out.tobytes(), 3, 3, True)
    for found, given in zip(decoded, (rows, numbers, inverses), strict=True):
        np.testing.assert_array_equal(found, given)


def test_a_posting_without_norms_has_none() -> None:
    out = np.zeros(posting.size(1, 4, False), np.uint8)
    posting.encode(np.ones((1, 4), np.uint8), np.zeros(1, np.uint32), np.empty(0, np.float32), out)
    assert out.tobytes().hex() == "0101010100000000"
    assert len(posting.decode(out.tobytes(), 1, 4, False)[2]) == 0


def test_a_blob_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="7 bytes cannot hold 1 entries"):
        posting.decode(bytes(7), 1, 4, False)
