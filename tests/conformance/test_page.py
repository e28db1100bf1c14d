"""docs/conformance.md is what the comparison gives, and nothing in it is without a reason."""

from __future__ import annotations

from tests.captures import CAPTURES, needs_captures
from tests.conformance.page import PAGE, page


@needs_captures
def test_the_page_is_what_the_comparison_gives_and_explains_every_difference() -> None:
    assert CAPTURES
    made = page(CAPTURES)
    assert "DEFECTS" not in made
    assert made == PAGE.read_text(), "run `make conformance`"
