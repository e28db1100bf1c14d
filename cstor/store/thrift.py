"""Thrift's compact protocol, as much of it as Parquet's page heads and footers need, written only.

After https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md. A struct is a dictionary from
field number to value, in ascending order; the kind of a value follows from its Python type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class I64(int):
    """A number of 64 bits; a plain int is one of 32."""


Struct = Mapping[int, Any]  # field number -> int, I64, str, bytes, list of these, Struct, or None: not there

_KIND = {int: 5, I64: 6, str: 8, bytes: 8, list: 9, dict: 12}
_SHORT = [bytes([number]) for number in range(128)]


def struct_bytes(fields: Struct) -> bytes:
    """A struct's bytes. Numbers of fields rise by less than 16, as they do in all of Parquet's."""
    out = []
    previous = 0
    for number, value in fields.items():
        if value is not None:
            out.append(
                _SHORT[number - previous << 4 | _KIND[type(value)]]
                if number - previous < 8
                else _wide(number - previous, value)
            )
            out.append(_value(value))
            previous = number
    out.append(b"\0")
    return b"".join(out)


def _wide(delta: int, value: Any) -> bytes:
    return bytes([delta << 4 | _KIND[type(value)]])


def _value(value: Any) -> bytes:
    kind = _KIND[type(value)]
    if kind <= 6:
        return _varint(value << 1 if value >= 0 else (-value << 1) - 1)
    if kind == 8:
        content = value.encode() if isinstance(value, str) else value
        return _varint(len(content)) + content
    if kind == 12:
        return struct_bytes(value)
    inner = _KIND[type(value[0])] if value else 12
    head = bytes([len(value) << 4 | inner]) if len(value) < 15 else bytes([0xF0 | inner]) + _varint(len(value))
    return head + b"".join(map(_value, value))


def _varint(number: int) -> bytes:
    if number < 128:
        return _SHORT[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
