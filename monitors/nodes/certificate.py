"""Certificates: what may be given as one's own authority, and what is shown of the one that a node presents."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from cryptography import x509
from django.core.exceptions import ValidationError

# The word of RFC 7468 between the dashes; a key has no place among certificates.
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def told_certificate(der: bytes | None) -> dict[str, Any] | None:
    """What is shown of the certificate that a node presented: until when it is valid, for what and by whom."""
    if not der:
        return None
    try:
        found = x509.load_der_x509_certificate(der)
        return {
            "expires": found.not_valid_after_utc.timestamp(),
            "subject": found.subject.rfc4514_string()[:200],
            "issuer": found.issuer.rfc4514_string()[:200],
        }
    except ValueError:
        return None


def validate_ca_certificate(text: str) -> None:
    """One or several PEM certificates, all of authorities and in force; else what is wrong in plain words."""
    if _PRIVATE_KEY.search(text):
        raise ValidationError("This holds a private key, which belongs to its owner alone: paste only the certificate.")
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise ValidationError(
            "This is no PEM certificate: paste the text from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----."
        ) from None
    for certificate in found:
        if problem := _problem(certificate, dt.datetime.now(dt.UTC)):
            raise ValidationError(problem)


def _problem(certificate: x509.Certificate, now: dt.datetime) -> str:
    name = certificate.subject.rfc4514_string() or "The certificate"
    if certificate.not_valid_after_utc <= now:
        return f"{name} expired on {certificate.not_valid_after_utc:%Y-%m-%d}: paste the one that replaced it."
    if certificate.not_valid_before_utc > now:
        return f"{name} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on."
    try:
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        is_ca = False
    if not is_ca:
        return f"{name} is not the certificate of an authority (CA): paste that of the CA which signed the node's own."
    return ""
