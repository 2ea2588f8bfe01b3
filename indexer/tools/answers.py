"""Files of answers: what `search` and `truth` write, and `bench` reads.

    .npz     ids (nq, k) int64, distances (nq, k) float32
    .ibin    u32 nq, u32 k, nq * k int32 ids, nq * k float32 distances, little-endian
             (the ground truth format of big-ann-benchmarks)

A missing hit has id -1 and distance +inf.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.errors import BadFile, no_access
from longspan.indexer.newfile import check_new, new_file

Ids = NDArray[np.int64]
Distances = NDArray[np.float32]

LARGEST_IBIN_ID = 2**31 - 1


def check_target(path: str | Path, largest_id: int = 0, also: tuple[str, ...] = ()) -> None:
    """Refuse a file that could not be written in the end, before the work begins.

    also  suffixes that the caller can write besides those here
    BadFile for an unknown suffix, a missing folder or ids too large for the format;
    IndexExists when something is there: nothing is overwritten.
    """
    path = Path(path)
    known = (*WRITERS, *also)
    if path.suffix.lower() not in known:
        wanted = " or ".join(known)
        raise BadFile(f"{path}: unknown format {path.suffix!r} of answers, wanted {wanted}")
    check_new(path)
    if path.suffix.lower() == ".ibin" and largest_id > LARGEST_IBIN_ID:
        raise BadFile(f"{path}: id {largest_id} does not fit the 32 bits of .ibin, write .npz")


def write_answers(path: str | Path, ids: Ids, distances: Distances) -> None:
    """Write ids and distances, both (nq, k): the whole file appears, or none.

    BadFile and IndexExists as `check_target`; DoesNotFit when the disk is full.
    """
    path = Path(path)
    check_target(path, largest_id=int(ids.max(initial=-1)))
    with new_file(path) as file:
        WRITERS[path.suffix.lower()](file, ids, distances)


def read_answers(path: str | Path) -> tuple[Ids, Distances]:
    """Return ids (nq, k) int64 and distances (nq, k) float32, as they stand in the file."""
    path = Path(path)
    read = READERS.get(path.suffix.lower())
    if read is None:
        known = " or ".join(READERS)
        raise BadFile(f"{path}: unknown format {path.suffix!r} of answers, wanted {known}")
    try:
        ids, distances = read(path)
    except OSError as exc:
        refused = BadFile(f"{path}: cannot be read: {exc.strerror or exc}")
        raise no_access(exc, path) or refused from exc
    if np.isnan(distances).any():
        row = int(np.argwhere(np.isnan(distances))[0, 0])
        raise BadFile(f"{path}: row {row} has a distance that is not a number")
    return ids, distances


def _write_npz(file: BinaryIO, ids: Ids, distances: Distances) -> None:
    np.savez(file, ids=ids.astype(np.int64), distances=distances.astype(np.float32))


def _write_ibin(file: BinaryIO, ids: Ids, distances: Distances) -> None:
    file.write(struct.pack("<II", *ids.shape))
    file.write(np.ascontiguousarray(ids, dtype="<i4").data)
    file.write(np.ascontiguousarray(distances, dtype="<f4").data)


def _read_npz(path: Path) -> tuple[Ids, Distances]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            ids, distances = arrays["ids"], arrays["distances"]
    except KeyError as exc:
        raise BadFile(f"{path}: {exc.args[0]}, wanted arrays `ids` and `distances`") from exc
    except OSError:
        raise
    except Exception as exc:  # no zip, a single array, pickles, a damaged header
        raise BadFile(f"{path}: not a .npz file of arrays: {exc}") from exc
    _check_arrays(path, ids, distances)
    return ids.astype(np.int64), distances.astype(np.float32)


def _check_arrays(path: Path, ids: NDArray[Any], distances: NDArray[Any]) -> None:
    if ids.ndim != 2 or ids.shape != distances.shape or 0 in ids.shape:
        shapes = f"ids {ids.shape} and distances {distances.shape}"
        raise BadFile(f"{path}: {shapes}, wanted both (queries, k)")
    if ids.dtype.kind not in "iu" or distances.dtype.kind != "f":
        types = f"ids of {ids.dtype} and distances of {distances.dtype}"
        raise BadFile(f"{path}: {types}, wanted integers and floats")


def _read_ibin(path: Path) -> tuple[Ids, Distances]:
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(8)
        if len(header) < 8:
            raise BadFile(f"{path}: truncated: {size} bytes, wanted a header of 8")
        n, k = struct.unpack("<II", header)
        if n == 0 or k == 0 or size != 8 + n * k * 8:
            raise BadFile(
                f"{path}: {size} bytes, wanted {8 + n * k * 8} for {n} queries with {k} answers"
            )
        ids = np.fromfile(file, "<i4", n * k).reshape(n, k).astype(np.int64)
        return ids, np.fromfile(file, "<f4", n * k).reshape(n, k)


WRITERS: dict[str, Callable[[BinaryIO, Ids, Distances], None]] = {
    ".npz": _write_npz,
    ".ibin": _write_ibin,
}
READERS: dict[str, Callable[[Path], tuple[Ids, Distances]]] = {
    ".npz": _read_npz,
    ".ibin": _read_ibin,
}
