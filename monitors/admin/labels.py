"""Labels in the admin: each with its networks or ports as lines below it, what it shadows, and CSV beside the list."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from monitors.access import allows
from monitors.labels.shadow import Shadow, shadow_of
from monitors.models import (
    Application,
    ApplicationPort,
    HostName,
    Location,
    LocationNetwork,
    NameSettings,
    NameSource,
    Point,
    Service,
    ServiceEndpoint,
)

NOTHING = "Nothing: no other one meets it."


class PartInline(admin.TabularInline):
    """Lines of a label: who may change the label may change them."""

    extra = 1

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return allows(request.user, "view")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return allows(request.user, "operate")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return allows(request.user, "operate")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return allows(request.user, "operate")


class EndpointInline(PartInline):
    model = ServiceEndpoint
    verbose_name, verbose_name_plural = "network", "Networks and ports of the servers"


class NetworkInline(PartInline):
    model = LocationNetwork
    verbose_name, verbose_name_plural = "network", "Networks"


class PortInline(PartInline):
    model = ApplicationPort
    verbose_name, verbose_name_plural = "port", "Ports of the servers"


class LabelAdmin(admin.ModelAdmin):
    """`kind` is what pages and files call them."""

    kind = ""
    search_fields: ClassVar[Any] = ("name", "description")
    readonly_fields: ClassVar[Any] = ("overlaps",)
    change_list_template = "admin/monitors/label_list.html"
    change_form_template = "admin/monitors/label_form.html"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [name for name in self.get_fields(request, obj) if name != "overlaps"]
        return ((None, {"fields": fields}), *([("Overlaps", {"fields": ("overlaps",)})] if obj else []))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {"kind": self.kind, **(extra_context or {})})

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        return super().change_view(request, object_id, form_url, {"kind": self.kind, **(extra_context or {})})

    @admin.display(description="Where it meets others")
    def overlaps(self, label: Any) -> SafeString | str:
        shadow = shadow_of(self.kind, label.pk) if label.pk else Shadow()
        if not shadow.takes and not shadow.loses:
            return NOTHING
        return render_to_string("monitors/partials/label_overlaps.html", {"shadow": shadow})


@admin.register(Service)
class ServiceAdmin(LabelAdmin):
    kind = "services"
    inlines = (EndpointInline,)
    list_display = ("name", "endpoint_count", "weight", "description")
    search_fields: ClassVar[Any] = ("name", "description", "endpoints__network")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Service]:
        return super().get_queryset(request).annotate(n=Count("endpoints", distinct=True))

    @admin.display(description="Networks", ordering="n")
    def endpoint_count(self, service: Any) -> int:
        return int(service.n)


@admin.register(Location)
class LocationAdmin(LabelAdmin):
    kind = "locations"
    inlines = (NetworkInline,)
    list_display = ("name", "parent", "network_count", "weight", "description")
    list_select_related = ("parent",)
    list_filter = ("top",)
    autocomplete_fields = ("parent",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Location]:
        return super().get_queryset(request).annotate(n=Count("networks", distinct=True))

    @admin.display(description="Networks", ordering="n")
    def network_count(self, location: Any) -> int:
        return int(location.n)


@admin.register(Point)
class PointAdmin(LabelAdmin):
    kind = "points"
    list_display = ("name", "node", "vni", "vlan", "weight", "description")
    list_select_related = ("node",)
    list_filter = ("node",)
    search_fields: ClassVar[Any] = ("name", "description", "=vni", "=vlan")


@admin.register(Application)
class ApplicationAdmin(LabelAdmin):
    kind = "protocols"
    inlines = (PortInline,)
    list_display = ("name", "port_texts", "weight", "description")
    search_fields: ClassVar[Any] = ("name", "description", "=ports__port_from")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        return super().get_queryset(request).prefetch_related("ports")

    @admin.display(description="Ports")
    def port_texts(self, application: Application) -> str:
        return ", ".join(str(port) for port in application.ports.all())


@admin.register(HostName)
class HostNameAdmin(admin.ModelAdmin):
    """Names by hand: what is saved here counts as imported, so that DNS leaves it alone."""

    fields = ("address", "name")
    list_display = ("address", "name", "source", "seen", "expires")
    list_filter = ("source",)
    search_fields = ("name", "address")
    change_list_template = "admin/monitors/label_list.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {"kind": "names", **(extra_context or {})})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("address",) if obj else ()

    def save_model(self, request: HttpRequest, obj: HostName, form: Any, change: bool) -> None:
        obj.source, obj.expires = NameSource.IMPORTED, None
        super().save_model(request, obj, form, change)


@admin.register(NameSettings)
class NameSettingsAdmin(admin.ModelAdmin):
    """The one row: there is nothing to add and nothing to delete."""

    fields = ("reverse_dns", "per_second", "nameserver")
    list_display = ("__str__", "reverse_dns", "per_second", "nameserver")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[NameSettings]:
        # An emptied database has lost the row that its migration made.
        NameSettings.objects.get_or_create(pk=1)
        return super().get_queryset(request)
