"""An answer about series as JSON: columns, nulls for what is absent.

    {"id": 1, "step": 1, "from": 1700000000, "to": 1700000060, "by": ["server_ip"],
     "complete_until": 1700000058, "kept_from": 1699990000, "floor": {"bytes": 1200},
     "observed": [[1700000000, 1700000058]], "revisions": {"1699999200": 1}, "groups": 40, "rows": 2, "took_ms": 3.1,
     "columns": {"t": [..], "server_ip": ["10.0.0.1", null], "is_other": [false, true], "is_total": [false, false],
                 "bytes_client": [1200, null], "response_time": [[410, 3, 412, 1], null]}}

`coarse`: [[from, to, step]] is there where hours of the range are kept in larger steps than asked; they are left out,
and `kept_from` is behind them. `is_total` is there where totals were asked for, and total rows stand behind all others.
With `encoding=packed` a histogram's column is {"lengths": [pairs per row], "pairs": base64 of little-endian uint32
bin << 21 | n}, and a column in which nothing was measured is null.
With `plan` there is {"plan": {...}} in place of "columns" and "rows".
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from cstor.metrics.histogram import PAIR, Cells, to_flat
from cstor.store import address
from cstor.store.merge import OTHER, Merged
from cstor.store.query import ADDRESS_KEYS, NET_KEYS, TEXT_KEYS, key_width
from cstor.store.rows import absent_value
from cstor.store.series import Answer, plan_of


def as_json(answer: Answer) -> dict[str, Any]:
    """The whole answer, ready for json.dumps; answer_text.py writes the same, faster."""
    out = head_of(answer)
    if answer.query.plan:
        return out | {"plan": plan_of(answer)}
    columns = columns_of(answer)
    return out | {"rows": len(columns["t"]), "took_ms": round(answer.took_ms, 1), "columns": columns}


def head_of(answer: Answer) -> dict[str, Any]:
    """What stands over the columns."""
    query, head = answer.query, answer.head
    out: dict[str, Any] = {
        "id": query.id,
        "step": query.step,
        "from": query.start,
        "to": query.end,
        "by": list(query.by),
        "complete_until": head.complete_until,
        "kept_from": head.kept_from,
        "floor": head.floor,
        "observed": head.observed,
        "revisions": {str(hour): n for hour, n in head.revisions.items()},
        "groups": answer.groups,
    }
    if head.coarse:
        out["coarse"] = head.coarse
    return out


def columns_of(answer: Answer) -> dict[str, Any]:
    """Column by column, total rows last."""
    rows, totals = answer.rows, answer.totals
    out: dict[str, Any] = {"t": rows.t.tolist()}
    for key, texts in key_texts(answer).items():
        out[key] = [texts[group] if group >= 0 else None for group in rows.group.tolist()]
    out["is_other"] = (rows.group == OTHER).tolist()
    if totals is not None:
        out["is_total"] = [False] * len(rows.t)
    for base in answer.query.scalars:
        out[base] = _scalar(rows.scalars[base], base)
    for base in answer.query.histograms:
        out[base] = _histogram(rows.cells[base], answer.query.packed)
    if totals is not None:
        _append_totals(out, totals, answer)
    if answer.query.packed:
        _drop_empty(out, answer)
    return out


def _drop_empty(out: dict[str, Any], answer: Answer) -> None:
    for base in answer.query.scalars:
        if not any(value is not None for value in out[base]):
            out[base] = None
    for base in answer.query.histograms:
        if not out[base]["pairs"]:
            out[base] = None


def key_texts(answer: Answer) -> dict[str, list[Any]]:
    """For each key of `by`, its value in each kept group."""
    out: dict[str, list[Any]] = {}
    column = 0
    for key in answer.query.by:
        width = key_width(key)
        numbers = answer.keys[:, column : column + width]
        if key in TEXT_KEYS:
            out[key] = [answer.words[number] or None for number in numbers[:, 0].tolist()]
        else:
            out[key] = _texts(key, numbers)
        column += width
    return out


def _texts(key: str, numbers: np.ndarray) -> list[Any]:
    if key in NET_KEYS or key in ADDRESS_KEYS:
        text = address.net_text if key in NET_KEYS else address.to_text
        return [text(one) for one in address.to_bytes(numbers[:, 0], numbers[:, 1])]
    values = numbers[:, 0].tolist()
    if key == "is_copy":
        return [bool(value) for value in values]
    return [None if value < 0 else value for value in values]


def _scalar(column: np.ndarray, base_key: str) -> list[int | None]:
    """Integers; a sum of 0 and an extreme that was not measured are null."""
    absent = absent_value(base_key)
    return [None if value == absent else value for value in column.tolist()]


def _histogram(cells: Cells, packed: bool) -> Any:
    if packed:
        pairs = base64.b64encode(cells.pairs.astype(PAIR).tobytes()).decode("ascii")
        return {"lengths": cells.lengths.tolist(), "pairs": pairs}
    return [cell or None for cell in to_flat(cells)]


def _append_totals(out: dict[str, Any], totals: Merged, answer: Answer) -> None:
    count = len(totals.t)
    out["t"] += totals.t.tolist()
    for key in answer.query.by:
        out[key] += [None] * count
    out["is_other"] += [False] * count
    out["is_total"] += [True] * count
    for base in answer.query.scalars:
        out[base] += _scalar(totals.scalars[base], base)
    for base in answer.query.histograms:
        if answer.query.packed:
            both = Cells(
                np.concatenate([answer.rows.cells[base].lengths, totals.cells[base].lengths]),
                np.concatenate([answer.rows.cells[base].pairs, totals.cells[base].pairs]),
            )
            out[base] = _histogram(both, packed=True)
        else:
            out[base] += _histogram(totals.cells[base], packed=False)
