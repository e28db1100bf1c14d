"""Qualifiers and what follows them -> a term: `tcp src` + `port` + `80`, checked as libpcap checks them."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from wire.filters.error import FilterError
from wire.filters.lexer import Token
from wire.filters.names import ETHER_PROTOCOLS, IP_PROTOCOLS, ISO_PROTOCOLS
from wire.filters.services import port_of
from wire.filters.terms import IPV6_BITS, Address, Direction, EtherHost, Port, Proto

ALL_ONES = 0xFFFFFFFF


class Qualifier(NamedTuple):
    """What was said before a name or number; `kind` "" means that `host` is understood."""

    layer: str = ""
    direction: Direction = "either"
    kind: str = ""

    def words(self) -> str:
        """The qualifier as a user would write it."""
        return " ".join(word for word in (self.layer, self.kind or "host") if word)


class Maker:
    """Builds the terms of one filter text and points into it when they cannot be."""

    def __init__(self, text: str) -> None:
        self.text = text

    def error(self, token: Token, message: str) -> FilterError:
        return FilterError(message, self.text, token.column, token.width)

    def address(self, qualifier: Qualifier, token: Token, length: int | None, mask: Token | None) -> Address:
        """`host` and `net` with an IPv4 or IPv6 address, a prefix length or a mask."""
        if qualifier.kind not in ("", "host", "net"):
            raise self.error(
                token, f"'{token.text}' is an address, but '{qualifier.words()}' takes a {_takes(qualifier)}"
            )
        if qualifier.layer not in ("", "ip", "ip6", "arp", "rarp"):
            raise self.error(token, self._no_address_in(qualifier, token))
        if qualifier.layer in ("arp", "rarp") and qualifier.direction in ("client", "server"):
            raise self.error(token, f"'{qualifier.layer}' has no {qualifier.direction}: it takes 'src' or 'dst'")
        if (length is not None or mask) and qualifier.kind != "net" and token.kind != "ipv6":
            raise self.error(token, f"a mask needs 'net' before it: write 'net {token.text}{_suffix(length, mask)}'")
        if token.kind == "ipv6":
            return self._ipv6(qualifier, token, length, mask)
        if qualifier.layer == "ip6":
            raise self.error(token, f"'{token.text}' is an IPv4 address, but 'ip6' stands before it")
        return self._ipv4(qualifier, token, length, mask)

    def _no_address_in(self, qualifier: Qualifier, token: Token) -> str:
        if qualifier.layer == "ether":
            return f"'ether' takes a MAC address such as 0a:1b:2c:3d:4e:5f, not '{token.text}'"
        layer, kind = qualifier.layer, qualifier.kind or "host"
        return f"'{layer}' has no addresses: write '{layer} and {kind} {token.text}'"

    def _ipv6(self, qualifier: Qualifier, token: Token, length: int | None, mask: Token | None) -> Address:
        if qualifier.layer not in ("", "ip6"):
            raise self.error(token, f"'{token.text}' is an IPv6 address, but '{qualifier.layer}' stands before it")
        if mask:
            raise self.error(mask, f"an IPv6 network takes a length, not a mask: '{token.text}/64'")
        bits = IPV6_BITS if length is None else length
        if bits > IPV6_BITS:
            raise self.error(token, f"'/{bits}' is longer than an IPv6 address (128 bits)")
        ones = ((1 << bits) - 1) << (IPV6_BITS - bits)
        return self._masked(qualifier, token, 6, int(IPv6Address(token.text)), ones)

    def _ipv4(self, qualifier: Qualifier, token: Token, length: int | None, mask: Token | None) -> Address:
        value, given_bits = self._dotted(token)
        if mask:
            ones, mask_bits = self._dotted(mask)
            ones <<= 32 - mask_bits
        else:
            bits = given_bits if length is None else length
            if bits > 32:
                raise self.error(token, f"'/{bits}' is longer than an IPv4 address (32 bits)")
            ones = (ALL_ONES << (32 - bits)) & ALL_ONES
        return self._masked(qualifier, token, 4, value << (32 - given_bits), ones)

    def _masked(self, qualifier: Qualifier, token: Token, version: int, value: int, mask: int) -> Address:
        if value & ~mask:
            network = IPv4Address(value & mask) if version == 4 else IPv6Address(value & mask)
            raise self.error(token, f"'{token.text}' has bits set outside its mask; the network is {network}")
        place = {"column": token.column, "width": token.width}
        return Address(qualifier.layer, qualifier.direction, version, value, mask, **place)

    def _dotted(self, token: Token) -> tuple[int, int]:
        """Value and bits of one to four dotted numbers: 10.1 is 0x0a01 of 16 bits."""
        numbers = token.text.split(".")
        if token.kind == "number" and token.value > 255:
            raise self.error(token, f"'{token.text}' is a number where an address is expected")
        if len(numbers) == 4:
            try:
                return int(IPv4Address(".".join(number.lstrip("0") or "0" for number in numbers))), 32
            except AddressValueError:
                raise self.error(token, f"'{token.text}' is not an IPv4 address") from None
        value = 0
        for number in numbers:
            byte = token.value if token.kind == "number" else int(number)
            if byte > 255:
                raise self.error(token, f"'{token.text}' is not an IPv4 network: {number} is above 255")
            value = value << 8 | byte
        return value, 8 * len(numbers)

    def ether_host(self, qualifier: Qualifier, token: Token) -> EtherHost:
        if qualifier.layer != "ether":
            raise self.error(token, f"'{token.text}' is a MAC address: write 'ether host {token.text}'")
        if qualifier.kind not in ("", "host"):
            raise self.error(
                token, f"'{token.text}' is a MAC address, but '{qualifier.words()}' takes a {_takes(qualifier)}"
            )
        if qualifier.direction in ("client", "server"):
            raise self.error(token, f"'{qualifier.direction}' is about connections; a MAC address takes 'src' or 'dst'")
        place = {"column": token.column, "width": token.width}
        return EtherHost(qualifier.direction, _mac(token.text), **place)

    def port(self, qualifier: Qualifier, token: Token) -> Port:
        """`port` and `portrange` with numbers or names of services."""
        if qualifier.layer not in ("", "tcp", "udp", "sctp"):
            message = f"'{qualifier.layer}' has no ports: 'tcp', 'udp' and 'sctp' have"
            raise self.error(token, message)
        if token.kind == "number":
            low = high = (token.value, "")
        elif qualifier.kind == "portrange":
            low, high = self._range(token)
        else:
            low = high = self._named_port(token, _bare(token))
        layer = self._transport(qualifier, token, {low[1], high[1]})
        first, last = sorted((low[0], high[0]))
        if last > 65535:
            raise self.error(token, f"{last} is not a port: ports end at 65535")
        place = {"column": token.column, "width": token.width}
        return Port(layer, qualifier.direction, first, last, **place)

    def _range(self, token: Token) -> tuple[tuple[int, str], tuple[int, str]]:
        word = _bare(token)
        for index, character in enumerate(word):
            if character != "-":
                continue
            ends = _port(word[:index]), _port(word[index + 1 :])
            if ends[0] and ends[1]:
                return ends[0], ends[1]
        if single := _port(word):
            return single, single
        raise self.error(token, f"'{word}' is not a range of ports such as 8000-8999")

    def _named_port(self, token: Token, word: str) -> tuple[int, str]:
        if found := _port(word):
            return found
        if "-" in word and all(part.isdigit() for part in word.split("-")):
            raise self.error(token, f"'{word}' is a range: write 'portrange {word}'")
        raise self.error(token, f"'{word}' is not the name of a port; its number always works")

    def _transport(self, qualifier: Qualifier, token: Token, named: set[str]) -> str:
        """The layer of a port by name, as libpcap has it: `port ssh` means `tcp port 22`."""
        own = named.pop() if len(named) == 1 else ""
        if own and qualifier.layer and own != qualifier.layer:
            raise self.error(token, f"'{token.text}' is a port of {own}, but '{qualifier.layer}' stands before it")
        return qualifier.layer or own

    def proto(self, qualifier: Qualifier, token: Token) -> Proto:
        """`proto` and `protochain` with a number or the name of a protocol."""
        layer, chain = qualifier.layer, qualifier.kind == "protochain"
        names = {"ether": ETHER_PROTOCOLS, "iso": ISO_PROTOCOLS, "isis": {}}.get(layer, IP_PROTOCOLS)
        if layer not in (("", "ip", "ip6") if chain else ("", "ip", "ip6", "ether", "iso", "isis")):
            raise self.error(token, f"'{layer} {qualifier.kind}' does not exist: 'ip', 'ip6' and 'ether' have it")
        word = _bare(token)
        number = token.value if token.kind == "number" else names.get(word)
        if number is None:
            raise self.error(
                token, f"'{word}' is not a protocol of '{layer or 'ip'} {qualifier.kind}'; its number always works"
            )
        most = 0xFFFF if layer == "ether" else 0xFF
        if number > most:
            raise self.error(token, f"{number} is not a protocol number: they end at {most}")
        return Proto(layer, number, chain, column=token.column, width=token.width)


def _takes(qualifier: Qualifier) -> str:
    return {"port": "port", "portrange": "range of ports", "proto": "protocol", "protochain": "protocol"}.get(
        qualifier.kind, "network"
    )


def _suffix(length: int | None, mask: Token | None) -> str:
    return f" mask {mask.text}" if mask else f"/{length}"


def _bare(token: Token) -> str:
    return token.text.removeprefix("\\")


def _port(word: str) -> tuple[int, str] | None:
    return (int(word), "") if word.isdecimal() else port_of(word)


def _mac(text: str) -> str:
    r"""Six bytes with colons, of any of the forms of pcap-filter(7): 1-2-3-4-5-6, 0102.0304.0506, 010203040506."""
    for separator in (":", "-", "."):
        parts = text.split(separator)
        if len(parts) == 6:
            return ":".join(f"{int(part, 16):02x}" for part in parts)
    digits = text.replace(".", "").lower()
    return ":".join(digits[index : index + 2] for index in range(0, 12, 2))
