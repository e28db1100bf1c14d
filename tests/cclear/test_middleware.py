"""What every answer carries."""

from __future__ import annotations

from django.test import Client


def test_it_lets_pages_load_from_here_only(client: Client) -> None:
    policy = client.get("/accounts/login/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy


def test_it_forbids_frames_and_guessing_of_types(client: Client) -> None:
    headers = client.get("/accounts/login/").headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
