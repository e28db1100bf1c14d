"""Filter text -> classic BPF program (McCanne and Jacobson 1993), compiled by the system's libpcap for a link type.

libpcap is called through ctypes: no Python package is needed. It is given the head of a capture file without packets,
not a "dead" handle, because it compiles differently for files: a BSD loopback file may come from any system, and each
has a number of its own for IPv6. Its optimiser is on, as in tcpdump. "Expression rejects all packets" is an answer, not
an error: the program that accepts nothing.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache, lru_cache

import numpy as np

from wire.filters.error import FilterRefused
from wire.packets.layout import LINK_RAW, LINK_TYPES
from wire.packets.pcap import pcap_header

NETMASK_UNKNOWN = 0xFFFFFFFF
INSTALL = "libpcap is not installed; as root: apt-get install -y libpcap0.8"
REJECTS_ALL = "expression rejects all packets"

RETURN_NOTHING = np.array([[0x06, 0, 0, 0]], np.int64)


class LibpcapMissing(OSError):
    """The library cannot be loaded; the message is the line that installs it."""


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint), ("instructions", ctypes.POINTER(_Instruction))]


@cache
def libpcap() -> ctypes.CDLL:
    """The system's libpcap with the signatures that are used here."""
    for name in ("libpcap.so.1", "libpcap.so.0.8", ctypes.util.find_library("pcap")):
        try:
            found = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if found:
            break
    else:
        raise LibpcapMissing(INSTALL)
    found.pcap_fopen_offline.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    found.pcap_fopen_offline.restype = ctypes.c_void_p
    found.pcap_compile.argtypes = [
        ctypes.c_void_p, ctypes.POINTER(_Program), ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32,
    ]  # fmt: skip
    found.pcap_compile.restype = ctypes.c_int
    found.pcap_geterr.argtypes = [ctypes.c_void_p]
    found.pcap_geterr.restype = ctypes.c_char_p
    found.pcap_freecode.argtypes = [ctypes.POINTER(_Program)]
    found.pcap_freecode.restype = None
    found.pcap_close.argtypes = [ctypes.c_void_p]
    found.pcap_close.restype = None
    return found


@lru_cache(maxsize=512)
def compile_text(text: str, link_type: int = LINK_RAW) -> np.ndarray:
    """The program of a filter for a link type: rows of code, jt, jf, k. FilterRefused with libpcap's own words."""
    pcap = libpcap()
    name = LINK_TYPES.get(link_type, f"link type {link_type}")
    # Raw IP has further numbers, of other systems, which libpcap here does not take from a file.
    known = LINK_RAW if name == LINK_TYPES[LINK_RAW] else link_type
    head = ctypes.create_string_buffer(pcap_header(known))
    handle = _open(pcap, head)
    program = _Program()
    try:
        if pcap.pcap_compile(handle, ctypes.byref(program), text.encode(), 1, NETMASK_UNKNOWN) != 0:
            reason = pcap.pcap_geterr(handle).decode(errors="replace")
            if REJECTS_ALL in reason:
                return RETURN_NOTHING
            raise FilterRefused(f"{name}: {reason}")
        instructions = program.instructions[: program.length]
        rows = [(one.code, one.jt, one.jf, one.k) for one in instructions]
        pcap.pcap_freecode(ctypes.byref(program))
        return np.array(rows, np.int64)
    finally:
        pcap.pcap_close(handle)


def _open(pcap: ctypes.CDLL, head: ctypes.Array[ctypes.c_char]) -> int:
    """A handle on a file in memory; `head` has to live as long as it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fmemopen.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    libc.fmemopen.restype = ctypes.c_void_p
    file = libc.fmemopen(head, len(head) - 1, b"rb")
    reason = ctypes.create_string_buffer(256)
    handle = pcap.pcap_fopen_offline(file, reason) if file else None
    if not handle:
        raise FilterRefused(f"libpcap cannot compile for this link type: {reason.value.decode(errors='replace')}")
    return int(handle)
