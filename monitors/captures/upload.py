"""Uploads go to disk as they arrive, bounded by size and by the space that is free.

The handler stands in for Django's own (settings FILE_UPLOAD_HANDLERS), so that nothing is ever held in memory.
"""

from __future__ import annotations

import shutil
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler

KEEP_FREE_BYTES = 1 << 30
CHECK_EVERY_BYTES = 64 << 20


class BoundedUploadHandler(TemporaryFileUploadHandler):
    """Writes to FILE_UPLOAD_TEMP_DIR; stops above CAPTURE_MAX_BYTES or when the disk would run full."""

    chunk_size = 1 << 20

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.received = 0
        self.next_check = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        assert self.request is not None
        announced = int(self.request.META.get("CONTENT_LENGTH") or 0)
        if announced > settings.CAPTURE_MAX_BYTES:
            self._stop(
                f"{announced / 1e6:.0f} MB are more than the {settings.CAPTURE_MAX_BYTES / 1e6:.0f} MB that one upload "
                "may have; split the capture, or ingest it with 'python -m cstor ingest' and add its node"
            )
        super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.received += len(raw_data)
        if self.received > settings.CAPTURE_MAX_BYTES:
            self._stop("the upload is larger than it said and than one upload may be")
        if self.received >= self.next_check:
            self.next_check = self.received + CHECK_EVERY_BYTES
            if shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free < KEEP_FREE_BYTES:
                self._stop("less than 1 GB of disk is left; free some space and try again")
        super().receive_data_chunk(raw_data, start)

    def _stop(self, why: str) -> None:
        assert self.request is not None
        self.request.META["cclear.upload_stopped"] = why
        raise StopUpload(connection_reset=True)
