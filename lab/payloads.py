"""What the lab's hosts say: TLS 1.3 records (RFC 8446), HTTP/1.1, PostgreSQL's protocol 3.0, RESP, DNS (RFC 1035).

Heads are real, so that a dissector shows what an operator expects; the bulk is filler of the right length.
"""

from __future__ import annotations

import random
import struct

SERVER_NAME = b"shop.example.com"
RECORD_MOST = 16_384
FILLER = random.Random(20_240_101).randbytes(262_144)
TEXT_FILLER = (b'{"item": "widget", "count": 42, "tags": ["a", "b"]},\n' * 5_000)[:262_144]


def filler(length: int, rng: random.Random) -> bytes:
    """`length` bytes that look random."""
    start = rng.randrange(4096)
    return FILLER[start : start + length]


def tls_records(length: int, rng: random.Random) -> bytes:
    """`length` bytes of application data as TLS records."""
    records = []
    while length > 0:
        size = min(length, RECORD_MOST)
        records.append(b"\x17\x03\x03" + struct.pack("!H", size + 17) + filler(size + 17, rng))
        length -= size
    return b"".join(records)


def client_hello(rng: random.Random) -> bytes:
    """A TLS 1.3 ClientHello with server name, ALPN and one X25519 key share."""
    name = struct.pack("!HBH", len(SERVER_NAME) + 3, 0, len(SERVER_NAME)) + SERVER_NAME
    extensions = b"".join(
        struct.pack("!HH", kind, len(body)) + body
        for kind, body in (
            (0, name),
            (10, b"\x00\x04\x00\x1d\x00\x17"),
            (13, b"\x00\x06\x04\x03\x08\x04\x04\x01"),
            (16, b"\x00\x0c\x02h2\x08http/1.1"),
            (43, b"\x02\x03\x04"),
            (51, b"\x00\x24\x00\x1d\x00\x20" + rng.randbytes(32)),
            (21, bytes(220)),
        )
    )
    body = b"\x03\x03" + rng.randbytes(32) + b"\x20" + rng.randbytes(32)
    body += b"\x00\x06\x13\x01\x13\x02\x13\x03\x01\x00" + struct.pack("!H", len(extensions)) + extensions
    handshake = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


def server_flight(rng: random.Random) -> bytes:
    """ServerHello, ChangeCipherSpec and the encrypted rest with a certificate chain."""
    extensions = b"\x00\x2b\x00\x02\x03\x04" + b"\x00\x33\x00\x24\x00\x1d\x00\x20" + rng.randbytes(32)
    body = b"\x03\x03" + rng.randbytes(32) + b"\x20" + rng.randbytes(32) + b"\x13\x01\x00"
    body += struct.pack("!H", len(extensions)) + extensions
    hello = b"\x02" + struct.pack("!I", len(body))[1:] + body
    record = b"\x16\x03\x03" + struct.pack("!H", len(hello)) + hello
    return record + b"\x14\x03\x03\x00\x01\x01" + tls_records(2_900, rng)


def client_finished(rng: random.Random) -> bytes:
    return b"\x14\x03\x03\x00\x01\x01" + tls_records(36, rng)


def http_request(path: str, host: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
        "User-Agent: shop-web/3.2\r\nConnection: keep-alive\r\n\r\n"
    ).encode()


def http_response(length: int, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + TEXT_FILLER[:length]


def postgres_startup() -> bytes:
    words = b"user\0shop\0database\0shop\0client_encoding\0UTF8\0\0"
    return struct.pack("!II", 8 + len(words), 196_608) + words


def postgres_ready() -> bytes:
    """AuthenticationOk, two ParameterStatus messages, BackendKeyData, ReadyForQuery."""
    parameters = b"".join(_message(b"S", text) for text in (b"server_version\x0016.3\0", b"TimeZone\0UTC\0"))
    return _message(b"R", bytes(4)) + parameters + _message(b"K", b"\x00\x00\x10\x01\x12\x34\x56\x78") + _READY


def postgres_query(text: str) -> bytes:
    return _message(b"Q", text.encode() + b"\0")


def postgres_rows(length: int) -> bytes:
    """RowDescription of one text column, rows of about `length` bytes together, CommandComplete, ReadyForQuery."""
    column = b"payload\0" + struct.pack("!IHIHIH", 0, 0, 25, 0xFFFF, 0xFFFFFFFF, 0)
    rows = []
    while length > 0:
        size = min(length, 512)
        rows.append(_message(b"D", struct.pack("!HI", 1, size) + TEXT_FILLER[:size]))
        length -= size
    done = _message(b"C", f"SELECT {len(rows)}\0".encode())
    return _message(b"T", struct.pack("!H", 1) + column) + b"".join(rows) + done + _READY


def cache_get(key: str) -> bytes:
    return f"*2\r\n$3\r\nGET\r\n${len(key)}\r\n{key}\r\n".encode()


def cache_value(length: int) -> bytes:
    return f"${length}\r\n".encode() + TEXT_FILLER[:length] + b"\r\n" if length else b"$-1\r\n"


def dns_query(identification: int, name: str) -> bytes:
    return struct.pack("!HHHHHH", identification, 0x0100, 1, 0, 0, 0) + _question(name)


def dns_answer(identification: int, name: str, address: bytes) -> bytes:
    head = struct.pack("!HHHHHH", identification, 0x8180, 1, 1, 0, 0)
    return head + _question(name) + struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + address


def _question(name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return labels + b"\0" + struct.pack("!HH", 1, 1)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", 4 + len(body)) + body


_READY = _message(b"Z", b"I")
