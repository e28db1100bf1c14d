"""Notes between panels."""

from __future__ import annotations

from dashboards.panels.panel import PANELS
from tests.dashboards.frames import frame_of


def test_it_keeps_paragraphs_and_links_and_escapes_the_rest() -> None:
    html = PANELS["text"].draw(frame_of(), {"text": "One <b>\n\nTwo https://example.org/x"}).html
    assert html.count("<p>") == 2
    assert "&lt;b&gt;" in html
    assert 'href="https://example.org/x"' in html
