"""Plain references for kernels: one connection's loss table and turns, written from the rules and for nothing but
clarity.

Shares no code with the kernels: sequence numbers are compared by their own function, state is kept in dictionaries.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from wire.packets.layout import ACK, FIN, RST, SYN

MS = 1_000_000
HALF, WORD = 1 << 31, 1 << 32
NO_SCALE, UNKNOWN_SCALE = -2, -1


def after(a: int, b: int) -> bool:
    """a comes after b on the circle of sequence numbers. What lies half way round comes after and before."""
    return (a - b) % WORD in range(1, HALF + 1)


class LossTable:
    """tshark's TCP analysis of one stream; `feed` answers the set of classes of a packet.

    As in tshark a number that is not known is 0, and is compared as 0 where tshark does not ask.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        unknown = dict.fromkeys(("next", "next_time", "contig", "ack", "time", "dup"), 0)
        unknown |= {"window": WORD - 1, "scale": UNKNOWN_SCALE, "isn": None, "fresh": False}
        self.sides: list[dict[str, Any]] = [unknown | {"last": set()} for _ in "ab"]
        self.syn_time = 0
        self.irtt = 0

    def feed(self, side: int, packet: Any) -> set[str]:
        flags, seq, length = int(packet["flags"]), int(packet["seq"]), int(packet["payload_length"])
        ack, window, now = int(packet["ack"]), int(packet["window"]), int(packet["time_ns"])
        kind = flags & (SYN | ACK)
        if kind == SYN and self.sides[side]["isn"] not in (None, seq):
            self.restart()
        own, peer = self.sides[side], self.sides[1 - side]
        self._learn(own, peer, kind, seq, ack)
        control = bool(flags & (SYN | FIN | RST))
        end = (seq + length + bool(flags & (SYN | FIN))) % WORD
        found = self._flow_control(own, peer, flags, control, seq, length, ack, window)
        if "duplicate_acks" in found:
            own["dup"] = 1 if own["dup"] == "poisoned" else own["dup"] + 1
        if ack != own["ack"]:
            own["dup"] = 0
        if flags & ACK and peer["contig"] and after(ack, peer["contig"]):
            if after(peer["next"], peer["contig"]):
                peer["contig"] = peer["next"]
                found.add("acked_unseen")
            else:
                if peer["dup"] == 0:
                    found.add("acked_unseen")
                peer["dup"] = "poisoned"
        if (length > 0 or flags & (SYN | FIN)) and "keep_alives" not in found:
            found |= self._order(own, peer, seq, length, end, now)
        self._move(own, peer, packet, flags, kind, seq, end, found)
        return found

    def _learn(self, own: dict, peer: dict, kind: int, seq: int, ack: int) -> None:
        if own["isn"] is None:
            own["isn"] = seq if kind & SYN else (seq - 1) % WORD
        elif kind == SYN:
            own["next"] = own["contig"]
        elif kind == SYN | ACK:
            own["isn"] = seq
        if peer["isn"] is None and kind & ACK:
            peer["isn"] = (ack - 1) % WORD

    def _flow_control(self, own, peer, flags, control, seq, length, ack, window) -> set[str]:
        if length == 1 and seq == own["next"] and peer["window"] == 0:
            return {"zero_window_probes"}
        found = set()
        if window == 0 and not control:
            found.add("zero_windows")
        if own["next"] and after(seq, own["next"]) and not flags & RST:
            found.add("gaps")
        if length < 2 and seq == (own["next"] - 1) % WORD and not control:
            found.add("keep_alives")
        if length and not control and peer["scale"] != UNKNOWN_SCALE:
            shift = 0 if peer["scale"] == NO_SCALE or peer["fresh"] else peer["scale"]
            if (seq + length) % WORD == (peer["ack"] + (peer["window"] << shift)) % WORD:
                found.add("window_full")
        same = length == 0 and not control and (window, seq, ack) == (own["window"], own["next"], own["ack"])
        if same and window != 0 and "keep_alives" not in peer["last"]:
            found.add("duplicate_acks")
        return found

    def _order(self, own: dict, peer: dict, seq: int, length: int, end: int, now: int) -> set[str]:
        new = (seq + length - peer["ack"]) % WORD
        if length and peer["ack"] and not 0 < new < HALF:
            return {"spurious_retransmissions", "retransmissions"}
        if not own["next"] or not after(own["next"], seq):
            return set()
        if length > 1 and seq == (own["next"] - 1) % WORD:
            return set()
        duplicates = peer["dup"] == "poisoned" or peer["dup"] >= 2
        if duplicates and seq == peer["ack"] and (now - peer["time"]) % 2**64 < 20 * MS:
            return {"fast_retransmissions", "retransmissions"}
        if (now - own["next_time"]) % 2**64 < (self.irtt or 3 * MS) % 2**64 and end != own["next"]:
            return {"out_of_order"}
        return {"retransmissions"}

    def _move(self, own, peer, packet, flags, kind, seq, end, found) -> None:
        now = int(packet["time_ns"])
        if "zero_window_probes" not in found:
            if not own["next"] or after(end, own["next"]):
                own["next"], own["next_time"] = end, now
            if not own["contig"] or seq == own["contig"]:
                own["contig"] = own["next"]
        own["ack"], own["window"], own["time"] = int(packet["ack"]), int(packet["window"]), now
        own["last"] = found & {"keep_alives"}
        if kind & SYN:
            own["fresh"] = True
        if kind == SYN:
            self.syn_time = now
        elif kind == ACK:
            own["fresh"] = False
            if self.syn_time and self.irtt == 0:
                self.irtt = now - self.syn_time
        option = int(packet["option_scale"])
        if option >= 0:
            own["scale"] = min(option, 14)
        if kind & SYN:
            if own["scale"] == UNKNOWN_SCALE:
                own["scale"] = peer["scale"] = NO_SCALE
            elif kind & ACK and peer["scale"] == NO_SCALE:
                own["scale"] = NO_SCALE


