"""What nfstream makes of a capture, in a Python environment of its own: `python nfstream_flows.py FILE`.

Flows without the recognition of applications (n_dissections=0), which cClear does not do either. Stands alone.
"""

from __future__ import annotations

import sys


def main(path: str) -> None:
    from nfstream import NFStreamer

    flows = packets = 0
    for flow in NFStreamer(source=path, n_dissections=0, statistical_analysis=False):
        flows += 1
        packets += flow.bidirectional_packets
    print(f"{flows} flows, {packets} packets")


if __name__ == "__main__":
    main(sys.argv[1])
