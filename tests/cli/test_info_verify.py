"""`longspan info` and `longspan verify`."""

import json
from pathlib import Path

import pytest

from tests.cli.command import longspan, refused, succeeds


def test_info_tells_a_person_the_same(files: Path) -> None:
    text = succeeds("info", files / "index").stdout
    for words in ("4,000 x 24 f32, l2", "seed 3", "max_copies 8", "base.npy"):
        assert words in text


def test_verify_holds_for_an_index_as_it_was_built(files: Path) -> None:
    assert succeeds("verify", files / "index").stdout == f"{files}/index: every check holds\n"
    record = json.loads(succeeds("verify", files / "index", "--json").stdout)
    assert record == {"index": str(files / "index"), "ok": True, "problems": []}


def test_verify_finds_a_flipped_byte(files: Path, tmp_path: Path) -> None:
    succeeds("build", files / "base.npy", tmp_path / "index")
    largest = max((tmp_path / "index").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    done = longspan("verify", tmp_path / "index")
    assert done.returncode == 3
    assert largest.name in done.stdout
    done = longspan("verify", tmp_path / "index", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["ok"] is False


@pytest.mark.parametrize("verb", ["info", "verify"])
def test_what_is_no_index_is_refused(files: Path, tmp_path: Path, verb: str) -> None:
    refused(2, verb, tmp_path, words=str(tmp_path))
    refused(2, verb, tmp_path / "none", words="none")
    refused(2, verb, files / "base.npy", words="base.npy")
