"""The node's clock goes on whatever happens to the wall clock."""

from __future__ import annotations

import itertools

from cstor.capture.wallclock import WallClock

S = 1_000_000_000


class Clocks:
    def __init__(self) -> None:
        self.wall, self.monotonic = 1_700_000_000 * S, 50 * S
        self.clock = WallClock(lambda: self.wall, lambda: self.monotonic)

    def pass_(self, seconds: float) -> int:
        self.wall += int(seconds * S)
        self.monotonic += int(seconds * S)
        return self.clock.now_ns()


def test_it_is_the_wall_clock() -> None:
    clocks = Clocks()
    assert clocks.pass_(1) == clocks.wall
    clocks.wall += 3600 * S  # set forward
    assert clocks.pass_(1) == clocks.wall
    assert clocks.clock.ahead_ns == 0


def test_it_goes_on_when_the_wall_clock_is_set_back_and_meets_it_again() -> None:
    clocks = Clocks()
    before = clocks.pass_(1)
    clocks.wall -= 10 * S
    after = clocks.pass_(1)
    assert before + 0.9 * S < after <= before + S
    assert 9.9 * S < clocks.clock.ahead_ns <= 10 * S
    times = [clocks.pass_(1) for _ in range(300)]
    assert all(b - a >= 0.9 * S for a, b in itertools.pairwise(times))
    assert times[-1] == clocks.wall
    assert clocks.clock.ahead_ns == 0


def test_it_never_goes_back_for_a_wall_clock_that_is_read_late() -> None:
    clocks = Clocks()
    last = clocks.pass_(1)
    for step in (5_000_000, -5_000_000, 7_000_000, -7_000_000):
        clocks.wall += step
        now = clocks.clock.now_ns()
        assert now >= last
        last = now
