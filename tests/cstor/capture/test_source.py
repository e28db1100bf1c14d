"""What a [[source]] table may say: errors name the key, and no kind of source is listed by hand."""

from __future__ import annotations

import pytest

from cstor.capture.source import SOURCES, make_source
from cstor.config import ConfigError


def test_every_kind_is_found() -> None:
    make_source({"kind": "vxlan"})
    assert set(SOURCES.keys()) >= {"afpacket", "vxlan", "pipe", "pcapfile"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "afpaket"}, "afpaket"),
        ({"kind": "afpacket"}, "interface"),
        ({"kind": "afpacket", "interface": 5}, "interface has the wrong type: 5"),
        ({"kind": "afpacket", "interface": "eth0", "threads": "two"}, "threads has the wrong type"),
        ({"kind": "afpacket", "interface": "eth0", "threads": True}, "threads has the wrong type"),
        ({"kind": "afpacket", "interface": "eth0", "promiscuous": "yes"}, "promiscuous has the wrong type"),
        ({"kind": "afpacket", "interface": "eth0", "ring": "much"}, "ring is a size"),
        ({"kind": "afpacket", "interface": "eth0", "rings": 5}, "rings"),
        ({"kind": "vxlan", "listen": "4789"}, "is not HOST:PORT"),
        ({"kind": "vxlan", "peer_times": 1}, "peer_times has the wrong type"),
        ({"kind": "pipe", "delay_s": 100}, "delay_s is 0 to 60"),
    ],
)
def test_errors_name_the_key(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_source(options)


def test_sizes_and_seconds_may_be_numbers() -> None:
    make_source({"kind": "afpacket", "interface": "eth0", "ring": 64 << 20})
    make_source({"kind": "pipe", "delay_s": 1})
