"""The words of a query, as JSON and as URL parameters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstor.metrics.registry import METRICS
from dashboards.queries.spec import COMPARE_S, KEYS, MAX_TOP, QuerySpec, SpecError

ONE = {"metrics": [{"key": "response_time", "stat": "p95"}]}

metric = st.sampled_from(sorted(METRICS)).flatmap(
    lambda key: st.fixed_dictionaries({"key": st.just(key), "stat": st.sampled_from(METRICS[key].stats)})
)
name = st.text("abcdefghijklmnop-0123456789", min_size=1, max_size=12)
query = st.fixed_dictionaries(
    {
        "metrics": st.lists(metric, min_size=1, max_size=4),
        "monitors": st.lists(name, max_size=3),
        "by": st.lists(st.sampled_from(KEYS), max_size=3, unique=True),
        "filter": st.sampled_from(["", "tcp port 443", "server net 10.0.0.0/8 and not vlan 5"]),
        "range": st.sampled_from(
            [{"from": "now-1h", "to": "now", "zone": "UTC"}, {"from": "1", "to": "2", "zone": "Asia/Tokyo"}]
        ),
        "step": st.one_of(st.just("auto"), st.integers(1, 86400)),
    },
    optional={
        "nodes": st.lists(name, min_size=1, max_size=2),
        "top": metric.flatmap(
            lambda m: st.fixed_dictionaries(
                {"n": st.integers(1, MAX_TOP), "metric": st.just(m["key"]), "stat": st.just(m["stat"])}
            )
        ),
        "compare": st.sampled_from(sorted(COMPARE_S)),
    },
)


@given(query)
def test_it_means_the_same_as_json_and_as_url(data: dict[str, Any]) -> None:
    spec = QuerySpec.from_json(data)
    assert spec.to_json() == data
    assert QuerySpec.from_json(spec.to_json()) == spec
    assert QuerySpec.from_params(spec.to_params()) == spec


def test_it_fills_in_what_is_left_out() -> None:
    spec = QuerySpec.from_json({"metrics": ["response_time"]})
    assert str(spec.metrics[0]) == "response_time:p95"
    assert (spec.range.start, spec.range.end, spec.step, spec.monitors) == ("now-1h", "now", 0, ())


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"metrics": []}, "metrics", "at least one metric"),
        ({"metrics": [{"key": "speed"}]}, "metrics", 'unknown metric "speed"'),
        ({"metrics": [{"key": "bytes", "stat": "p95"}]}, "metrics", 'bytes has no "p95"; it has rate, sum'),
        ({"metrics": "bytes"}, "metrics", "at least one metric"),
        ({"metrics": [7]}, "metrics", "a metric is"),
        ({"by": ["colour"]}, "by", 'cannot group by "colour"'),
        ({"by": ["node", "node"]}, "by", "named twice"),
        ({"by": "node"}, "by", "by is a list"),
        ({"monitors": [{"a": 1}]}, "monitors", "list of names"),
        ({"filter": 5}, "filter", "filter is text"),
        ({"range": "now"}, "range", "a range is"),
        ({"range": {"zone": "Nowhere"}}, "range", "unknown time zone"),
        ({"step": "soon"}, "step", '"soon" is not a step'),
        ({"step": -5}, "step", "is not a step"),
        ({"step": True}, "step", "is not a step"),
        ({"top": {"n": 0}}, "top", "from 1 to 200"),
        ({"top": {"n": "many"}}, "top", "from 1 to 200"),
        ({"top": {"n": 5, "metric": "nothing"}}, "top", "unknown metric"),
        ({"compare": "2y"}, "compare", "is not a comparison"),
        ({"colour": "red"}, "colour", 'unknown field "colour"'),
    ],
)
def test_it_names_the_field_that_is_wrong(changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        QuerySpec.from_json(ONE | changes)
    assert caught.value.field == field
    assert words in caught.value.message


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_it_wants_an_object(data: Any) -> None:
    with pytest.raises(SpecError, match="JSON object"):
        QuerySpec.from_json(data)
