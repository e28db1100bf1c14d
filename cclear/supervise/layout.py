"""Where the parts of one machine listen: read from the environment, checked before anything is started."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from cclear.environment import EnvironmentProblem, data_dir, env_bool, env_port, env_text


class PortProblem(Exception):
    """One line for the operator: which port is taken and what to do."""


@dataclass(frozen=True)
class Address:
    """One socket that a part will open, and the variable that moves it."""

    part: str
    host: str
    port: int
    variable: str
    udp: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def is_free(self) -> bool:
        kind = socket.SOCK_DGRAM if self.udp else socket.SOCK_STREAM
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, kind) as probe:
            if not self.udp:
                # As the servers do: connections of the last run that linger are no reason to refuse.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError:
                return False
        return True


@dataclass(frozen=True)
class NodeLayout:
    """One cStor node of this machine."""

    name: str
    api: Address
    mirror: Address

    @property
    def url(self) -> str:
        return f"http://{self.api}"


@dataclass(frozen=True)
class Layout:
    """All parts of this machine."""

    data: Path
    web: Address
    broker: Address
    broker_api: Address
    nodes: tuple[NodeLayout, ...]
    scenario: str

    @classmethod
    def from_environment(cls) -> Layout:
        host = env_text("CCLEAR_HOST", "127.0.0.1")
        nodes = (("a", 6081, 8801), ("b", 6082, 8802))
        return cls(
            data=data_dir(),
            web=Address("web", host, env_port("CCLEAR_PORT", 8000), "CCLEAR_PORT"),
            broker=Address("cvu", "127.0.0.1", env_port("CVU_PORT", 4789), "CVU_PORT", udp=True),
            broker_api=Address("cvu", "127.0.0.1", env_port("CVU_API_PORT", 8803), "CVU_API_PORT"),
            nodes=tuple(_node(letter, mirror, api) for letter, mirror, api in nodes),
            scenario=env_text("LAB_SCENARIO", "default") if env_bool("CCLEAR_LAB", True) else "",
        ).validated()

    @property
    def web_url(self) -> str:
        """Where a browser on this machine finds the web, whatever it listens on."""
        host = "127.0.0.1" if self.web.host in ("0.0.0.0", "::") else self.web.host
        return f"http://{host}:{self.web.port}"

    def addresses(self) -> list[Address]:
        return [
            self.web,
            self.broker,
            self.broker_api,
            *(address for node in self.nodes for address in (node.api, node.mirror)),
        ]

    def validated(self) -> Layout:
        seen: dict[tuple[int, bool], Address] = {}
        for address in self.addresses():
            other = seen.setdefault((address.port, address.udp), address)
            if other is not address:
                raise EnvironmentProblem(f"{address.variable} and {other.variable} are both {address.port}")
        return self

    def secrets(self) -> Path:
        return self.data / "secrets"

    def token_file(self, node: NodeLayout) -> Path:
        return self.secrets() / f"{node.name}.token"

    def must_be_free(self) -> None:
        """Raise with every port that somebody else has."""
        taken = [address for address in self.addresses() if not address.is_free()]
        if taken:
            ports = ", ".join(f"{address.port} ({address.part})" for address in taken)
            moves = " ".join(f"{address.variable}={address.port + 10_000}" for address in taken)
            raise PortProblem(
                f"port{'s' if len(taken) > 1 else ''} {ports} in use: stop what listens there (is cClear running "
                f"already?), or choose others: {moves} make run"
            )


def _node(letter: str, mirror: int, api: int) -> NodeLayout:
    name, stem = f"cstor-{letter}", f"CSTOR_{letter.upper()}"
    return NodeLayout(
        name=name,
        api=Address(name, "127.0.0.1", env_port(f"{stem}_API_PORT", api), f"{stem}_API_PORT"),
        mirror=Address(name, "127.0.0.1", env_port(f"{stem}_PORT", mirror), f"{stem}_PORT", udp=True),
    )
