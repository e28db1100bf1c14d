"""How long things took, as mergeable histograms. A sample belongs to the bucket of the packet that completes it."""

from __future__ import annotations

from cstor.metrics.declare import counter, timing
from cstor.metrics.metric import EVENTS

GROUP = "timing"

timing(
    GROUP,
    "handshake_rtt_server",
    "Handshake RTT, server side",
    "SYN to SYN-ACK: network latency between the capture point and the server. Only where each was seen once (Karn).",
    side="server",
    source="RFC 9293",
)
timing(
    GROUP,
    "handshake_rtt_client",
    "Handshake RTT, client side",
    "SYN-ACK to the first client packet that acknowledges it: network latency between capture point and client. "
    "None where the SYN-ACK was resent.",
    side="client",
    source="RFC 9293",
)
timing(
    GROUP,
    "handshake_rtt",
    "Handshake RTT, both sides",
    "Sum of both handshake RTTs of a connection: the round trip between client and server.",
    source="RFC 9293",
)
timing(
    GROUP,
    "connect_time",
    "Connect time",
    "First SYN to the ACK that ends the handshake: what the user waited, retries included.",
    source="RFC 9293",
)
timing(
    GROUP,
    "ack_rtt_server",
    "ACK RTT, server side",
    "Payload sent towards the server to its exact ACK. A resend or a gap cancels the pending samples (Karn).",
    side="server",
    source="RFC 6298",
)
timing(
    GROUP,
    "ack_rtt_client",
    "ACK RTT, client side",
    "Payload sent towards the client to its exact ACK. A resend or a gap cancels the pending samples (Karn).",
    side="client",
    source="RFC 6298",
)
timing(
    GROUP,
    "response_time",
    "Response time",
    "Last request byte to first response byte of a turn, as seen at the capture point: the server's think time "
    "(not SYN to SYN-ACK, and never halved).",
    side="server",
)
timing(GROUP, "request_transfer", "Request transfer", "First to last byte of a request.", side="client")
timing(GROUP, "response_transfer", "Response transfer", "First to last byte of a response.", side="server")
timing(
    GROUP,
    "client_think",
    "Client think time",
    "Last response byte (or the handshake's ACK) to the first byte of the next request; never part of a latency.",
    side="client",
)
timing(GROUP, "session_duration", "Session duration", "First to last packet of a connection, counted when it ends.")
counter(
    GROUP,
    "turns_ambiguous",
    "Ambiguous turns",
    EVENTS,
    "Turns without a response time, since request and response overlapped or something between them was not seen.",
)
counter(GROUP, "timing_errors", "Timing errors", EVENTS, "Negative durations (time stamps not in order), dropped.")
