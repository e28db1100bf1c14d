"""How answers and files write that something was not measured.

A value that is absent is 0 in a sum, and in a minimum or maximum the number that loses against every other, so that
merging needs no masks.
"""

from __future__ import annotations

import numpy as np

from cstor.metrics.registry import KINDS, SCALARS

_INT64 = np.iinfo(np.int64)
ABSENT = {"sum": 0, "min": int(_INT64.max), "max": int(_INT64.min)}
BASE_NUMBER = {base.key: number for number, base in enumerate(SCALARS)}


def absent_value(base_key: str) -> int:
    """What stands in a column where the base was not measured."""
    return ABSENT[KINDS[base_key]]
