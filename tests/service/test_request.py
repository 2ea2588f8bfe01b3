"""A request: every setting within its bounds, stated once, whatever way it comes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longspan.indexer.errors import BadQuery
from longspan.service import SearchRequest
from longspan.service.commands.search import search
from longspan.service.http.wire.form import Params
from longspan.service.http.wire.json import BatchBody, SearchBody
from longspan.service.http.wire.limits import MAX_HITS, MAX_OBJECTS, MAX_READS
from longspan.service.http.wire.raw import RawBatchQuery, RawQuery
from longspan.service.search.engine import SCRATCH
from longspan.service.search.explain import LISTED
from longspan.service.search.request import MAX_DISTANCE, settings
from tests.doc_tables import ROOT

NUMBERS = [spec for spec in settings(SearchRequest) if "low" in spec.metadata]
WHOLE = [spec.name for spec in NUMBERS if spec.type in (int, int | None)]
NAMES = {spec.name for spec in settings(SearchRequest)}

any_number = (
    st.integers(-(2**70), 2**70)
    | st.floats()
    | st.just(10**5000)
    | st.integers(-(2**63), 2**63 - 1).map(np.int64)
    | st.floats(width=32).map(np.float32)
)


@given(spec=st.sampled_from(NUMBERS), value=any_number)
def test_a_number_is_taken_within_its_bounds_and_refused_by_name_outside(
    spec: Any, value: Any
) -> None:
    low, high, above = (spec.metadata[name] for name in ("low", "high", "above"))
    fits = (low < value if above else low <= value) and value <= high
    if spec.name in WHOLE:
        fits = fits and not isinstance(value, float | np.floating)
    if not fits:
        with pytest.raises(BadQuery, match=f"^{spec.name} is .*, must be "):
            SearchRequest(**{spec.name: value})
        return
    made = getattr(SearchRequest(**{spec.name: value}), spec.name)
    kind = int if spec.name in WHOLE else float
    assert made == kind(value)
    assert type(made) is kind


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"k": None}, "k is None, must be a whole number"),
        ({"k": "10"}, "k is '10', must be a whole number"),
        ({"k": True}, "k is True, must be a whole number"),
        ({"depth": 2.0}, "depth is 2.0, must be a whole number"),
        ({"recall": "high"}, "recall is 'high', must be a number"),
        ({"recall": False}, "recall is False, must be a number"),
        ({"recall": np.ones(3)}, "recall is array"),
        ({"max_distance": 1e39}, "max_distance is 1e.39, must be in"),
        ({"stats": 1}, "stats is 1, must be True or False"),
        ({"exact": None}, "exact is None, must be True or False"),
        ({"include": 3}, "include is 3, must be a list of words"),
        ({"include": ["vector"]}, "include names 'vector', known are payload, explain"),
        ({"include": [["payload"]]}, "include names"),
        ({"exact": True, "depth": 3}, "exact reads every posting"),
        ({"recall": 0.9, "probes": 3}, "recall cannot go with probes"),
        ({"recall": 0.9, "exact": True}, "recall cannot go with probes or exact"),
        ({"k": "9" * 1000}, "k is '9{39}[.]{3}, must"),
    ],
)
def test_what_is_no_setting_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(BadQuery, match=words):
        SearchRequest(**given)


def test_a_request_is_a_key() -> None:
    one = SearchRequest(k=np.int64(5), recall=0.9, include=["payload"])  # type: ignore[arg-type]
    assert {one: 1}[SearchRequest(k=5, recall=0.9, include=("payload",))] == 1
    assert one != SearchRequest(k=5, recall=0.9)


def test_every_door_has_the_same_settings_with_the_same_bounds() -> None:
    flags = {parameter.name: parameter for parameter in search.params}
    assert NAMES - set(flags) == {"stats"}  # which the command always prints
    for body in (SearchBody, BatchBody):
        assert {*body.model_fields, *Params.model_fields} >= NAMES
    for query in (RawQuery, RawBatchQuery):
        properties = query.model_json_schema()["properties"]
        assert set(properties) >= NAMES
        for spec in NUMBERS:
            [bounds, *_] = properties[spec.name].get("anyOf", [properties[spec.name]])
            low = "exclusiveMinimum" if spec.metadata["above"] else "minimum"
            assert (bounds[low], bounds["maximum"]) == (spec.metadata["low"], spec.metadata["high"])
            assert properties[spec.name]["description"] == spec.metadata["help"]


def test_the_farthest_distance_is_that_of_the_type() -> None:
    assert np.finfo(np.float32).max == MAX_DISTANCE


def test_the_document_has_the_limits_as_they_are() -> None:
    text = (ROOT / "docs/search.md").read_text(encoding="utf-8")
    for number in (MAX_HITS, MAX_OBJECTS, MAX_READS):
        assert f"{number:,}: " in text
    assert f"the {LISTED} nearest postings" in text
    assert f"{SCRATCH >> 20} MiB" in text
