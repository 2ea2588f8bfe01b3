"""Inputs at an address: fetched once, then read as local files are."""

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pytest

from longspan.indexer.errors import BadFile
from longspan.indexer.reader import open_vectors
from longspan.indexer.reader.ids import read_ids
from tests.indexer.test_reader import some, write
from tests.inputs import hdf5, parquet


class Served(http.server.SimpleHTTPRequestHandler):
    """A folder over HTTP; of a file whose name begins with `cut` only the first half comes."""

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""

    def copyfile(self, source, outputfile) -> None:
        content = source.read()
        cut = "/cut" in self.path
        outputfile.write(content[: len(content) // 2] if cut else content)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The URL of the folder `served` in tmp_path."""
    (tmp_path / "served").mkdir()
    handler = partial(Served, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    """An empty folder for copies."""
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def test_every_kind_of_file_comes_over_http(tmp_path: Path, served: str, tmp: Path) -> None:
    wanted = some("f32")
    write(tmp_path / "served/base.npy", wanted)
    write(tmp_path / "served/base.fvecs", wanted)
    hdf5(tmp_path / "served/base.h5", train=wanted)
    hdf5(tmp_path / "served/packed.h5", packed=True, train=wanted, test=wanted)
    parquet(tmp_path / "served/base.parquet", v=wanted, id=np.arange(37))
    for name in ("base.npy?a=b.c", "base.fvecs", "base.h5", "packed.h5::train", "base.parquet::v"):
        vectors = open_vectors(f"{served}/{name}", tmp)
        np.testing.assert_array_equal(vectors.rows(0, 37), wanted)
        assert str(vectors.path) == f"{served}/{name}"
        assert "127" not in vectors.fingerprint()["name"]
    assert read_ids(f"{served}/base.parquet::id", 37, tmp).tolist() == list(range(37))
    assert list(tmp.iterdir()) == []


def test_a_store_of_fsspec_is_read(tmp: Path) -> None:
    wanted = some("u8", n=2_000_000)  # 10 MB: two chunks
    with fsspec.open("memory://a/base.u8bin", "wb") as file:
        file.write(np.array(wanted.shape, "<u4").tobytes() + wanted.tobytes())
    vectors = open_vectors("memory://a/base.u8bin", tmp)
    assert (vectors.rows(0, vectors.n) == wanted).all()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("memory://none.npy", "cannot be read: FileNotFoundError"),
        ("memory://none.csv", "unknown format '.csv'"),
        ("nowhere://base.npy", "cannot be read: ValueError: Protocol not known: nowhere"),
        ("s3://bucket/base.npy", "cannot be read: ImportError: Install s3fs"),
    ],
)
def test_what_cannot_be_fetched_is_refused(tmp: Path, source: str, words: str) -> None:
    with pytest.raises(BadFile) as error:
        open_vectors(source, tmp)
    assert str(error.value).startswith(f"{source}: ")
    assert words in str(error.value)


def test_a_transfer_that_ends_early_is_refused(tmp_path: Path, served: str, tmp: Path) -> None:
    write(tmp_path / "served/cut.npy", some("f32"))
    with pytest.raises(BadFile, match=r"cut\.npy: "):
        open_vectors(f"{served}/cut.npy", tmp)
    with pytest.raises(BadFile, match=r"gone\.npy: cannot be read: FileNotFoundError"):
        open_vectors(f"{served}/gone.npy", tmp)
    assert list(tmp.iterdir()) == []


def test_a_file_that_is_fetched_wants_a_folder() -> None:
    with fsspec.open("memory://b/base.txt", "wb") as file:
        file.write(b"1\n2\n")
    with pytest.raises(BadFile, match=r"base\.txt: cannot be mapped, wanted a folder"):
        read_ids("memory://b/base.txt", 2)
