"""The clock of a running capture: up to where its seconds are complete, and which of them it could not keep.

`live/clock.json` is written after the seconds it vouches for. On a full disk it stands still, so that nothing is
acknowledged that a kill would lose; seconds that were dropped meanwhile are taken out of what was observed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from cstor.store.ledger import Clock, Interval, changed_ledger, settle_clock, united, write_clock

NEVER = 1 << 62  # a second that does not come

log = logging.getLogger("cstor.store")


class CaptureClock:
    """Belongs to the one capturing thread; `begin` first, `end` last."""

    def __init__(self, root: Path) -> None:
        self.complete_until = 0
        self._root = root
        self._observed_from = 0
        self._lost: list[int] = []

    def begin(self, now_s: int) -> None:
        """The capture runs: the next whole second is the first to be observed."""
        self._observed_from = now_s + 1
        try:
            with changed_ledger(self._root) as ledger:
                ledger.is_captured = True
            self._write(now_s)
        except OSError as error:
            log.warning("the capture begins on a disk that takes nothing: %s", error)

    def tell(self, complete_until: int, held_from: int | None = None, lost: Sequence[int] = ()) -> None:
        """Seconds before `complete_until` are with the store, but none from `held_from` on, and not the `lost` ones."""
        self._lost += lost
        if held_from is not None:
            complete_until = min(complete_until, held_from)
        try:
            if self._lost:
                self._forget_lost()
            if complete_until > self.complete_until:
                self._write(complete_until)
        except OSError as error:
            log.debug(
                "the clock stands still: %s", error
            )  # the disk is full: told again in a moment, and in the status

    def pause(self) -> None:
        """A source receives nothing: seconds go on being complete, but what comes is not observed."""
        try:
            with changed_ledger(self._root) as ledger:
                ledger.observed = united([*ledger.observed, (self._observed_from, self.complete_until)])
            self._observed_from = NEVER
            self._write(self.complete_until)
        except OSError as error:
            log.warning("what is not observed cannot be written down: %s", error)

    def resume(self, now_s: int) -> None:
        """All sources receive again: the next whole second is observed."""
        self._observed_from = now_s + 1
        try:
            self._write(self.complete_until)
        except OSError as error:
            log.debug("the clock is told in a moment: %s", error)

    def end(self) -> None:
        """The capture has ended and everything is with the store."""
        try:
            settle_clock(self._root)
        except OSError as error:
            log.warning("what was observed is settled at the next start: %s", error)

    def _forget_lost(self) -> None:
        """The ledger takes what was observed up to the last lost second, the clock begins anew behind it."""
        until = max(self._lost) + 1
        with changed_ledger(self._root) as ledger:
            ledger.observed = united([*ledger.observed, *_without(self._observed_from, until, sorted(set(self._lost)))])
        self._observed_from = max(self._observed_from, until)
        self._lost.clear()
        self._write(self.complete_until)

    def _write(self, complete_until: int) -> None:
        write_clock(self._root, Clock(self._observed_from, complete_until))
        self.complete_until = complete_until


def _without(start: int, end: int, seconds: Sequence[int]) -> list[Interval]:
    """[start, end) less single seconds, given in ascending order."""
    rest = []
    for second in seconds:
        rest.append((start, min(second, end)))
        start = max(start, second + 1)
    return [*rest, (start, end)]
