"""A token in a form: it can be written and removed, but is never shown."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from monitors.secrets import KeyProblem, ensure_key_file, key_ring, validate_token

OTHER_ADDRESS = "The stored token is for the address before: write the token of the new one, or remove it."


class SecretForm(forms.ModelForm):
    """Of a model with a `token`, which is for `address_field` and goes nowhere else."""

    address_field: ClassVar[str]

    new_token = forms.CharField(
        label="Token",
        required=False,
        strip=True,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Bearer token of the node's API, where it asks for one.",
    )
    remove_token = forms.BooleanField(label="Remove the token", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if has_token(self.instance):
            self.fields["new_token"].help_text = "One is stored and not shown. Empty: it stays."

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        found = self.cleaned_data
        is_told = found.get("new_token") or found.get("remove_token") or "new_token" in self.errors
        before, now = self.initial.get(self.address_field, ""), found.get(self.address_field)
        if now and not is_told and has_token(self.instance) and is_elsewhere(before, now):
            self.add_error("new_token", OTHER_ADDRESS)
        return cleaned

    def clean_new_token(self) -> str:
        token: str = self.cleaned_data["new_token"]
        validate_token(token)
        if token:
            require_keys()
        return token

    def apply_token(self) -> None:
        """What was written or removed, onto the instance."""
        if self.cleaned_data.get("remove_token"):
            self.instance.token = ""
        elif self.cleaned_data.get("new_token"):
            self.instance.token = self.cleaned_data["new_token"]


def has_token(row: Any) -> bool:
    """Also one that cannot be read: it can be written anew or removed."""
    return bool(row.token or getattr(row.token, "stored", ""))


def is_elsewhere(before: str, now: str) -> bool:
    """Whether somebody else may listen there: another scheme, host or port, or an address that is none. A token must
    not follow by itself."""
    try:
        return "\\" in now or _origin(before) != _origin(now)
    except ValueError:
        return True


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def require_keys(*args: Any) -> None:
    """A token can be encrypted now; else why not."""
    try:
        ensure_key_file()
        key_ring()
    except KeyProblem as problem:
        raise ValidationError(str(problem)) from None


def clean_api_address(value: str) -> str:
    """As it is kept: people copy it with the path of the API."""
    return value.strip().rstrip("/").removesuffix("/api/v1")
