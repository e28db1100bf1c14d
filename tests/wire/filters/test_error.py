from __future__ import annotations

import pickle

from wire.filters.error import FilterError, FilterRefused


def test_it_cuts_a_long_filter_around_the_caret() -> None:
    text = "host 10.0.0.1 or " * 30 + "bogus" + " or host 10.0.0.2" * 30
    shown, caret = FilterError("no", text, 17 * 30 + 1, 5).pointer().split("\n")
    assert len(shown) < 140
    start = caret.index("^")
    assert shown[start : start + 5] == "bogus"
    assert caret.count("^") == 5


def test_it_shows_lines_and_tabs_as_blanks() -> None:
    assert FilterError("no", "tcp\nand\tx", 9).pointer() == "tcp and x\n        ^"


def test_it_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(FilterRefused("no", "tcp", 1, 3)))
    assert isinstance(error, FilterRefused)
    assert str(error) == "no (column 1)"
    assert error.width == 3
