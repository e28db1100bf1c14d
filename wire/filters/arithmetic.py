"""Arithmetic over bytes of a packet: `tcp[tcpflags] & (tcp-syn|tcp-ack) != 0`.

Precedence as in libpcap's grammar, with its two oddities: `^` and `%` have none there, so whatever follows one of them
belongs to its right side, and one of them after another operator takes that operator's right side along.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wire.filters.error import FilterError
from wire.filters.lexer import Token
from wire.filters.names import ACCESSIBLE, LINK_WORDS
from wire.filters.terms import Access, Arithmetic, Binary, Length, Negative, Number, Relation

PRECEDENCE = {"|": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5}
GREEDY = frozenset({"^", "%"})
RELATIONS = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
MAX_DEPTH = 64  # of parentheses: far from Python's own limit, far beyond what anybody writes


class ArithmeticParser:
    """The cursor over the tokens, and the part of the grammar that deals in numbers."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.closing = _closing(tokens)

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def peek(self) -> Token:
        return self.tokens[min(self.position + 1, len(self.tokens) - 1)]

    def advance(self) -> None:
        self.position = min(self.position + 1, len(self.tokens) - 1)

    def error(self, token: Token, message: str) -> FilterError:
        return FilterError(message, self.text, token.column, token.width)

    def expect(self, text: str) -> None:
        if self.token.text != text or self.token.kind != "operator":
            found = "the filter ends" if self.token.kind == "end" else f"'{self.token.text}' stands"
            raise self.error(self.token, f"{found} where '{text}' is expected")
        self.advance()

    @contextmanager
    def deeper(self, token: Token) -> Iterator[None]:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(token, f"more than {MAX_DEPTH} parentheses inside one another")
        yield
        self.depth -= 1

    def starts_arithmetic(self) -> bool:
        """Is the next thing a number to be compared, not a term? A group is, if its end is followed by an operator."""
        token, following = self.token, self.peek()
        if token.kind == "keyword":
            if token.text in ("len", "length"):
                return True
            return following.text == "[" and (token.text in ACCESSIBLE or token.text in LINK_WORDS)
        if token.kind == "number":
            return _is_arithmetic(following)
        if token.kind != "operator":
            return False
        if token.text == "-":
            return True
        if token.text == "(" and (end := self.closing.get(self.position)) is not None:
            return _is_arithmetic(self.tokens[end + 1])
        return False

    def relation(self) -> Relation:
        first = self.token
        left = self.arithmetic(0)
        sign = self.token
        if sign.kind != "operator" or sign.text not in RELATIONS:
            found = "the filter ends" if sign.kind == "end" else f"'{sign.text}' stands"
            raise self.error(sign, f"{found} where a comparison such as '= 0' is expected")
        self.advance()
        right = self.arithmetic(0)
        last = self.tokens[self.position - 1]
        width = last.column + last.width - first.column
        return Relation(left, RELATIONS[sign.text], right, column=first.column, width=width)

    def arithmetic(self, least: int) -> Arithmetic:
        left = self.number()
        while self.token.kind == "operator":
            operator = self.token.text
            if operator in GREEDY:
                self.advance()
                with self.deeper(self.token):
                    left = Binary(left, operator, self.arithmetic(0))
                continue
            precedence = PRECEDENCE.get(operator)
            if precedence is None or precedence <= least:
                break
            self.advance()
            with self.deeper(self.token):
                left = Binary(left, operator, self.arithmetic(precedence))
        return left

    def number(self) -> Arithmetic:
        token = self.token
        if token.kind == "number":
            self.advance()
            return Number(token.value, token.text)
        if token.kind == "keyword" and token.text in ("len", "length"):
            self.advance()
            return Length()
        if token.kind == "keyword" and self.peek().text == "[":
            return self.access(token)
        if token.kind == "operator" and token.text in ("-", "("):
            with self.deeper(token):
                self.advance()
                if token.text == "-":
                    return Negative(self.number())
                inner = self.arithmetic(0)
                self.expect(")")
                return inner
        found = "the filter ends" if token.kind == "end" else f"'{token.text}' stands"
        raise self.error(token, f"{found} where a number, 'len' or bytes such as 'tcp[13]' are expected")

    def access(self, token: Token) -> Access:
        layer = "ether" if token.text in LINK_WORDS else token.text
        if layer not in ACCESSIBLE:
            raise self.error(token, f"'{token.text}' has no bytes to look at")
        self.advance()
        self.advance()
        with self.deeper(token):
            offset = self.arithmetic(0)
        size = 1
        if self.token.text == ":":
            self.advance()
            if self.token.kind != "number" or self.token.value not in (1, 2, 4):
                raise self.error(self.token, "the number of bytes is 1, 2 or 4")
            size = self.token.value
            self.advance()
        self.expect("]")
        return Access(layer, offset, size)


def _is_arithmetic(token: Token) -> bool:
    return token.kind == "operator" and (token.text in PRECEDENCE or token.text in GREEDY or token.text in RELATIONS)


def _closing(tokens: list[Token]) -> dict[int, int]:
    """Index of each `(` -> index of its `)`."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind == "operator" and token.text == "(":
            opened.append(index)
        elif token.kind == "operator" and token.text == ")" and opened:
            pairs[opened.pop()] = index
    return pairs
