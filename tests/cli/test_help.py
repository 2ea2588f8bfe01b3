"""What the command line says about itself."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np

from longspan.indexer.config import BuildConfig
from longspan.service.commands import main as command_line
from tests.cli.command import in_own_process, longspan, succeeds


def test_every_verb_has_help_with_its_flags() -> None:
    listed = succeeds("--help").stdout
    assert command_line.longspan.commands
    for verb in command_line.longspan.commands:
        assert re.search(rf"^  {verb} ", listed, re.MULTILINE)
        assert succeeds(verb, "--help").stdout.startswith(f"Usage: longspan {verb}")


def test_the_exit_codes_are_documented() -> None:
    listed = succeeds("--help").stdout
    for code in (0, 1, 2, 3, 4, 129, 130, 143):
        assert re.search(rf"^    {code} +[a-z]", listed, re.MULTILINE)


def test_every_dial_has_a_flag_with_its_help_and_range() -> None:
    text = " ".join(succeeds("build", "--help").stdout.split())
    for dial in fields(BuildConfig):
        assert f"--{dial.name.replace('_', '-')} " in text
        assert dial.metadata["help"][1:] in text
        if "among" in dial.metadata:
            assert f"[{'|'.join(dial.metadata['among'])}]" in text
            continue
        assert f"[{dial.metadata['low']:,} to {dial.metadata['high']:,}" in text


def test_help_imports_neither_numpy_nor_faiss_nor_fastapi() -> None:
    code = (
        "import sys; from longspan.service.commands.main import main; main(['--help']);"
        "sys.exit(bool({'numpy', 'faiss', 'fastapi', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"longspan \d+\.\d+\.\d+\S*\n", succeeds("--version").stdout)


def test_the_indexer_has_its_verbs_without_the_server() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "longspan.indexer", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "build" in done.stdout
    assert "serve" not in done.stdout


def test_no_verb_and_unknown_verbs_and_flags_are_usage_errors() -> None:
    for arguments in ([], ["destroy"], ["build"], ["build", "a", "b", "--fast"]):
        assert longspan(*arguments).returncode == 2


def test_a_refusal_is_one_line_and_its_exit_code(tmp_path: Path) -> None:
    np.save(tmp_path / "base.npy", np.ones((5, 3), np.float32))
    for vectors, code in (("none.npy", 2), ("base.npy", 4)):
        done = in_own_process("build", vectors, "index", "--memory", "1kB", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (code, "")
        assert re.fullmatch(r"error: .+\n", done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["base.npy"]
