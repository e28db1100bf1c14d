"""Tokens -> expression: a recursive descent over the grammar of pcap-filter(7).

`and` and `or` have the same precedence and associate to the left, `not` binds to the next term only; a name or number
without qualifiers takes the last ones (`host a or b`). Of juxtaposed terms libpcap allows none, and so does this.
"""

from __future__ import annotations

import difflib

from wire.filters.arithmetic import ArithmeticParser
from wire.filters.lexer import MAX_NUMBER, Token
from wire.filters.names import (
    DIRECTIONS,
    KINDS,
    LEFT_OUT,
    LINK_WORDS,
    LLC_TYPES,
    LOGIC,
    LONE_WORDS,
    PROTOCOLS,
    SUGGESTED,
    SYNONYMS,
    TAGS,
)
from wire.filters.qualified import Maker, Qualifier
from wire.filters.terms import (
    Cast,
    Direction,
    Expression,
    Length,
    Not,
    Number,
    Protocol,
    Relation,
    Tag,
    Vni,
    Word,
    conjunction,
    disjunction,
)

Parsed = tuple[Expression, Qualifier | None]
VNI_MAX = 0xFFFFFF


class Parser(ArithmeticParser):
    """One filter text, read from left to right."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        super().__init__(text, tokens)
        self.make = Maker(text)

    def whole(self) -> Expression:
        expression, _ = self.expression(None)
        if self.token.kind != "end":
            raise self.error(self.token, self._unexpected(self.token))
        return expression

    def expression(self, last: Qualifier | None) -> Parsed:
        left, last = self.operand(last)
        while (logic := LOGIC.get(self.token.text)) and self.token.kind == "keyword":
            self.advance()
            right, last = self.operand(last)
            left = (conjunction if logic == "and" else disjunction)(left, right)
        return left, last

    def operand(self, last: Qualifier | None) -> Parsed:
        negations = 0
        while self.token.text in ("not", "!") and self.token.kind in ("keyword", "operator"):
            negations += 1
            self.advance()
        expression, last = self.primary(last)
        for _ in range(negations):
            expression = Not(expression)
        return expression, last

    def primary(self, last: Qualifier | None) -> Parsed:
        token = self.token
        if self.starts_arithmetic():
            return self.relation(), None
        if token.text == "(" and token.kind == "operator":
            return self.group(last), last
        if token.kind == "keyword":
            return self.term()
        if token.kind in ("end", "operator"):
            raise self.error(token, self._unexpected(token))
        if last is None:
            raise self.error(token, self._alone(token))
        return self.qualified(last), last

    def group(self, last: Qualifier | None) -> Expression:
        opening = self.token
        with self.deeper(opening):
            self.advance()
            expression, _ = self.expression(last)
        if self.token.text != ")":
            missing = "this '(' is never closed" if self.token.kind == "end" else self._unexpected(self.token)
            raise self.error(opening if self.token.kind == "end" else self.token, missing)
        self.advance()
        return expression

    def term(self) -> Parsed:
        token = self.token
        word = SYNONYMS.get(token.text, token.text)
        if word in LEFT_OUT:
            raise self.error(token, LEFT_OUT[word])
        if word in PROTOCOLS or word in LINK_WORDS:
            return self.protocol(token, "ether" if word in LINK_WORDS else word)
        if word in DIRECTIONS or word in KINDS or word in ("proto", "protochain"):
            return self.head("")
        if word in ("broadcast", "multicast"):
            return self.cast("ether", token), None
        return self.simple(token, word), None

    def protocol(self, token: Token, layer: str) -> Parsed:
        following = self.peek()
        if following.kind == "keyword":
            if following.text in DIRECTIONS or following.text in KINDS or following.text in ("proto", "protochain"):
                self.advance()
                return self.head(layer)
            if following.text in ("broadcast", "multicast"):
                self.advance()
                return self.cast(layer, token), None
        if layer == "ether":
            raise self.error(
                token, f"'{token.text}' alone says nothing: write '{token.text} host MAC' or '{token.text} proto N'"
            )
        self.advance()
        return Protocol(layer, column=token.column, width=token.width), None

    def head(self, layer: str) -> Parsed:
        """Direction and kind, then what they qualify."""
        direction = self.direction()
        kind = ""
        if self.token.kind == "keyword" and self.token.text in (*KINDS, "proto", "protochain"):
            kind = self.token.text
            if kind in ("proto", "protochain") and direction != "either":
                raise self.error(self.token, f"'{kind}' has no direction: leave out '{direction}'")
            self.advance()
        qualifier = Qualifier(layer, direction, kind)
        return self.qualified(qualifier), qualifier

    def direction(self) -> Direction:
        token = self.token
        if token.kind != "keyword" or token.text not in DIRECTIONS:
            return "either"
        self.advance()
        if token.text in ("client", "server"):
            return "client" if token.text == "client" else "server"
        other = "dst" if token.text == "src" else "src"
        logic = LOGIC.get(self.token.text)
        if logic and self.peek().text == other and self.peek().kind == "keyword":
            self.advance()
            self.advance()
            return "either" if logic == "or" else "both"
        return "src" if token.text == "src" else "dst"

    def qualified(self, qualifier: Qualifier) -> Expression:
        """A name, number, address or group of them, under a qualifier that is given or inherited."""
        token = self.token
        if token.kind == "operator" and token.text == "(":
            return self.group(qualifier)
        if token.text in ("not", "!") and token.kind in ("keyword", "operator"):
            self.advance()
            with self.deeper(token):
                return Not(self.qualified(qualifier))
        if token.kind == "mac":
            self.advance()
            return self.make.ether_host(qualifier, token)
        if token.kind in ("ipv4", "ipv6"):
            return self.address(qualifier)
        if token.kind in ("number", "name") or (token.kind == "keyword" and qualifier.kind.startswith("proto")):
            return self.named(qualifier)
        raise self.error(token, f"{self._found(token)} where '{qualifier.words()}' needs {_needed(qualifier)}")

    def named(self, qualifier: Qualifier) -> Expression:
        token = self.token
        if qualifier.kind in ("port", "portrange"):
            self.advance()
            return self.make.port(qualifier, token)
        if qualifier.kind in ("proto", "protochain"):
            self.advance()
            return self.make.proto(qualifier, token)
        if qualifier.layer == "ether":
            raise self.error(token, f"'{token.text}' is not a MAC address such as 0a:1b:2c:3d:4e:5f")
        number = token.kind == "number"
        if number and qualifier.kind == "net":
            return self.address(qualifier)
        if number:
            raise self.error(
                token, f"'{token.text}' is a number where an address is expected; is 'port {token.text}' meant?"
            )
        kind = "host" if qualifier.kind != "net" else "network"
        raise self.error(
            token, f"'{token.text}' is not an address; names of {kind}s are not looked up{self._hint(token)}"
        )

    def address(self, qualifier: Qualifier) -> Expression:
        token, length, mask = self.token, None, None
        self.advance()
        if self.token.text == "/" and self.token.kind == "operator":
            self.advance()
            length = self._length()
        elif self.token.text == "mask" and self.token.kind == "keyword":
            self.advance()
            mask = self.token
            if mask.kind != "ipv4":
                raise self.error(mask, f"{self._found(mask)} where a mask such as 255.255.0.0 is expected")
            self.advance()
        return self.make.address(qualifier, token, length, mask)

    def _length(self) -> int:
        token = self.token
        if token.kind != "number":
            raise self.error(token, f"{self._found(token)} where the length of a network is expected")
        self.advance()
        return token.value

    def cast(self, layer: str, first: Token) -> Expression:
        token = self.token
        self.advance()
        if layer not in ("ether", "ip", "ip6") or (layer == "ip6" and token.text == "broadcast"):
            raise self.error(token, f"'{layer}' has no {token.text}")
        width = token.column + token.width - first.column
        if token.text == "broadcast":
            return Cast(layer, "broadcast", column=first.column, width=width)
        return Cast(layer, "multicast", column=first.column, width=width)

    def simple(self, token: Token, word: str) -> Expression:
        """Terms of one keyword and perhaps a number."""
        self.advance()
        column, width = token.column, token.width
        if word in TAGS:
            return Tag(word, self._optional_number(word, TAGS[word]), column=column, width=width)
        if word == "vni":
            return Vni(self._needed_number(word, VNI_MAX), column=column, width=width)
        if word in ("less", "greater"):
            number = Number(self._needed_number(word, MAX_NUMBER))
            return Relation(Length(), "<=" if word == "less" else ">=", number, column=column, width=width)
        if word == "ifindex":
            return Word(word, str(self._needed_number(word, MAX_NUMBER)), column=column, width=width)
        if word == "llc":
            return Word(word, self._llc_type(), column=column, width=width)
        if word in LONE_WORDS:
            return Word(word, column=column, width=width)
        raise self.error(token, self._unexpected(token))

    def _llc_type(self) -> str:
        word = self.token.text
        if self.token.kind not in ("name", "keyword") or word in LOGIC:
            return ""
        if word not in LLC_TYPES:
            raise self.error(self.token, f"'{word}' is not a type of LLC frame: {', '.join(sorted(LLC_TYPES))}")
        self.advance()
        return word

    def _optional_number(self, word: str, most: int) -> int | None:
        depth = 0
        while self.token.text == "(" and self.peek().kind == "number":
            depth += 1
            self.advance()
        if self.token.kind != "number":
            return None
        number = self._needed_number(word, most)
        for _ in range(depth):
            self.expect(")")
        return number

    def _needed_number(self, word: str, most: int) -> int:
        token = self.token
        if token.kind != "number":
            raise self.error(token, f"{self._found(token)} where '{word}' needs a number")
        if token.value > most:
            raise self.error(token, f"{token.text} is too large for '{word}': it ends at {most}")
        self.advance()
        return token.value

    def _alone(self, token: Token) -> str:
        if token.kind == "name":
            return f"unknown word '{token.text}'{self._hint(token)}"
        kind = {"mac": "ether host", "number": "port"}.get(
            token.kind, "net" if token.text.count(".") in (1, 2) else "host"
        )
        return f"'{token.text}' alone says nothing: write '{kind} {token.text}'"

    def _unexpected(self, token: Token) -> str:
        if token.kind == "end":
            return "the filter ends where a term is expected"
        if token.kind == "name":
            return f"unknown word '{token.text}'{self._hint(token)}"
        before = self.tokens[self.position - 1] if self.position else None
        if before and before.text in PROTOCOLS and token.kind in ("number", "ipv4", "ipv6"):
            kind = "port" if token.kind == "number" else "host"
            joint = f"{before.text} {kind}" if kind == "port" else f"{before.text} and host"
            return f"'{token.text}' after '{before.text}': write '{joint} {token.text}'"
        if before and token.text not in (")", "and", "or") and token.kind != "operator":
            return f"'{token.text}' follows a complete term: join them with 'and' or 'or'"
        return f"'{token.text}' where a term is expected"

    def _hint(self, token: Token) -> str:
        close = difflib.get_close_matches(token.text.lower(), sorted(SUGGESTED), n=1, cutoff=0.6)
        return f"; is '{close[0]}' meant?" if close else ""

    @staticmethod
    def _found(token: Token) -> str:
        return "the filter ends" if token.kind == "end" else f"'{token.text}' stands"


def _needed(qualifier: Qualifier) -> str:
    if qualifier.layer == "ether" and not qualifier.kind.startswith("proto"):
        return "a MAC address"
    return {
        "net": "a network such as 10.0.0.0/8",
        "port": "a port",
        "portrange": "a range of ports such as 8000-8999",
        "proto": "a protocol",
        "protochain": "a protocol",
    }.get(qualifier.kind, "an address")
