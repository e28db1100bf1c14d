"""Filter text -> tokens, by the rules of libpcap's scanner: the longest match wins, then the more special one.

So `8000-8999` and `ftp-data` are names, `10.1` is a network, `0:2` three tokens and `::1` an address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Literal

from wire.filters.error import FilterError
from wire.filters.names import CONSTANTS, KEYWORDS

TokenKind = Literal["keyword", "operator", "number", "ipv4", "ipv6", "mac", "name", "end"]

MAX_TEXT = 100_000  # characters; a filter of 5,000 hosts has that
MAX_NUMBER = 0xFFFFFFFF

_SPACE = re.compile(r"[ \t\r\n]+")
_OPERATOR = re.compile(r"&&|\|\||>=|<=|!=|==|<<|>>|[-+*/%:\[\]!<>()&|^=]")
_NAME = re.compile(r"[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?")
_ESCAPED = re.compile(r"\\([^ !()\n\t]+)")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]+|[0-9]+")
_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){1,3}")
_B = "[0-9A-Fa-f]{1,2}"
_B2 = "[0-9A-Fa-f]{4}"
_MAC = re.compile(rf"{_B}(?:(?::{_B}){{5}}|(?:-{_B}){{5}}|(?:\.{_B}){{5}})|{_B2}\.{_B2}\.{_B2}|[0-9A-Fa-f]{{12}}")
_COLONS = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:]*(?:\.[0-9]+){0,3}")


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a filter; `value` is the number of number tokens, `column` counts from 1."""

    kind: TokenKind
    text: str
    column: int
    value: int = 0

    @property
    def width(self) -> int:
        return max(1, len(self.text))


def tokenize(text: str) -> list[Token]:
    """All tokens of a filter, closed by an `end` token."""
    if len(text) > MAX_TEXT:
        raise FilterError(f"the filter is longer than {MAX_TEXT:,} characters")
    tokens: list[Token] = []
    position = 0
    while True:
        if space := _SPACE.match(text, position):
            position = space.end()
        if position >= len(text):
            tokens.append(Token("end", "", len(text) + 1))
            return tokens
        token = _token_at(text, position)
        tokens.append(token)
        position += token.width


def _token_at(text: str, position: int) -> Token:
    column = position + 1
    if escaped := _ESCAPED.match(text, position):
        return Token("name", escaped.group(), column)
    word = _matched(_NAME, text, position)
    for kind, pattern in (("mac", _MAC), ("ipv6", _COLONS), ("ipv4", _IPV4), ("number", _NUMBER)):
        found = _matched(pattern, text, position)
        if found and len(found) >= len(word):
            if kind == "ipv6" and len(found) <= len(_matched(_MAC, text, position)):
                continue
            if kind == "mac" and found.isdecimal() and len(found) == 12 and int(found) <= MAX_NUMBER:
                continue  # twelve decimal digits that are a number after all (leading zeros)
            return _checked(kind, found, text, column)
    if word:
        if word in CONSTANTS:
            return Token("number", word, column, CONSTANTS[word])
        return Token("keyword" if word in KEYWORDS else "name", word, column)
    if operator := _matched(_OPERATOR, text, position):
        return Token("keyword" if operator in KEYWORDS else "operator", operator, column)
    raise FilterError(f"{text[position]!r} has no meaning in a filter", text, column)


def _matched(pattern: re.Pattern[str], text: str, position: int) -> str:
    found = pattern.match(text, position)
    return found.group() if found else ""


def _checked(kind: str, found: str, text: str, column: int) -> Token:
    if kind == "ipv6":
        try:
            IPv6Address(found)
        except AddressValueError:
            message = f"'{found}' is neither an IPv6 address nor a MAC address"
            raise FilterError(message, text, column, len(found)) from None
        return Token("ipv6", found, column)
    if kind == "number":
        return Token("number", found, column, _number(found, text, column))
    return Token("mac" if kind == "mac" else "ipv4", found, column)


def _number(found: str, text: str, column: int) -> int:
    """A number in C's notation: 0x2f, 057 (octal), 47."""
    octal = len(found) > 1 and found[0] == "0" and found[1] not in "xX"
    try:
        value = int(found, 8) if octal else int(found, 0)
    except ValueError:
        message = f"'{found}' begins with 0, so it is octal, and has a digit above 7"
        raise FilterError(message, text, column, len(found)) from None
    if value > MAX_NUMBER:
        raise FilterError(f"'{found}' does not fit in 32 bits", text, column, len(found))
    return value
