"""TCP sequence arithmetic: the only file that knows that sequence numbers wrap at 2**32 (RFC 9293, section 3.4).

Sequence numbers are int64 values 0 .. 2**32 - 1; UNKNOWN (-1) is never passed in here.
"""

from __future__ import annotations

from wire.packets.jit import inline

UNKNOWN = -1
MASK = 0xFFFFFFFF


@inline
def ahead(a, b):
    """How far a is ahead of b, -2**31 .. 2**31 - 1."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@inline
def plus(a, count):
    """The sequence number `count` bytes after a."""
    return (a + count) & 0xFFFFFFFF
