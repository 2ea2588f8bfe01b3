"""What the OpenAPI document allows is answered as it says; what it does not allow is refused.

schemathesis makes the calls, from the document of a running server: every edge of every field and
parameter, alone, then some at random; good ones and bad ones, and methods that there are not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import schemathesis
from schemathesis import Case, HookContext
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import Interaction, ScenarioRecorder

from longspan.service.search.request import EXPLAIN, PAYLOAD
from tests.service.serving import RAW

VECTOR = np.full(24, 0.5, np.float32)  # its bytes are ASCII, as those of a string can be
HOW = {
    "seed": 1,
    "continue-on-failure": True,
    "generation": {"deterministic": True, "max-examples": 10, "database": "none"},
    "phases": {"examples": {"enabled": False}, "stateful": {"enabled": False}},
}


def test_every_operation_does_what_the_document_says(server: httpx.Client) -> None:
    url = str(server.base_url.join("/openapi.json"))
    document = schemathesis.openapi.from_url(url, config=SchemathesisConfig.from_dict(HOW))
    wrong, answered = [], set()
    with answerable():
        for event in from_schema(document).execute():
            match event:
                case events.ScenarioFinished(recorder=told):
                    wrong += failures(told)
                    answered |= {told.label for one in told.interactions.values() if is_ok(one)}
                case events.NonFatalError() | events.FatalError():
                    wrong.append(str(event))
    assert not wrong, "\n\n".join(wrong)
    assert len(answered) == document.statistic.operations.total


def failures(told: ScenarioRecorder) -> list[str]:
    """Return what was wrong with the answers of some calls, with a command for each."""
    checks = (one for checks in told.checks.values() for one in checks)
    found = (one.failure_info for one in checks if one.failure_info)
    return [f"{one.failure}\n{one.code_sample}" for one in found]


def is_ok(one: Interaction) -> bool:
    return one.response is not None and one.response.status_code == 200


@contextmanager
def answerable() -> Iterator[None]:
    """Give good calls what a document of all indexes cannot say, so that they are answered.

    Vectors have the dims of the index, and settings that exclude each other are not sent together.
    """

    def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
        if case.media_type and case.meta and case.meta.generation.mode.is_positive:
            case.path_parameters["name"] = "objects"
            if case.media_type == RAW:
                case.body = VECTOR.tobytes().decode()
                case.query = compatible(case.query)
            elif isinstance(case.body, dict):
                case.body = with_vectors(case.body)
                case.query = {name: case.query[name] for name in {"ids"} & {*case.query}}

    schemathesis.hook(before_call)
    try:
        yield
    finally:
        schemathesis.hooks.unregister(before_call)


def with_vectors(body: dict[str, Any]) -> dict[str, Any]:
    vector = VECTOR.tolist()
    given = {"vector": vector} if "vector" in body else {"vectors": [vector]}
    kept = compatible(body) | {"params": compatible(body.get("params") or {})}
    if kept["params"]:
        kept.pop("recall", None)
    return kept | given


def compatible(settings: dict[str, Any]) -> dict[str, Any]:
    """Leave out what cannot go with other settings, and what tells how other vectors are read."""
    out = {"encoding", "dtype", "n", "exact"} | ({"recall"} if "probes" in settings else set())
    included = settings.get("include", ())
    out |= {name for name, word in (("k", PAYLOAD), ("recall", EXPLAIN)) if word in included}
    return {name: value for name, value in settings.items() if name not in out}
