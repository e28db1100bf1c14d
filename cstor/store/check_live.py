"""Verifies a live log: blocks of known length and checksum, whose payloads can be read as what they say they are.

A torn block at the end is what a kill leaves. Beside a running writer it may be the block that is just being written,
so it is looked at again; whole blocks behind a damaged one are damage and nothing else.
"""

from __future__ import annotations

import re
import time
import zlib
from pathlib import Path

from cstor.store.codec import Decoder, TableDecoder
from cstor.store.finding import Finding
from cstor.store.layout import HOUR_S
from cstor.store.log import END, HEAD, HEADER, MAGIC, ROWS, SECOND, SESSIONS, VERSION, Block, read_blocks
from cstor.store.tables import DTYPES

PATIENCE_S = 0.5
_LOG = re.compile(r"^(series|sessions|points|node)-(-?\d+)-(\d{10})\.log$")


def is_log(path: Path) -> bool:
    return bool(_LOG.match(path.name))


def check_log(path: Path, is_running: bool) -> list[Finding]:
    """FileNotFoundError when it was published meanwhile."""
    findings, torn = _read(path)
    if torn is not None and is_running:
        time.sleep(PATIENCE_S)
        findings, torn_again = _read(path)
        torn = torn_again if torn_again == torn else None
    if torn is not None:
        size, lost = path.stat().st_size, _blocks_behind(path, torn)
        if lost or is_running:
            what = f"damaged at byte {torn} of {size}, {lost} whole blocks behind it are not read"
            findings.append(Finding(what, "the next start keeps what is before; look at the disk"))
        else:
            what = f"its last {size - torn} bytes are not a whole block"
            findings.append(Finding(what, "the next start cuts them off", is_note=True))
    return findings


def _read(path: Path) -> tuple[list[Finding], int | None]:
    """What is wrong, and where the whole blocks end if more follows."""
    found = _LOG.match(path.name)
    dataset, hour = (found[1], int(found[2])) if found else ("", 0)
    reader = _Reader(dataset, hour)
    end, is_ended = 0, False
    findings = []
    with path.open("rb") as file:
        for block in read_blocks(file):
            end, is_ended = block.end, block.kind == END
            wrong = reader.wrong(block)
            if wrong:
                findings.append(
                    Finding(f"block before byte {end} {wrong}", "it was written by another version, or damaged")
                )
        size = file.seek(0, 2)
    if is_ended and size > end:
        return [*findings, Finding("goes on behind its end", "look at the disk")], None
    return findings, end if size > end else None


class _Reader:
    """Reads the blocks of one log in turn."""

    def __init__(self, dataset: str, hour: int) -> None:
        self._dataset = dataset
        self._hour = hour
        self._decoder: Decoder | TableDecoder | None = None

    def wrong(self, block: Block) -> str | None:
        """What is wrong with a block."""
        try:
            if block.kind == HEAD:
                is_table = self._dataset in DTYPES
                self._decoder = (
                    TableDecoder(block.payload, DTYPES[self._dataset]) if is_table else Decoder(block.payload)
                )
                return None
            if block.kind == END:
                return None
            if self._decoder is None:
                return "comes before the head"
            return self._wrong_times(block)
        except (ValueError, KeyError, TypeError, IndexError, zlib.error) as error:
            return f"cannot be read ({error})"

    def _wrong_times(self, block: Block) -> str | None:
        decoder = self._decoder
        if block.kind == SECOND and isinstance(decoder, Decoder):
            inside = 0 <= decoder.second(block.payload).t - self._hour < HOUR_S
        elif block.kind == SESSIONS and isinstance(decoder, Decoder):
            ends = decoder.sessions(block.payload).rows["end_ns"] // 1_000_000_000 - self._hour
            inside = bool(((ends >= 0) & (ends < HOUR_S)).all())
        elif block.kind == ROWS and isinstance(decoder, TableDecoder):
            times = decoder.rows(block.payload)["t"] - self._hour
            inside = bool(((times >= 0) & (times < HOUR_S)).all())
        else:
            return f"is of kind {block.kind}, which a log of {self._dataset} has not"
        return None if inside else "is of another hour"


def _blocks_behind(path: Path, start: int) -> int:
    """Whole blocks behind a damaged one."""
    content = path.read_bytes()
    count, at = 0, content.find(MAGIC, start + 1)
    while at >= 0:
        if len(content) - at >= HEADER.size:
            _, version, kind, length, crc = HEADER.unpack_from(content, at)
            payload = content[at + HEADER.size : at + HEADER.size + length]
            count += version == VERSION and len(payload) == length and zlib.crc32(payload, kind) == crc
        at = content.find(MAGIC, at + 1)
    return count
