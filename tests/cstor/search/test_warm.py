from __future__ import annotations

import pytest
from numba.core import config

from cstor.search.gather import copy_frames
from cstor.search.roles import find_roles
from cstor.search.warm import WARM, warm_up
from wire.filters.bpf_match import match_bpf


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
def test_it_leaves_nothing_to_be_compiled() -> None:
    warm_up()
    assert WARM.is_set()
    for kernel in (match_bpf, find_roles, copy_frames):
        assert len(kernel.signatures) == 1, kernel.signatures
