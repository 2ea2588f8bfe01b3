"""Opening an index: what is damaged is named, and what the system refuses is no damage."""

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longspan.indexer.errors import BadIndex, DamagedIndex, DoesNotFit, LongspanError, NoAccess
from longspan.indexer.store.access import access
from longspan.indexer.store.arrays import map_array, read_array
from longspan.service import Index
from tests.builds import built_index
from tests.conftest import BuildIndex

MEMORY = 1 << 30  # all codes are opened
MAPPED = ("ids.npy", "codes-1.npy", "codes-2.npy", "payload.npy")


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = np.random.default_rng(3).normal(size=(400, 16)).astype(np.float32)
    objects: list[dict[str, Any]] = [{}] * len(base)
    folder = tmp_path_factory.mktemp("coded")
    return built_index(folder, base, codec="pq", payload=objects, calibration=10)


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.parametrize("zeroed", [1, 128, -1])
def test_zeros_in_an_array_are_damage_that_names_the_file(
    coded: Path, tmp_path: Path, name: str, zeroed: int
) -> None:
    path = shutil.copytree(coded, tmp_path / "index")
    data = (path / name).read_bytes()
    count = zeroed if zeroed > 0 else len(data)
    (path / name).write_bytes(bytes(count) + data[count:])
    with pytest.raises(DamagedIndex, match=rf"{name}: its bytes are no array") as caught:
        Index.open(path, MEMORY)
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.parametrize("header", [b"<i4", b"|i1", b"<f8"])
def test_an_array_of_another_type_is_damage_that_names_the_file(
    coded: Path, tmp_path: Path, name: str, header: bytes
) -> None:
    path = shutil.copytree(coded, tmp_path / "index")
    data = (path / name).read_bytes()
    wrong = np.lib.format.header_data_from_array_1_0(np.zeros(3, header.decode()))
    with (path / name).open("wb") as file:
        np.lib.format.write_array_header_1_0(file, wrong)
        file.write(data[file.tell() :])
    with pytest.raises(DamagedIndex, match=rf"{name}: "):
        Index.open(path, MEMORY)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(start=st.binary(max_size=200), keep=st.booleans())
def test_any_bytes_in_place_of_a_header_are_damage(
    tmp_path: Path, start: bytes, keep: bool
) -> None:
    np.save(tmp_path / "good.npy", np.zeros((5, 3), np.uint8))
    good = (tmp_path / "good.npy").read_bytes()
    magic = good[:10] if keep else b""
    path = tmp_path / "bad.npy"
    path.write_bytes(magic + start + good[len(magic) + len(start) :])
    for reading in (map_array, read_array):
        try:
            array = reading(path, np.uint8, 2)
        except DamagedIndex as error:
            assert "bad.npy" in str(error)
        else:
            assert array.dtype == np.uint8
            assert array.ndim == 2


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_cut_manifest_is_damage(coded: Path, tmp_path: Path, kept: float) -> None:
    path = shutil.copytree(coded, tmp_path / "index")
    data = (path / "manifest.json").read_bytes()
    (path / "manifest.json").write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DamagedIndex, match=r"manifest\.json: is not whole"):
        Index.open(path)


@pytest.mark.parametrize("data", [bytes(5000), b"\xff" * 50, b"[" * 10**6, b"1" * 10**5])
def test_a_manifest_that_is_no_json_is_damage(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(DamagedIndex, match=r"manifest\.json: is not whole"):
        Index.open(tmp_path)


@pytest.mark.parametrize("data", [b"{}", b"[1]", b'"text"', b'{"format": 1}', b'{"format": "x"}'])
def test_other_json_is_no_index_of_ours(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(BadIndex, match=r"manifest\.json"):
        Index.open(tmp_path)


@contextmanager
def descriptors(more: int) -> Iterator[None]:
    """Let this process open so many files more than it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers = [os.open("/dev/null", os.O_RDONLY) for _ in range(64)]  # no number below is free
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(fillers) + 1 + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for filler in fillers:
            os.close(filler)


def test_too_few_descriptors_are_no_damage(coded: Path) -> None:
    refused = 0
    for more in range(24):
        try:
            with descriptors(more), Index.open(coded, MEMORY):
                pass
        except NoAccess as error:
            refused += 1
            assert "ulimit -n" in str(error)
            assert "verify" not in str(error)
    assert 0 < refused < 24


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        (PermissionError(errno.EACCES, "no", "/a/b"), NoAccess, "/a/b: .* no right to read it"),
        (OSError(errno.EMFILE, "no", "/a/b"), NoAccess, "/a/b: .*ulimit -n"),
        (OSError(errno.EIO, "Input/output error", "/a/b"), NoAccess, "/a/b: .*Input/output error"),
        (OSError("cannot be mapped"), NoAccess, "index: cannot be opened: cannot be mapped"),
        (OSError(errno.ENOMEM, "no"), DoesNotFit, "index: no memory"),
        (MemoryError("1 GiB"), DoesNotFit, "index: no memory to open it: 1 GiB"),
        (DamagedIndex("own words"), DamagedIndex, "^own words$"),
    ],
)
def test_what_the_system_refuses_is_said(
    cause: Exception, kind: type[LongspanError], words: str
) -> None:
    with pytest.raises(kind, match=words), access(Path("index")):
        raise cause


def test_a_link_in_a_circle_is_no_damage(tiny_index: BuildIndex, tmp_path: Path) -> None:
    path = shutil.copytree(tiny_index(), tmp_path / "index")
    (path / "manifest.json").unlink()
    (path / "manifest.json").symlink_to("manifest.json")
    with pytest.raises(NoAccess, match=r"manifest\.json: cannot be opened"):
        Index.open(path)
