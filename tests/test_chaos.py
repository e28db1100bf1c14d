"""Nodes, workers, beat, broker and database are killed while the lab sends: afterwards every number is right.

The long form is `make soak`.
"""

from __future__ import annotations

from tests.chain import Chain
from tests.chaos import Chaos, differences, settle

SECONDS = 45


def test_it_heals_whatever_is_killed() -> None:
    chain = Chain()
    try:
        chain.start()
        chaos = Chaos(chain, seed=4, pause_s=(0.5, 4.0))
        chaos.run(SECONDS)
        settle(chain)
        assert differences(chain) == []
        assert len(chaos.kills) >= 6
    finally:
        chain.remove()
