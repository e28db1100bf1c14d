"""Connections and how they ended. One verdict per attempt, counted in the bucket of its decision, never corrected."""

from __future__ import annotations

from cstor.metrics.declare import counter, total
from cstor.metrics.metric import CONNECTIONS, SEGMENTS

GROUP = "connections"

FAILURES = ("refused", "unreachable", "unanswered", "half_open", "client_aborted")

for key, label, help in (
    ("attempts", "Attempts", "Connection attempts: distinct client initial sequence numbers."),
    ("syn_retransmissions", "SYN retransmissions", "SYNs sent again."),
    ("established", "Established", "Handshakes that the client completed."),
    ("refused", "Refused", "RST in answer to the SYN."),
    ("unreachable", "Unreachable", "An ICMP error in answer to the SYN."),
    (
        "unanswered",
        "Unanswered",
        "No answer for 4 s or 2.5 times the gap between the last two SYNs, whichever is longer.",
    ),
    ("half_open", "Half open", "SYN-ACK, then no ACK of the client for 10 s."),
    ("client_aborted", "Aborted by client", "RST of the client before its ACK."),
    ("closed", "Closed", "FINs both ways."),
    ("reset_by_client", "Reset by client", "Ended by the client's RST."),
    ("reset_by_server", "Reset by server", "Ended by the server's RST."),
    ("timed_out", "Timed out", "Silent for 300 s."),
    ("missing_syn", "Seen mid-stream", "Connections whose SYN was not captured: a capture artefact, not a failure."),
):
    counter(GROUP, key, label, SEGMENTS if key == "syn_retransmissions" else CONNECTIONS, help, source="RFC 9293")

total(
    GROUP,
    "failures",
    "Failed connections",
    CONNECTIONS,
    "Refused, unreachable, unanswered, half open and aborted by the client.",
    dict.fromkeys(FAILURES, 1),
)
