"""TLS towards nodes: by which authority and for which name a node's certificate must be.

Where a node has a CA certificate of its own, that one alone is trusted; else the public authorities are. The name that
must stand in the certificate is the host of the URL, or `tls_name` where a node is reached by its bare address.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import certifi

from monitors.nodes.deadline import NodeAdapter


@dataclass(frozen=True)
class Trust:
    """How the certificate of a node is verified; equal ones share their connections."""

    verifies: bool = True
    ca_certificate: str = ""
    name: str = ""

    @classmethod
    def of(cls, node: Any) -> Trust:
        """Of a node, or of anything that has some of its fields."""
        ca_certificate, name = (getattr(node, field, "") for field in ("ca_certificate", "tls_name"))
        return cls(node.verify_tls, ca_certificate.strip(), name)


@lru_cache(maxsize=256)
def context_of(verifies: bool, ca_certificate: str) -> ssl.SSLContext:
    """The context of connections with this trust; making one reads a hundred certificates, so they are kept."""
    if not verifies:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if ca_certificate:
        try:
            return ssl.create_default_context(cadata=ca_certificate)
        except (TypeError, ValueError):
            raise ssl.SSLError("no PEM certificate") from None
    return ssl.create_default_context(cafile=certifi.where())


class TrustAdapter(NodeAdapter):
    """Connections that are verified as one `Trust` says, for the name it says."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._trusted = context_of(trust.verifies, trust.ca_certificate)
        super().__init__()

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> tuple[Any, Any]:
        host, options = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            trusted: dict[str, Any] = {"ssl_context": self._trusted, "cert_reqs": self._trusted.verify_mode}
            if self._trust.name:
                trusted["server_hostname"] = self._trust.name
            return host, trusted
        return host, options

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: requests would add the public authorities to a context that is to trust one of one's own."""


def refusal(host: str, error: str, trust: Trust) -> str:
    """Why a handshake failed, in words that say what to do; `error` is OpenSSL's own account."""
    said = error.lower()
    expected = trust.name or host.rsplit(":", 1)[0].strip("[]")
    if "hostname mismatch" in said or "ip address mismatch" in said or "doesn't match" in said:
        return f"the TLS certificate of {host} is not trusted: it is not made out for {expected}"
    if "expired" in said:
        return f"the TLS certificate of {host} is not trusted: it has expired"
    if "not yet valid" in said:
        return f"the TLS certificate of {host} is not trusted: it is not valid yet (is a clock wrong?)"
    if "verify failed" in said:
        signer = "was not signed by the CA certificate in the form of the node"
        unknown = "is not from a public authority: paste the CA certificate into the form of the node"
        return f"the TLS certificate of {host} is not trusted: it {signer if trust.ca_certificate else unknown}"
    if "wrong version number" in said or "record layer" in said or "http request" in said:
        return f"{host} does not speak TLS: is its address http:// and not https://?"
    return f"no TLS connection with {host}: {error}"
