"""Ten seconds put together: questions in buckets of ten seconds or more walk over a conversation once, not ten times.

Made when the first such question comes after the ten seconds are complete, and kept while there is room. Where
conversations hardly last longer than a second it gains nothing, which is remembered too.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import groupby

from cstor.store.block import Block
from cstor.store.partials import Measured, Partials, put_together_rows

LENGTH_S = 10
MAX_BYTES = 96 << 20
WORTH = 0.7  # of the rows of the single seconds may be left


class Decades:
    """Threads may share it."""

    def __init__(self) -> None:
        self._held = Partials(MAX_BYTES)
        self._making = threading.Lock()

    def of(self, blocks: Sequence[Block], step: int, complete_until: int) -> list[Block]:
        """The same rows in fewer blocks, where the buckets of a question allow it."""
        if step % LENGTH_S:
            return list(blocks)
        out: list[Block] = []
        ordered = sorted(blocks, key=lambda block: block.t)
        for number, some in groupby(ordered, key=lambda block: block.t // LENGTH_S):
            seconds = list(some)
            is_complete = (number + 1) * LENGTH_S <= complete_until
            out += self._put_together(seconds) if is_complete and len(seconds) > 1 else seconds
        return out

    def _put_together(self, seconds: list[Block]) -> list[Block]:
        key = tuple(block.serial for block in seconds)
        with self._making:
            found = self._held.get(key)
            if found is None:
                rows = sum(block.rows for block in seconds)
                made = put_together_rows(seconds[0].t, seconds)
                found = made if made.rows <= WORTH * rows else Measured(rows, 0)
                self._held.put(key, found)
        return [found] if isinstance(found, Block) else seconds
