"""Any tool that takes VXLAN: frames go on as they came, under the VNI of their mirror session."""

from __future__ import annotations

import numpy as np

from cvu.outputs.output import OUTPUTS
from cvu.outputs.tunnelled import Tunnelled
from wire.packets.tunnel import vxlan_heads


class VxlanOutput(Tunnelled):
    """To HOST:PORT."""

    def heads(self, vni: np.ndarray, time_ns: np.ndarray) -> np.ndarray:
        return vxlan_heads(vni)


OUTPUTS.add("vxlan", VxlanOutput)
