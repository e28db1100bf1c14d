"""A DNS server on loopback that answers PTR queries from a table, over UDP."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

import dns.flags
import dns.message
import dns.rcode
import dns.reversename
import dns.rrset


class DnsServer:
    """`names` maps addresses to names; what is not there does not exist, what is in `silent` gets no answer."""

    def __init__(self, names: dict[str, str], silent: tuple[str, ...] = ()) -> None:
        self.names = {str(dns.reversename.from_address(address)): name for address, name in names.items()}
        self.silent = {str(dns.reversename.from_address(address)) for address in silent}
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> DnsServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An empty datagram ends the loop.
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, sender = self._socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            asked = query.question[0].name.to_text()
            self.asked.append(asked)
            if asked in self.silent:
                continue
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA
            if asked in self.names:
                answer.answer.append(dns.rrset.from_text(asked, 300, "IN", "PTR", self.names[asked]))
            else:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(answer.to_wire(), sender)
