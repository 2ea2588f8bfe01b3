"""The indexes of a server: opened, promoted, watched, each while the others wait for nobody."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from longspan.indexer.errors import DamagedIndex, NotReady, UnknownIndex
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.tiers import sizes
from longspan.service import Index
from longspan.service.catalog import catalog as catalog_
from longspan.service.catalog.catalog import Catalog
from longspan.service.search import memory
from longspan.service.search.request import SearchRequest
from tests.data import Corpus
from tests.service.serving import wait_until


@contextmanager
def started(catalog: Catalog) -> Iterator[Catalog]:
    catalog.start()
    try:
        yield catalog
    finally:
        catalog.close()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """Codes come into memory only once this is set, or they are not wanted any more."""
    gate, hold = Event(), memory.hold

    def wait_first(codes: list[object], lock: bool, before_each: Callable[[], None]) -> bool:
        while codes and not gate.wait(0.01):
            before_each()
        return hold(codes, lock, before_each)  # type: ignore[arg-type]

    monkeypatch.setattr(memory, "hold", wait_first)
    monkeypatch.setattr(catalog_, "TICK", 0.05)
    yield gate
    gate.set()


def is_open(catalog: Catalog, name: str) -> bool:
    return any(status == "open" for found, status, _ in catalog if found == name)


def test_a_file_that_shrinks_is_noticed_while_codes_are_read(
    coded: Path, tmp_path: Path, slow: Event
) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(coded, cut)
    with started(Catalog({"a": coded, "cut": cut}, 1 << 30)) as catalog:
        wait_until(lambda: is_open(catalog, "a") and is_open(catalog, "cut"))
        os.truncate(cut / "postings-0000.lmdb", 4096)
        wait_until(lambda: not is_open(catalog, "cut"))
        with pytest.raises(NotReady, match=r"postings-0000\.lmdb"):
            catalog.get("cut")
        assert catalog.get("a").tier == 0
        slow.set()
        wait_until(lambda: catalog.get("a").tier == 2)


def test_a_late_index_is_opened_while_codes_of_another_are_read(
    coded: Path, tmp_path: Path, slow: Event
) -> None:
    with started(Catalog({"a": coded, "late": tmp_path / "late"}, 1 << 30)) as catalog:
        wait_until(lambda: is_open(catalog, "a"))
        shutil.copytree(coded, tmp_path / "late")
        wait_until(lambda: is_open(catalog, "late"))


def test_shares_that_were_divided_before_are_kept(
    coded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever this process would have found free, and in whatever order they are opened."""
    monkeypatch.setattr(catalog_, "TICK", 0.05)
    heads, first, both = sizes(Manifest.read(coded))
    shares = {"a": first, "b": both, "c": heads}
    with started(Catalog(dict.fromkeys("abc", coded), None, shares)) as catalog:
        wait_until(lambda: all(is_open(catalog, name) for name in "abc"))
        wait_until(lambda: [catalog.get(name).tier for name in "abc"] == [1, 2, 0])


def test_names_are_known_or_not(coded: Path) -> None:
    catalog = Catalog({"a": coded})
    with pytest.raises(UnknownIndex, match="b: no such index"):
        catalog.get("b")
    with pytest.raises(NotReady, match="a is being opened"):
        catalog.get("a")


def test_comparing_codes_ends_when_they_are_not_wanted(coded: Path) -> None:
    asked: list[bool] = []

    def wanted() -> bool:
        asked.append(True)
        return len(asked) <= 2  # pieces are read, one a file; then the first is compared

    with Index.open(coded, codes=False) as index, pytest.raises(memory.Stopped):
        index.promoted(1 << 30, wanted)
    assert len(asked) == 3


def test_what_was_found_damaged_stays_so_when_codes_come(
    coded: Path, tmp_path: Path, clustered: Corpus
) -> None:
    path = tmp_path / "index"
    shutil.copytree(coded, path)
    with Index.open(path, codes=False) as index:
        better = index.promoted(1 << 30)
        with (path / "postings-0000.lmdb").open("r+b") as file:
            file.seek(int(np.load(path / "directory.npy")[7]["offset"]))
            file.write(bytes(64))
        with pytest.raises(DamagedIndex):
            index.find(clustered.queries[:1], SearchRequest(exact=True))
        assert index.damaged == ["posting 7"]
        assert better.damaged == index.damaged  # found by a search that was under way
        assert better.lease().damaged == index.damaged
