"""A TCP connection between two hosts of the lab, as the applications use it: open, exchange, close, reset."""

from __future__ import annotations

from collections.abc import Callable

from lab.events import Events
from lab.frames import Packets, address_text
from lab.hosts import Host
from lab.latency import Latency
from lab.paths import Path, Route, Tap
from lab.tcp.endpoint import Endpoint, State
from lab.tcp.options import TIMESTAMPS_BYTES
from lab.tcp.segment import CLIENT, SERVER, SYN, IcmpError, Segment

Then = Callable[[], None]
Reply = Callable[[bytes], None]
Serve = Callable[[Reply], None]

MSS = {4: 1460, 6: 1440}
CLOSE_AFTER = Latency(0.12, 0.6)


class Router:
    """Stands at the end of a path where no host is any more."""

    def __init__(self, path: Path, packets: Packets) -> None:
        self._path = path
        self._packets = packets

    def receive(self, parcel: Segment) -> None:
        self._path.send(SERVER, IcmpError(self._packets.host_unreachable(parcel.packet)))


def nothing() -> None:
    """What happens when nobody cares."""


class Connection:
    """Both ends of one connection and the path between them. `end_reason` is None while it lives."""

    __slots__ = (
        "client",
        "end_reason",
        "ends",
        "events",
        "has_timestamps",
        "idle_since_ns",
        "limit",
        "mss",
        "on_end",
        "on_open",
        "path",
        "server",
        "server_port",
        "uses",
    )  # fmt: skip

    def __init__(
        self, events: Events, client: Host, server: Host, server_port: int, route: Route, version: int
    ) -> None:
        self.events = events
        self.client, self.server, self.server_port = client, server, server_port
        self.has_timestamps = client.has_timestamps and server.has_timestamps
        self.mss = MSS[version] - (TIMESTAMPS_BYTES if self.has_timestamps else 0)
        self.on_open: Then = nothing
        self.on_end: Then = nothing
        self.end_reason: str | None = None
        self.uses = 0
        self.limit = 0
        self.idle_since_ns = 0
        ports = (client.take_port(), server_port)
        self.ends = (
            Endpoint(self, CLIENT, client, _packets(events, client, server, version), ports),
            Endpoint(self, SERVER, server, _packets(events, server, client, version), ports[::-1]),
        )
        for end, peer in (self.ends, self.ends[::-1]):
            end.peer = peer
        self.path = Path(events, route, self.ends, [None, None])

    @property
    def server_address(self) -> str:
        return address_text(self.ends[SERVER].packets.source)

    @property
    def is_usable(self) -> bool:
        return self.end_reason is None and not any(end.sender.is_finishing for end in self.ends)

    def tap(self, side: int, tap: Tap) -> None:
        """Mirror this connection at the interface of `side`."""
        self.path.taps[side] = tap

    def refuse(self) -> None:
        """Nothing listens on the server's port."""
        self.ends[SERVER].state = State.CLOSED

    def ignore(self, side: int) -> None:
        """`side` hears nothing from now on, as behind a firewall that drops."""
        self.ends[side].state = State.DEAF

    def lose_server(self, router: Host) -> None:
        """The server is gone: `router` answers that its host is unreachable."""
        self.path.ends = (self.ends[CLIENT], Router(self.path, _packets(self.events, router, self.client, 4)))

    def scan(self) -> None:
        """Send a SYN without meaning it: the answer is answered with a RST, as port scanners do."""
        self.ends[CLIENT].transmit(SYN, 0)

    def open(self, on_open: Then, on_end: Then = nothing) -> None:
        self.on_open, self.on_end = on_open, on_end
        self.ends[CLIENT].open()

    def opened(self) -> None:
        self.on_open()

    def write(self, side: int, payload: bytes, arrived: Then = nothing) -> None:
        """Send `payload` from `side`; `arrived` is called when the other side has all of it."""
        sender = self.ends[side].sender
        if self.end_reason is not None or not self.ends[side].is_open or sender.is_finishing:
            return
        self.ends[1 - side].receiver.expect(sender.end + len(payload), arrived)
        sender.write(payload)

    def exchange(self, request: bytes, serve: Serve, done: Then, failed: Then) -> None:
        """A request, what the server does with it, its reply; `failed` if the connection ends before that."""

        def reply(payload: bytes) -> None:
            self.write(SERVER, payload, finished)

        def finished() -> None:
            self.on_end = nothing
            done()

        self.on_end = failed
        if self.end_reason is not None:
            self.events.after(0, self._tell_end)
            return
        self.write(CLIENT, request, lambda: serve(reply))

    def _tell_end(self) -> None:
        told, self.on_end = self.on_end, nothing
        told()

    def close(self, side: int) -> None:
        """Close in order, from `side`."""
        if self.end_reason is None:
            self.ends[side].close()

    def reset(self, side: int) -> None:
        """Tear the connection down from `side`; what is on the way there is answered with resets."""
        if self.end_reason is None and self.ends[side].is_open:
            self.ends[side].reset()

    def peer_finished(self, side: int) -> None:
        """The other side has closed: `side` closes too, once its application has noticed."""
        self.events.after(CLOSE_AFTER.draw_ns(self.events.random), self.ends[side].close)

    def end(self, reason: str) -> None:
        """The connection is over at one end; who waits for an answer is told once."""
        if reason != "closed":
            for end in self.ends:
                end.state = State.CLOSED
        if self.end_reason is None:
            self.end_reason = reason
            self._tell_end()


def _packets(events: Events, source: Host, destination: Host, version: int) -> Packets:
    addresses = (source.address4, destination.address4)
    if version == 6:
        if source.address6 is None or destination.address6 is None:
            raise ValueError(f"{source.name} and {destination.name} have no IPv6 addresses in common")
        addresses = (source.address6, destination.address6)
    rng = events.random
    return Packets(*addresses, source.hops, rng.getrandbits(16), rng.getrandbits(20))
