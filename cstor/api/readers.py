"""The readers of the served store, one of each per process: they keep its last minutes in memory."""

from __future__ import annotations

from functools import cache

from cstor.api.store import store_dir
from cstor.store.live import LiveTail
from cstor.store.series import SeriesReader
from cstor.store.sessions import SessionReader


@cache
def live_tail() -> LiveTail:
    return LiveTail(store_dir())


@cache
def series_reader() -> SeriesReader:
    return SeriesReader(store_dir(), live_tail())


@cache
def session_reader() -> SessionReader:
    return SessionReader(store_dir(), live_tail())
