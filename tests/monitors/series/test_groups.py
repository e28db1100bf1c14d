"""Group numbers follow from keys and revision alone."""

from __future__ import annotations

from monitors.series.groups import group_id

KEYS = (("client_ip", "10.0.0.1"), ("server_port", 443))


def test_it_is_the_same_for_every_worker_and_every_order_of_keys() -> None:
    assert group_id(1, KEYS) == group_id(1, tuple(reversed(KEYS)))
    assert group_id(1, KEYS) == -350_276_202_759_629_200


def test_it_differs_by_revision_key_and_value() -> None:
    numbers = {
        group_id(1, KEYS),
        group_id(2, KEYS),
        group_id(1, (("server_ip", "10.0.0.1"), ("server_port", 443))),
        group_id(1, (("client_ip", "10.0.0.1"), ("server_port", None))),
        group_id(1, (("client_ip", "10.0.0.1"), ("server_port", 44))),
    }
    assert len(numbers) == 5
    assert all(-(2**63) <= number < 2**63 for number in numbers)
