"""Reads a live log back as what was put into it: after a kill, and when a part could not be published at once."""

from __future__ import annotations

from pathlib import Path

from cstor.buckets.second import ClosedSecond, SessionBatch
from cstor.store.codec import Decoder
from cstor.store.log import HEAD, SECOND, SESSIONS, read_blocks


def read_log(path: Path) -> tuple[list[ClosedSecond], list[SessionBatch]]:
    """Everything that the whole blocks of a log hold."""
    seconds: list[ClosedSecond] = []
    sessions: list[SessionBatch] = []
    decoder: Decoder | None = None
    with path.open("rb") as file:
        for block in read_blocks(file):
            if block.kind == HEAD:
                decoder = Decoder(block.payload)
            elif decoder and block.kind == SECOND:
                seconds.append(decoder.second(block.payload))
            elif decoder and block.kind == SESSIONS:
                sessions.append(decoder.sessions(block.payload))
    return seconds, sessions
