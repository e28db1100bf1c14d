"""Labels: names that people give to addresses, networks, ports and places of capture.

They resolve on groups (`monitors_group` has a column for each), when a group is first seen and again when labels
change: every change raises the number in `LabelRevision`, and a task resolves what is there anew (`monitors.labels`).
Where several fit, the longest prefix wins, then the one that names a port, then the lower weight.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

from django.contrib.postgres.indexes import GistIndex
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from monitors.fields import CidrField

PORT = [MinValueValidator(0), MaxValueValidator(65_535)]


class TransportProtocol(models.IntegerChoices):
    TCP = 6, "TCP"
    UDP = 17, "UDP"


class LabelRevision(models.Model):
    """One row: how often labels have changed, and up to which of these changes all groups are resolved."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    revision = models.IntegerField(default=1)
    resolved = models.IntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"labels r{self.revision}"


class Label(models.Model):
    """What all labels have."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=200, blank=True, default="")
    weight = models.IntegerField(default=100, help_text="Of two that fit equally well the lower one wins.")

    class Meta:
        abstract = True
        ordering = ["name"]

    def __str__(self) -> str:
        return str(self.name)


class Service(Label):
    """What servers offer: endpoints of a network and, if named, ports."""

    class Meta(Label.Meta):
        pass


class ServiceEndpoint(models.Model):
    """A network, with the ports from..to of a protocol where they are named; a conversation's server is looked up."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="endpoints")
    network = CidrField(help_text="An address or a network, for example 10.2.0.0/16")
    protocol = models.SmallIntegerField(choices=TransportProtocol, null=True, blank=True)
    port_from = models.IntegerField(null=True, blank=True, validators=PORT)
    port_to = models.IntegerField(null=True, blank=True, validators=PORT)

    class Meta:
        default_permissions = ()
        indexes = [GistIndex(fields=["network"], opclasses=["inet_ops"], name="service_network")]

    def __str__(self) -> str:
        ports = "" if self.port_from is None else f" port {self.port_from}"
        return f"{self.network}{ports}" + (f"-{self.port_to}" if self.port_to not in (None, self.port_from) else "")

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.port_to is None:
            self.port_to = self.port_from
        super().save(*args, **kwargs)

    def clean(self) -> None:
        _check_ports(self.port_from, self.port_to)


class Location(Label):
    """Where addresses are: networks, in places that lie in other places. `top` is the outermost of them."""

    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name="lies in",
        help_text="The place that this one is a part of.",
    )
    top = models.ForeignKey(
        "self", on_delete=models.DO_NOTHING, null=True, editable=False, related_name="+", db_constraint=False
    )

    class Meta(Label.Meta):
        pass

    def clean(self) -> None:
        seen = {self.pk}
        place = self.parent
        while place is not None and self.pk is not None:
            if place.pk in seen:
                raise ValidationError({"parent": f"{place} lies in {self} already: a place cannot lie in itself."})
            seen.add(place.pk)
            place = place.parent


class LocationNetwork(models.Model):
    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="networks")
    network = CidrField(help_text="An address or a network, for example 10.2.0.0/16")

    class Meta:
        default_permissions = ()
        indexes = [GistIndex(fields=["network"], opclasses=["inet_ops"], name="location_network")]

    def __str__(self) -> str:
        return str(self.network)


class Point(Label):
    """Where traffic is mirrored: a node, a VNI, a VLAN, or several of these together."""

    node = models.ForeignKey("monitors.Node", on_delete=models.CASCADE, null=True, blank=True, related_name="points")
    vni = models.IntegerField("VNI", null=True, blank=True, validators=[MinValueValidator(0)])
    vlan = models.SmallIntegerField("VLAN", null=True, blank=True, validators=[MinValueValidator(0)])

    class Meta(Label.Meta):
        pass

    def clean(self) -> None:
        if self.node_id is None and self.vni is None and self.vlan is None:
            raise ValidationError("Name at least one of node, VNI and VLAN: this would be everywhere.")


class Application(Label):
    """A protocol of applications, known by its ports."""

    class Meta(Label.Meta):
        verbose_name = "protocol"


class ApplicationPort(models.Model):
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="ports")
    protocol = models.SmallIntegerField(choices=TransportProtocol, default=TransportProtocol.TCP)
    port_from = models.IntegerField(validators=PORT)
    port_to = models.IntegerField(null=True, blank=True, validators=PORT)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.get_protocol_display()} {self.port_from}" + (
            f"-{self.port_to}" if self.port_to not in (None, self.port_from) else ""
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.port_to is None:
            self.port_to = self.port_from
        super().save(*args, **kwargs)

    def clean(self) -> None:
        _check_ports(self.port_from, self.port_to)


def _check_ports(first: int | None, last: int | None) -> None:
    if last is not None and (first is None or last < first):
        raise ValidationError({"port_to": "The last port cannot be before the first."})


class NameSource(models.TextChoices):
    IMPORTED = "imported", "Imported"
    DNS = "dns", "Reverse DNS"


class HostName(models.Model):
    """The name of one address. An imported one wins; one of DNS is asked for again after `expires`; an empty name
    says that DNS knows none."""

    address = models.GenericIPAddressField(primary_key=True)
    name = models.CharField(max_length=253, blank=True)
    source = models.CharField(max_length=10, choices=NameSource, default=NameSource.IMPORTED)
    seen = models.DateTimeField(default=timezone.now)
    expires = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["address"]
        verbose_name = "host name"

    def __str__(self) -> str:
        return f"{self.address} {self.name}"


def validate_nameserver(text: str) -> None:
    if nameserver_of(text) is None:
        raise ValidationError("An address such as 10.0.0.53, 10.0.0.53:5353 or [fd00::53]:53.")


def nameserver_of(text: str) -> tuple[str, int] | None:
    """(address, port) of what a person writes; None for what is neither."""
    found = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::(\d{1,5}))?|([0-9.]+)(?::(\d{1,5}))?|([0-9a-fA-F:]+)", text.strip())
    if found is None:
        return None
    address, port = found[1] or found[3] or found[5], int(found[2] or found[4] or 53)
    try:
        return (str(ip_address(address)), port) if 0 < port < 65_536 else None
    except ValueError:
        return None


class NameSettings(models.Model):
    """One row: whether names are looked up, how many a second over all workers, and until when that is spent."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    reverse_dns = models.BooleanField(
        "look up names by reverse DNS", default=False, help_text="Tells your resolver which addresses you look at."
    )
    per_second = models.IntegerField(
        "look-ups per second", default=10, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    nameserver = models.CharField(
        max_length=100,
        blank=True,
        default="",
        validators=[validate_nameserver],
        help_text="Address of the DNS server, with :port where it is not 53. Empty: the machine's own.",
    )
    spent_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "name settings"

    def __str__(self) -> str:
        return "Host names"
