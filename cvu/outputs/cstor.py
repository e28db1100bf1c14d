"""A cStor node: GENEVE with the broker's receive time in an option, so that waiting in the broker measures nothing."""

from __future__ import annotations

import numpy as np

from cvu.outputs.output import OUTPUTS
from cvu.outputs.tunnelled import Tunnelled
from wire.packets.tunnel import geneve_heads


class CstorOutput(Tunnelled):
    """To HOST:PORT of a node's vxlan source."""

    def heads(self, vni: np.ndarray, time_ns: np.ndarray) -> np.ndarray:
        return geneve_heads(vni, time_ns)


OUTPUTS.add("cstor", CstorOutput)
