"""Names that people read: hosts behind their addresses, labels, and the way from a label to a monitor."""

from __future__ import annotations

from dashboards.panels.labels import group_label, monitor_named
from dashboards.panels.panel import PANELS, Setting
from tests.dashboards.frames import frame_of, series_of

NAMES = {"web": "Web traffic", "10.0.0.7": "till-7", "10.1.0.1": "web-1", "2001:db8::1": "six"}
LINKS = Setting(links={"label": "/labels/monitor/?"})


def test_it_puts_names_behind_addresses() -> None:
    keys = {"client_ip": "10.0.0.7", "server_ip": "10.1.0.1", "server_port": 443}
    assert group_label(monitor_named(keys, NAMES)) == "10.0.0.7 till-7 → 10.1.0.1:443 web-1"
    assert group_label(monitor_named(keys, {})) == "10.0.0.7 → 10.1.0.1:443"
    assert group_label(monitor_named({"server_ip": "2001:db8::1", "server_port": 53}, NAMES)) == "[2001:db8::1]:53 six"
    assert monitor_named({"monitor": "web", "host": "10.9.9.9"}, NAMES) == {
        "monitor": "Web traffic",
        "host": "10.9.9.9",
    }


def test_it_shows_names_in_tables() -> None:
    frame = frame_of(series_of([0.2], keys={"host": "10.0.0.7"}), names=NAMES)
    assert "10.0.0.7 till-7" in PANELS["table"].draw(frame, {}).html


def test_it_leads_from_one_label_to_a_monitor() -> None:
    def drawn(keys: dict[str, str | None]) -> str:
        return PANELS["table"].draw(frame_of(series_of([0.2], keys=keys)), {}, LINKS).html

    assert "/labels/monitor/?key=service&amp;name=Web+shop" in drawn({"service": "Web shop"})
    assert "/labels/monitor/" not in drawn({"service": None})
    assert "/labels/monitor/" not in drawn({"client_location": "A", "server_location": "B"})
