"""Who may do what: the only place with access rules. Views, API and admin ask here.

Three roles are Django groups, each with the levels below it: viewers look, operators change monitors, nodes and
dashboards, admins also manage users. Packets carry content, so downloading them is a permission of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.apps import apps as registry
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

PERMISSIONS: list[tuple[str, Any]] = [
    ("view_console", "May look at dashboards, monitors and nodes"),
    ("operate_console", "May create and edit monitors, nodes and dashboards"),
    ("administer_console", "May manage users and the console itself"),
    ("download_packets", "May download packets"),
]
LEVELS = {
    "view": "monitors.view_console",
    "operate": "monitors.operate_console",
    "admin": "monitors.administer_console",
    "download_packets": "monitors.download_packets",
}
ROLES = {
    "viewer": ("view_console",),
    "operator": ("view_console", "operate_console", "download_packets"),
    "admin": ("view_console", "operate_console", "administer_console", "download_packets"),
}
STAFF_ROLES = {"operator", "admin"}
OWN_APPS = ("monitors", "dashboards")


def allows(user: Any, level: str) -> bool:
    """Whether the user may do what `level` (a key of LEVELS) stands for."""
    return bool(user.is_authenticated and user.has_perm(LEVELS[level]))


def require(user: Any, level: str) -> None:
    """PermissionDenied, with the reason in words, unless the user may."""
    if not allows(user, level):
        raise PermissionDenied(f"This needs the permission '{dict(PERMISSIONS)[LEVELS[level].split('.')[1]]}'.")


View = Callable[..., HttpResponseBase]


def level_required(level: str) -> Callable[[View], View]:
    """Decorator of views: strangers go to the login page, users without the level get 403."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            require(request.user, level)
            return view(request, *args, **kwargs)

        guarded.access_level = level  # type: ignore[attr-defined]  # read by the test that walks the URL map
        return guarded

    return decorate


viewer_required = level_required("view")
operator_required = level_required("operate")
admin_required = level_required("admin")
packets_required = level_required("download_packets")


def grant_roles(apps: Any) -> None:
    """Create the three groups and give each its permissions; adds what is missing, takes nothing away."""
    group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for role, codenames in ROLES.items():
        group, _ = group_model.objects.get_or_create(name=role)
        wanted = permission_model.objects.filter(content_type__app_label="monitors", codename__in=codenames)
        models = permission_model.objects.filter(content_type__app_label__in=OWN_APPS)
        if role == "viewer":
            wanted |= models.filter(codename__startswith="view_")
        elif role == "operator":
            wanted |= models.exclude(codename__in=[name for name, _ in PERMISSIONS])
        else:
            wanted |= models | permission_model.objects.filter(content_type__app_label="auth")
        group.permissions.add(*wanted)


def grant_roles_after_migrate(sender: Any, apps: Any = registry, **kwargs: Any) -> None:
    """Models that came with this migration belong to the roles too; a database that was emptied gets them back."""
    if sender.label in (*OWN_APPS, "auth") and _has_tables(apps):
        grant_roles(apps)


def _has_tables(apps: Any) -> bool:
    try:
        apps.get_model("auth", "Group"), apps.get_model("monitors", "Monitor")
    except LookupError:
        return False
    return True


def open_admin_for_roles(instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **kwargs: Any) -> None:
    """Operators and admins work in the admin, which Django opens to staff only: staff follows the role."""
    if action != "post_add" or reverse or instance.is_staff:
        return
    if instance.groups.filter(name__in=STAFF_ROLES).exists():
        instance.is_staff = True
        instance.save(update_fields=["is_staff"])
