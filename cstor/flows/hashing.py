"""The symmetric hash of a flow: both directions, and the copies of a flow under other VNIs, have the same.

Thirty-one bits, so that it fits a signed 32-bit index entry. Words of 32 bits are multiplied by 31-bit odd constants:
the product never leaves 63 bits, so that compiled and interpreted kernels agree without unsigned arithmetic.
"""

from __future__ import annotations

from wire.packets.jit import inline


@inline
def mix(state, word):
    """Fold one 32-bit word into a 32-bit state."""
    product = ((state ^ word) & 0xFFFFFFFF) * 0x6C8E9CF5
    return (product ^ (product >> 31)) & 0xFFFFFFFF


@inline
def mix_address(state, hi, lo):
    """Fold a 128-bit address into a state; the upper words are constant for IPv4 but cost little."""
    state = mix(state, (hi >> 32) ^ (hi & 0xFFFFFFFF))
    state = mix(state, lo >> 32)
    return mix(state, lo & 0xFFFFFFFF)


@inline
def flow_hash(seed, src_hi, src_lo, dst_hi, dst_lo, src_port, dst_port, protocol):
    """31 bits, the same for both directions."""
    one = mix(mix_address(seed, src_hi, src_lo), src_port + 0x1000000)
    two = mix(mix_address(seed, dst_hi, dst_lo), dst_port + 0x1000000)
    both = mix(mix(one + two, (one ^ two) >> 3), protocol)
    return (both ^ (both >> 15)) & 0x7FFFFFFF


@inline
def conversation_hash(seed, client_hi, client_lo, server_hi, server_lo, server_port, protocol, vni):
    """31 bits; client and server are not interchangeable, and each VNI is on its own."""
    state = mix_address(mix_address(seed, client_hi, client_lo), server_hi, server_lo)
    state = mix(mix(state, server_port), protocol * 0x10001 + vni)
    return (state ^ (state >> 15)) & 0x7FFFFFFF
