"""An answer as a line of JSON with its numbers behind it as they lie in memory: what monitors ask for.

The line is that of answer_text.py less its numbers: `columns` has the keys, `is_other` and `is_total`; instead it says
`"integers": ["t", "bytes_client", ...]`, `"histograms": ["response_time", ...]` and `"bytes": N`. Behind its line end
lie N bytes, little-endian: for each of the integers, then for each of the histograms' lengths (in pairs), `rows`
numbers of 64 bits, the least of all for null; then the pairs of each histogram, 32 bits each, bin << 21 | n. Columns in
which nothing was measured are left out. Writing and reading numbers as text took longer than all else about an answer.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from cstor.metrics.histogram import PAIR
from cstor.store.answer import head_of
from cstor.store.answer_text import as_text, word_columns
from cstor.store.digits import is_all
from cstor.store.rows import absent_value
from cstor.store.series import Answer

MEDIA_TYPE = "application/vnd.cclear.series"
NUMBER = np.dtype("<i8")
NULL = -(1 << 63)


def as_frame(answer: Answer) -> bytes:
    """The line with its end, and the bytes behind it; a plan is only a line."""
    if answer.query.plan:
        return as_text(answer) + b"\n"
    parts = [answer.rows] if answer.totals is None else [answer.rows, answer.totals]
    numbers = {"t": np.concatenate([part.t for part in parts])}
    for base in answer.query.scalars:
        column, absent = np.concatenate([part.scalars[base] for part in parts]), absent_value(base)
        if not is_all(column, absent):
            numbers[base] = np.where(column == absent, NULL, column)
    lengths, pairs = {}, []
    for base in answer.query.histograms:
        cells = [part.cells[base] for part in parts]
        if any(len(cell.pairs) for cell in cells):
            lengths[base] = np.concatenate([cell.lengths for cell in cells])
            pairs += [cell.pairs.astype(PAIR, copy=False).tobytes() for cell in cells]
    data = b"".join([np.array([*numbers.values(), *lengths.values()], NUMBER).tobytes(), *pairs])
    head: dict[str, Any] = head_of(answer) | {"rows": len(numbers["t"]), "took_ms": round(answer.took_ms, 1)}
    head |= {"integers": list(numbers), "histograms": list(lengths), "bytes": len(data)}
    words = b",".join(b'"%s":%s' % (name.encode(), text) for name, text in word_columns(answer))
    line = json.dumps(head, separators=(",", ":")).encode()
    return line[:-1] + b',"columns":{' + words + b"}}\n" + data
