"""Who calls the API: a browser's session, or a bearer token (RFC 6750) with scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from monitors.access import LEVELS, allows
from monitors.models.token import ApiToken, Scope

if TYPE_CHECKING:
    # rest_framework.views reads the settings that name this module.
    from rest_framework.views import APIView


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer ccl_...`; request.auth is the token."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiToken] | None:
        word, _, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if word.lower() != "bearer":
            return None
        token = ApiToken.find(secret.strip(), timezone.now())
        if token is None:
            raise AuthenticationFailed(
                "This token is unknown, revoked or expired. Make a new one on your account page."
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="cClear"'


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI page describes the tokens."""

    target_class = "monitors.api.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class MayCall(BasePermission):
    """The caller's account has the view's level, and a token also the scope that the view needs.

    A view names them as `level` (monitors.access.LEVELS, default `view`) and `scope`; without one, safe methods need
    `read` and all others `write`. Where `change_level` is named, methods that are not safe need that level instead.
    """

    message = "You may not do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        needed = getattr(view, "scope", None) or (Scope.READ if request.method in SAFE_METHODS else Scope.WRITE)
        if isinstance(request.auth, ApiToken) and needed not in request.auth.scopes:
            self.message = f"This token lacks the scope '{needed}'; it has: {', '.join(request.auth.scopes) or 'none'}."
            return False
        level = getattr(view, "level", "view")
        if request.method not in SAFE_METHODS:
            level = getattr(view, "change_level", None) or level
        if not allows(request.user, level):
            self.message = (
                f"Your account lacks the permission '{LEVELS[level]}'; an administrator can add you to a group."
            )
            return False
        return True
