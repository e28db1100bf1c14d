"""A log written by another version is read by its names: other bases, other dense columns, other order."""

from __future__ import annotations

import json

import numpy as np

from cstor.buckets.second import DENSE, OUTCOMES, SESSION, ClosedSecond
from cstor.metrics.registry import SCALARS
from cstor.store import codec
from cstor.store.codec import Decoder, encode_second, encode_sessions, head
from tests.cstor.seconds import row, second, sessions

ONE = second(
    5, row("10.0.0.1", "10.0.0.2", bytes_client=7, refused=2, response_time=[5000, 9000], ack_rtt_client=[4000])
)


def test_a_second_comes_back_as_it_was() -> None:
    found = Decoder(head()).second(b"".join(encode_second(ONE)))
    assert found.t == 5
    for given, read in zip(ONE[1:], found[1:], strict=True):
        assert np.array_equal(given, read)


def test_sessions_come_back_as_they_were() -> None:
    batch = sessions(row("10.0.0.1", "10.0.0.2", client_port=9, start_ns=1, end_ns=2))
    assert np.array_equal(Decoder(head()).sessions(b"".join(encode_sessions(batch))).rows, batch.rows)


def test_a_log_with_other_numbers_is_translated() -> None:
    layout = json.loads(head())
    # The old version knew one base less, numbered the others backwards, and kept one of them dense that we do not.
    old_scalars = [base.key for base in SCALARS if base.key != "syns"][::-1]
    old_dense = ["bytes_client", "refused"]
    layout |= {"scalars": old_scalars, "dense": old_dense, "histograms": layout["histograms"][::-1]}
    cells = [(0, old_scalars.index(f"ack_rtt_client_{part}"), value) for part, value in (("count", 1), ("sum", 4000))]
    bins = ONE.bins.copy()
    bins["metric"] = [len(layout["histograms"]) - 1 - number for number in bins["metric"]]
    old = ClosedSecond(5, ONE.keys, np.array([[7, 2]]), np.array(sorted(cells), codec.CELL), bins)
    found = Decoder(json.dumps(layout).encode()).second(b"".join(encode_second(old)))
    assert found.dense[:, DENSE.index("bytes_client")].tolist() == [7]
    assert [(SCALARS[cell["base"]].key, cell["value"]) for cell in found.cells if cell["base"] >= 0][-1] == (
        "refused",
        2,
    )
    assert "syns" not in {SCALARS[cell["base"]].key for cell in found.cells}
    assert np.array_equal(found.bins, ONE.bins)
    assert found.dense.shape == (1, len(DENSE))


def test_sessions_with_other_fields_and_outcomes_are_translated() -> None:
    layout = json.loads(head())
    fields = [name for name in SESSION.names if name != "syns"]
    old = np.dtype([(name, SESSION[name]) for name in fields])
    layout |= {"session": codec._fields(old), "outcomes": list(OUTCOMES)[::-1]}
    rows = np.zeros(1, old)
    rows["client_port"], rows["outcome"] = 99, list(OUTCOMES)[::-1].index("closed")
    (found,) = Decoder(json.dumps(layout).encode()).sessions(rows.tobytes()).rows
    assert (found["client_port"], OUTCOMES[found["outcome"]]) == (99, "closed")
