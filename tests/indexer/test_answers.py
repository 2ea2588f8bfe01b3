"""Files of answers."""

import resource
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longspan.indexer.errors import BadFile, IndexExists
from longspan.indexer.tools.answers import check_target, read_answers, write_answers

IDS = np.array([[4, 2, 9], [2**31 - 1, 0, -1]], np.int64)
DISTANCES = np.array([[0.5, 1, 2], [-3, 7, np.inf]], np.float32)


@pytest.mark.parametrize("suffix", [".npz", ".ibin", ".NPZ"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"answers{suffix}"
    write_answers(path, IDS, DISTANCES)
    ids, distances = read_answers(path)
    assert ids.dtype == np.int64
    assert distances.dtype == np.float32
    np.testing.assert_array_equal(ids, IDS)
    np.testing.assert_array_equal(distances, DISTANCES)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_npz_is_what_numpy_reads(tmp_path: Path) -> None:
    write_answers(tmp_path / "answers.npz", IDS, DISTANCES)
    with np.load(tmp_path / "answers.npz") as arrays:
        assert sorted(arrays) == ["distances", "ids"]
        assert (arrays["ids"].dtype, arrays["distances"].dtype) == (np.int64, np.float32)


def test_ibin_has_the_bytes_of_big_ann_benchmarks(tmp_path: Path) -> None:
    write_answers(tmp_path / "answers.ibin", IDS, DISTANCES)
    wanted = struct.pack("<II", 2, 3) + IDS.astype("<i4").tobytes() + DISTANCES.tobytes()
    assert (tmp_path / "answers.ibin").read_bytes() == wanted


def test_ids_over_32_bits_are_refused_by_ibin_and_kept_by_npz(tmp_path: Path) -> None:
    ids = IDS + 1
    with pytest.raises(BadFile, match=r"2147483648 does not fit .* write \.npz"):
        write_answers(tmp_path / "answers.ibin", ids, DISTANCES)
    assert not list(tmp_path.iterdir())
    write_answers(tmp_path / "answers.npz", ids, DISTANCES)
    np.testing.assert_array_equal(read_answers(tmp_path / "answers.npz")[0], ids)


def test_a_target_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"unknown format '\.csv' of answers, wanted \.npz or \.ibin"):
        check_target(tmp_path / "answers.csv")
    with pytest.raises(BadFile, match="folder"):
        check_target(tmp_path / "none" / "answers.npz")
    with pytest.raises(BadFile, match="2147483648"):
        check_target(tmp_path / "answers.ibin", largest_id=2**31)
    check_target(tmp_path / "answers.ibin", largest_id=2**31 - 1)


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "answers.npz"
    path.write_text("mine")
    with pytest.raises(IndexExists, match="already exists"):
        write_answers(path, IDS, DISTANCES)
    assert path.read_text() == "mine"


def test_when_the_disk_is_full_nothing_is_left(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    code = f"""
import numpy as np, resource
from longspan.indexer.tools.answers import write_answers
from longspan.indexer.errors import DoesNotFit
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, {limit}))
for suffix in ("npz", "ibin"):
    try:
        write_answers("answers." + suffix, np.zeros((99, 99), "i8"), np.zeros((99, 99), "f4"))
    except DoesNotFit as exc:
        print(exc.exit_code, str(exc).split(":")[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["4 answers.npz", "4 answers.ibin"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cut", [-1, -30, 5, 0])
@pytest.mark.parametrize("suffix", [".npz", ".ibin"])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, cut: int) -> None:
    path = tmp_path / f"answers{suffix}"
    write_answers(path, IDS, DISTANCES)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadFile, match=str(path)):
        read_answers(path)


def test_arrays_of_other_names_shapes_and_types_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.npz"
    flawed: list[tuple[dict[str, Any], str]] = [
        ({"ids": IDS}, "distances"),
        ({"ids": IDS, "distances": DISTANCES[:1]}, "wanted both"),
        ({"ids": IDS[0], "distances": DISTANCES[0]}, "wanted both"),
        ({"ids": IDS[:0], "distances": DISTANCES[:0]}, "wanted both"),
        ({"ids": DISTANCES, "distances": DISTANCES}, "wanted integers and floats"),
        ({"ids": IDS, "distances": IDS}, "wanted integers and floats"),
        (
            {"ids": IDS, "distances": DISTANCES * np.nan},
            "row 0 has a distance that is not a number",
        ),
    ]
    for arrays, words in flawed:
        np.savez(path, **arrays)
        with np.errstate(all="ignore"), pytest.raises(BadFile, match=words):
            read_answers(path)


def test_pickles_single_arrays_missing_and_unknown_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickle.npz", ids=np.array([None]), distances=DISTANCES)
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, IDS)
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "folder.ibin").mkdir()
    (tmp_path / "answers.txt").touch()
    for name in ("pickle.npz", "array.npz", "text.npz", "folder.ibin", "answers.txt", "none.npz"):
        with pytest.raises(BadFile, match=name):
            read_answers(tmp_path / name)
