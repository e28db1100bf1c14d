"""Segments that grow while they are read: a view that ends where their index head says."""

from __future__ import annotations

from typing import BinaryIO


class BoundedFile:
    """A file that ends at the last whole record, while more is being written behind it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.left = size

    def readinto(self, target: memoryview) -> int:
        count = self.file.readinto(target[: min(len(target), self.left)])  # type: ignore[attr-defined]
        self.left -= count
        return int(count)

    def close(self) -> None:
        self.file.close()
