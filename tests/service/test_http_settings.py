"""Settings, names of indexes, media types: what is decided before a request is looked into."""

import os
import re
from pathlib import Path

import pytest

from longspan.indexer.errors import BadConfig, DoesNotFit
from longspan.service.http.process import serve
from longspan.service.http.schedule.intake import CLOSING
from longspan.service.http.settings import Settings, named_index, read_settings
from longspan.service.http.wire.media import JSON, RAW, answer_media, body_media
from longspan.service.search import cgroup
from tests.conftest import BuildIndex


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INDEXES", "THREADS", "QUEUE", "MAX_BODY", "MAX_BATCH"):
        monkeypatch.delenv(f"LONGSPAN_{name}", raising=False)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSPAN_INDEXES", '["a=/data/x", "/data/y"]')
    monkeypatch.setenv("LONGSPAN_QUEUE", "7")
    settings = read_settings()
    assert settings.indexes == {"a": Path("/data/x"), "y": Path("/data/y")}
    assert settings.queue == 7
    assert settings.threads >= 2


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("QUEUE", "many", "LONGSPAN_QUEUE: .*found 'many'"),
        ("QUEUE", "-1", "LONGSPAN_QUEUE: .*found '-1'"),
        ("THREADS", "0", "LONGSPAN_THREADS: "),
        ("MAX_BODY", "0", "LONGSPAN_MAX_BODY: "),
        ("MAX_BATCH", "0", "LONGSPAN_MAX_BATCH: "),
        ("INDEXES", "/data/x", "LONGSPAN_INDEXES"),
        ("INDEXES", "7", "LONGSPAN_INDEXES"),
        ("INDEXES", '["a=x", "a=y"]', "two indexes are named a"),
        ("INDEXES", '["a b=x"]', "cannot name an index"),
        ("INDEXES", "[]", "LONGSPAN_INDEXES"),
    ],
)
def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv("LONGSPAN_INDEXES", '["/data/x"]')
    monkeypatch.setenv(f"LONGSPAN_{name}", value)
    with pytest.raises(BadConfig, match=words):
        read_settings()


@pytest.mark.parametrize("value", ["", " ", "many", "nan", "inf", "{"])
@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
def test_what_is_no_value_of_a_variable_is_refused_with_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("LONGSPAN_INDEXES", '["/data/x"]')
    monkeypatch.setenv(f"LONGSPAN_{name}", value)
    with pytest.raises(BadConfig, match=f"^LONGSPAN_{name}: "):
        read_settings()


def test_compose_gives_a_server_longer_than_it_takes_to_stop() -> None:
    """And sets nothing that no server reads."""
    text = (Path(__file__).parents[2] / "docker/compose.yml").read_text()
    [seconds] = re.findall(r"stop_grace_period: (\d+)s", text)
    assert int(seconds) >= Settings.model_fields["grace"].default + 2 * CLOSING
    known = {f"LONGSPAN_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"LONGSPAN_\w+", text)) <= known


def test_an_empty_host_is_not_every_interface(tiny_index: BuildIndex) -> None:
    with pytest.raises(BadConfig, match="the host is empty"):
        serve([("a", tiny_index())], "", 0, 1)


def test_missing_indexes_are_named() -> None:
    with pytest.raises(BadConfig, match="LONGSPAN_INDEXES"):
        read_settings()


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("sift", "sift", "sift"),
        ("data/sift.v2", "sift.v2", "data/sift.v2"),
        ("prod=data/sift", "prod", "data/sift"),
        ("prod=a=b", "prod", "a=b"),
        ("./a=b/sift", "sift", "./a=b/sift"),
        ("data/sift/", "sift", "data/sift"),
    ],
)
def test_an_index_has_the_name_given_or_its_directorys(text: str, name: str, path: str) -> None:
    assert named_index(text) == (name, Path(path))


@pytest.mark.parametrize("text", ["a b=x", "/", "é=x", "a b", "..=x", f"{'x' * 65}=y"])
def test_a_name_that_could_not_be_in_a_url_is_refused(text: str) -> None:
    with pytest.raises(BadConfig, match="cannot name an index"):
        named_index(text)


@pytest.mark.parametrize("text", ["application/json", "Application/JSON; charset=utf-8"])
def test_parameters_and_case_of_a_content_type_do_not_matter(text: str) -> None:
    assert body_media(text) == JSON


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/html, application/octet-stream", RAW),
        ("application/octet-stream;q=0.5, application/json", JSON),
        ("application/octet-stream, application/json;q=0.5", RAW),
        ("application/json;q=0, */*", RAW),
        ("application/octet-stream, */*;q=0.1", RAW),
        ("application/json;q=what, application/octet-stream", RAW),
    ],
)
def test_the_answer_is_what_accept_likes_best(accept: str | None, media: str) -> None:
    assert answer_media(accept) == media


def test_a_misspelt_variable_is_named_and_an_orchestrator_s_is_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LONGSPAN_INDEXES", '["a=b"]')
    monkeypatch.setenv("LONGSPAN_THREAD", "8")
    monkeypatch.setenv("LONGSPAN_PORT_8000_TCP_ADDR", "10.0.0.1")  # of a service named longspan
    read_settings()
    assert [record.getMessage() for record in caplog.records] == [
        "LONGSPAN_THREAD is set, which nothing reads; is LONGSPAN_THREADS meant?"
    ]


def test_names_in_a_json_object_are_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSPAN_INDEXES", '{"a/b": "c"}')
    with pytest.raises(BadConfig, match="cannot name an index"):
        read_settings()


def test_threads_are_no_more_than_a_container_has_cores_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64))
    for quota, threads in ((None, 64), (8.5, 9), (0.5, 2), (100, 64)):
        monkeypatch.setattr(cgroup, "limits", lambda quota=quota: cgroup.Limits(quota, None, None))
        assert Settings(indexes={"a": Path("b")}).threads == threads


def test_a_server_that_is_refused_leaves_the_environment_as_it_was(
    tiny_index: BuildIndex,
) -> None:
    before = dict(os.environ)
    with pytest.raises(DoesNotFit):
        serve([("a", tiny_index())], "127.0.0.1", 0, 1, memory=1024)
    assert dict(os.environ) == before
