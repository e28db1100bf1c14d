"""Nodes that answer what a real one was recorded to answer, shifted in time: `python -m bench.pulls_stub FILE PORT...`.

All of them live in one process and cost next to nothing: the recording is cut at the places where numbers change, and
an answer is these pieces with the numbers of the question. Whoever asks for several buckets at once gets the first
recorded one for each.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

STEP = 10
# A real node is complete after its reorder window and a second.
HOLDS_BACK_S = 2.0
SHIFT_S = int(__import__("os").environ.get("SHIFT", "0"))
_QUERY = re.compile(rb'"id":\s*"?(\d+)"?.*?"from":\s*(\d+),\s*"to":\s*(\d+)', re.DOTALL)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


class Recording:
    """Lines of `POST series`, one per bucket, ready to be told for any time."""

    def __init__(self, lines: list[bytes]) -> None:
        self._columns = [json.loads(line)["columns"] for line in lines]
        self.rows = [len(columns["t"]) for columns in self._columns]
        self.texts = [self._text(number, 1) for number in range(len(lines))]
        self.several = lru_cache(maxsize=400)(self._several)

    def answer(self, name: bytes, start: int, stop: int, complete: float) -> bytes:
        """One line: the buckets of [start, stop) that are complete."""
        end = min(stop, int(complete) // STEP * STEP)
        buckets = max(0, (end - start) // STEP)
        number = start // STEP % len(self.rows)
        rows = self.rows[number] if buckets == 1 else self.rows[0]
        times = b",".join((b"%d," % (start + STEP * n)) * rows for n in range(buckets)).replace(b",,", b",")[:-1]
        head = b'{"id":"%s","step":%d,"complete_until":%f,"observed":[[%d,%d]],"kept_from":null,"revisions":{}'
        head %= name, STEP, complete, start, max(start, end)
        text = self.texts[number] if buckets == 1 else self.several(buckets)
        return b'%s,"columns":{"t":[%s]%s}}\n' % (head, times, text)

    def _several(self, buckets: int) -> bytes:
        return self._text(0, buckets)

    def _text(self, number: int, times: int) -> bytes:
        """All columns but the times, so many buckets after each other."""
        parts = []
        for name, column in self._columns[number].items():
            if name != "t":
                parts.append(f",{json.dumps(name)}:{json.dumps(_repeated(column, times), separators=(',', ':'))}")
        return "".join(parts).encode()


def _repeated(column: Any, times: int) -> Any:
    if column is None:
        return None
    if isinstance(column, dict):
        pairs = b64encode(b64decode(column["pairs"]) * times).decode()
        return {"lengths": column["lengths"] * times, "pairs": pairs}
    return column * times


async def serve(recording: Recording, ports: list[int]) -> None:
    """Until the process is ended."""
    began = int(time.time()) // STEP * STEP

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                for part in _answer(recording, head, body, began):
                    writer.write(part)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    servers = [await asyncio.start_server(visit, "127.0.0.1", port) for port in ports]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def _answer(recording: Recording, head: bytes, body: bytes, began: int) -> Iterator[bytes]:
    """A response in parts: each line leaves at once, as a real node's does."""
    complete = time.time() - HOLDS_BACK_S
    if head.startswith(b"POST"):
        yield _HEAD % b"application/x-ndjson" + b"Transfer-Encoding: chunked\r\n\r\n"
        for name, low, high in _QUERY.findall(body):
            line = recording.answer(name, int(low), int(high), complete)
            yield b"%x\r\n%s\r\n" % (len(line), line)
        yield b"0\r\n\r\n"
        return
    status = {"name": "stub", "version": "recorded", "mode": "capture", "now": time.time(), "kept_from": began}
    text = json.dumps(status | {"oldest_bucket": began, "complete_until": complete}).encode()
    yield _HEAD % b"application/json" + b"Content-Length: %d\r\n\r\n%s" % (len(text), text)


if __name__ == "__main__":
    asyncio.run(serve(Recording(Path(sys.argv[1]).read_bytes().splitlines()), [int(port) for port in sys.argv[2:]]))
