"""A private certificate authority, and a stub node that speaks TLS with a certificate of it."""

from __future__ import annotations

import datetime as dt
import ssl
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.monitors.stub_node import StubNode


class Authority:
    """Signs certificates; `pem` is its own."""

    def __init__(self, name: str = "Test authority", days: float = 30, is_ca: bool = True) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._signed(self._name, self._key, days, x509.BasicConstraints(is_ca, None))
        self.pem = self._certificate.public_bytes(Encoding.PEM).decode()
        self.key_pem = _key_pem(self._key)

    def issue(self, *names: str, days: float = 20) -> str:
        """Certificate and key of a server, for these host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(False, None)
        made = self._signed(_name(names[0]), key, days, constraints, [_general(name) for name in names])
        return made.public_bytes(Encoding.PEM).decode() + _key_pem(key)

    def _signed(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        days: float,
        constraints: x509.BasicConstraints,
        names: list[x509.GeneralName] | None = None,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=100))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(constraints, critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def speak_tls(stub: StubNode, certificate: str, folder: Path) -> str:
    """From now on the stub speaks TLS with this certificate and key; its https:// address."""
    path = folder / f"node-{stub.port}.pem"
    path.write_text(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    stub._server.socket = context.wrap_socket(stub._server.socket, server_side=True)
    return stub.url.replace("http:", "https:")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
