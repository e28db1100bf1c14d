"""What may be pasted as a CA certificate, and what is said of anything else."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from monitors.nodes.certificate import told_certificate, validate_ca_certificate
from tests.monitors.authority import Authority


def words(text: str) -> str:
    with pytest.raises(ValidationError) as caught:
        validate_ca_certificate(text)
    return str(caught.value.messages[0])


def test_it_takes_one_or_several_authorities() -> None:
    validate_ca_certificate(Authority().pem)
    validate_ca_certificate("a comment\n" + Authority().pem + Authority("second").pem)


@pytest.mark.parametrize("text", ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "ö"])
def test_it_says_that_nonsense_is_no_certificate(text: str) -> None:
    assert "no PEM certificate: paste the text from -----BEGIN CERTIFICATE-----" in words(text)


def test_it_says_that_it_has_expired() -> None:
    assert "CN=old expired on 20" in words(Authority("old", days=-1).pem)


def test_it_says_that_it_is_no_authority() -> None:
    assert "CN=server is not the certificate of an authority (CA)" in words(Authority("server", is_ca=False).pem)
    leaf = Authority().issue("node.internal")
    assert "CN=node.internal is not" in words(leaf[: leaf.index("-----BEGIN PRIVATE")])


def test_it_finds_the_wrong_one_of_several() -> None:
    assert "CN=old expired" in words(Authority().pem + Authority("old", days=-1).pem)


def test_it_keeps_no_private_key() -> None:
    authority = Authority()
    text = words(authority.pem + authority.key_pem)
    assert "holds a private key" in text and authority.key_pem not in text


@pytest.mark.parametrize("der", [None, b"", b"nonsense"])
def test_it_shows_nothing_of_what_it_cannot_read(der: bytes | None) -> None:
    assert told_certificate(der) is None