def loss_counts(packets: np.ndarray, client: int) -> Counter[str]:
    """Counters `<class>_client` and `<class>_server` of one connection; `client` is the client's src_lo."""
    table, counts = LossTable(), Counter[str]()
    for one in packets:
        side = 0 if one["src_lo"] == client else 1
        for name in table.feed(side, one):
            counts[f"{name}_{'server' if side else 'client'}"] += 1
    return counts


def turn_times(packets: np.ndarray, client: int) -> dict[str, list[int]]:
    """Durations in ns of each kind, and under `turns_ambiguous` a 1 for each. The connection must have seen its SYN."""
    times: dict[str, list[int]] = {name: [] for name in ("response_time", "request_transfer", "response_transfer")}
    times |= {"client_think": [], "turns_ambiguous": []}
    table = LossTable()
    turn: dict[str, Any] = {"state": "idle"}
    last_answer: int | None = None
    for one in packets:
        side, now = (0 if one["src_lo"] == client else 1), int(one["time_ns"])
        found = table.feed(side, one)
        kind = int(one["flags"])
        peer_next = table.sides[1 - side]["next"]
        acks_syn_ack = table.sides[1]["isn"] is not None and int(one["ack"]) == (table.sides[1]["isn"] + 1) % WORD
        if side == 0 and last_answer is None and kind & (SYN | ACK | RST) == ACK and acks_syn_ack:
            last_answer = now
        if one["payload_length"] <= 0 or kind & SYN or found & {"retransmissions", "keep_alives", "zero_window_probes"}:
            continue
        covers = bool(kind & ACK) and (not peer_next or not after(peer_next, int(one["ack"])))
        late = "out_of_order" in found
        if side == 0 and turn["state"] == "asking":
            turn["asked"] = now
        elif side == 0 and not late:
            _end_turn(times, turn, last_answer)
            if covers and last_answer is not None:
                times["client_think"].append(now - last_answer)
            turn = {"state": "asking", "valid": covers, "begin": now, "asked": now}
        elif side == 1 and turn["state"] == "asking":
            if not late:
                _answer(times, turn, covers, now)
                last_answer = now
        elif side == 1:
            last_answer = now
    _end_turn(times, turn, last_answer)
    return times


def _answer(times: dict[str, list[int]], turn: dict[str, Any], covers: bool, now: int) -> None:
    turn["valid"] = turn["valid"] and covers
    if turn["valid"]:
        times["request_transfer"].append(turn["asked"] - turn["begin"])
        times["response_time"].append(now - turn["asked"])
    else:
        times["turns_ambiguous"].append(1)
    turn |= {"state": "answering", "answered": now}


def _end_turn(times: dict[str, list[int]], turn: dict[str, Any], last_answer: int | None) -> None:
    if turn["state"] == "answering" and turn["valid"] and last_answer is not None:
        times["response_transfer"].append(last_answer - turn["answered"])
