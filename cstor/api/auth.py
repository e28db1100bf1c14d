"""Bearer tokens (RFC 6750). Without a token file the API listens on this machine only, for whoever reaches it."""

from __future__ import annotations

import hmac
from functools import cache
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from cstor.config import read_tokens


@cache
def _tokens() -> tuple[bytes, ...]:
    path = settings.CSTOR.token_file
    return tuple(token.encode() for token in read_tokens(path)) if path else ()


class BearerToken(BaseAuthentication):
    """Checks the Authorization header against the token file, in constant time per token."""

    def authenticate(self, request: Request) -> tuple[None, str] | None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("send the token as 'Authorization: Bearer TOKEN'")
        # All are compared, so that the time taken does not tell which one was near.
        matches = [hmac.compare_digest(given.strip().encode(), token) for token in _tokens()]
        if matches and True not in matches:
            raise AuthenticationFailed("this token is not in the node's token file")
        return None, "token"

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasToken(BasePermission):
    """A valid token, where the node has a token file."""

    message = "this node asks for a token: send 'Authorization: Bearer TOKEN'"

    def has_permission(self, request: Request, view: Any) -> bool:
        return not _tokens() or request.auth == "token"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names it."""

    target_class = "cstor.api.auth.BearerToken"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
