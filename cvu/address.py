"""HOST:PORT as people write it, and the error of a configuration that says what to do."""

from __future__ import annotations


class ConfigError(Exception):
    """What is wrong with a configuration and what to do about it, in one line."""


def host_and_port(text: str, what: str) -> tuple[str, int]:
    """HOST:PORT, [HOST]:PORT for IPv6; `what` names the setting in the error."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{what} = {text!r} is not HOST:PORT, such as 127.0.0.1:4789")
    return host.strip("[]"), int(port)
