"""The long form of tests/test_chaos.py: SOAK_CHAOS_S seconds (30 minutes) of random kills, then every number."""

from __future__ import annotations

import os

from tests.chain import Chain
from tests.chaos import Chaos, differences, settle

SECONDS = float(os.environ.get("SOAK_CHAOS_S", "1800"))
SEED = int(os.environ.get("SOAK_CHAOS_SEED", "1"))


def test_it_heals_whatever_is_killed() -> None:
    chain = Chain()
    try:
        chain.start()
        chaos = Chaos(chain, SEED, pause_s=(0.5, 20.0))
        chaos.run(SECONDS)
        print("killed", dict(chaos.kills))
        settle(chain)
        assert differences(chain) == []
        assert all(chaos.kills.values())
    finally:
        chain.remove()
