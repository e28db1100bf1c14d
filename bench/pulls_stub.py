"""Nodes that answer what a real one was recorded to answer, shifted in time: `python -m bench.pulls_stub FILE PORT...`.

All of them live in one process and cost next to nothing: an answer is the recorded bytes with other times.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.samples_answers import STEP, Bucket, read
from monitors.nodes.frame import MEDIA_TYPE

# A real node is complete after its reorder window and a second.
HOLDS_BACK_S = 2.0
_QUERY = re.compile(rb'"id":\s*"?(\d+)"?.*?"from":\s*(\d+),\s*"to":\s*(\d+)', re.DOTALL)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


class Recording:
    """Answers by bucket; whoever asks for several buckets at once gets the first recorded one for each."""

    def __init__(self, buckets: list[Bucket]) -> None:
        self._buckets = buckets

    def answer(self, name: bytes, start: int, stop: int, complete: float) -> bytes:
        """One frame: the buckets of [start, stop) that are complete."""
        end = min(stop, int(complete) // STEP * STEP)
        buckets = max(0, (end - start) // STEP)
        bucket = self._buckets[start // STEP % len(self._buckets) if buckets == 1 else 0]
        return bucket.frame(start, buckets, complete, name.decode())


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
    """A response in parts: each frame leaves at once, as a real node's does."""
    complete = time.time() - HOLDS_BACK_S
    if head.startswith(b"POST"):
        yield _HEAD % MEDIA_TYPE.encode() + b"Transfer-Encoding: chunked\r\n\r\n"
        for name, low, high in _QUERY.findall(body):
            frame = recording.answer(name, int(low), int(high), complete)
            yield b"%x\r\n%s\r\n" % (len(frame), frame)
        yield b"0\r\n\r\n"
        return
    status = {"name": "stub", "version": "recorded", "mode": "capture", "now": time.time(), "kept_from": began}
    text = json.dumps(status | {"oldest_bucket": began, "complete_until": complete}).encode()
    yield _HEAD % b"application/json" + b"Content-Length: %d\r\n\r\n%s" % (len(text), text)


if __name__ == "__main__":
    asyncio.run(serve(Recording(read(Path(sys.argv[1]).read_bytes())), [int(port) for port in sys.argv[2:]]))
