"""Labels: names that people give to addresses, networks, ports and places of capture.

They resolve on groups (`monitors_group` has a column for each), when a group is first seen and again when labels
change: every change raises the one number in `LabelRevision`, and groups of a lower one are resolved anew. Where
several fit, the longest prefix wins, then the one that names a port, then the lower weight.
"""

from __future__ import annotations

from typing import Any

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
    """One row: how often labels have changed. A group whose `labels_revision` is lower waits to be resolved."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    revision = models.IntegerField(default=1)

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

    def __str__(self) -> str:
        ports = "" if self.port_from is None else f" port {self.port_from}"
        return f"{self.network}{ports}" + (f"-{self.port_to}" if self.port_to not in (None, self.port_from) else "")

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.port_to is None:
            self.port_to = self.port_from
        super().save(*args, **kwargs)

    def clean(self) -> None:
        if self.port_to is not None and (self.port_from is None or self.port_to < self.port_from):
            raise ValidationError({"port_to": "The last port cannot be before the first."})


class Location(Label):
    """Where addresses are: networks, in places that lie in other places."""

    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")

    class Meta(Label.Meta):
        pass


class LocationNetwork(models.Model):
    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="networks")
    network = CidrField(help_text="An address or a network, for example 10.2.0.0/16")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.network)


class Point(Label):
    """Where traffic is mirrored: a node, a VNI, a VLAN, or several of these together."""

    node = models.ForeignKey("monitors.Node", on_delete=models.CASCADE, null=True, blank=True, related_name="points")
    vni = models.IntegerField("VNI", null=True, blank=True, validators=[MinValueValidator(0)])
    vlan = models.SmallIntegerField("VLAN", null=True, blank=True, validators=[MinValueValidator(0)])

    class Meta(Label.Meta):
        pass


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


class NameSettings(models.Model):
    """One row: whether names are looked up, and how many a second."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    reverse_dns = models.BooleanField(
        "look up names by reverse DNS", default=False, help_text="Tells your resolver which addresses you look at."
    )
    per_second = models.IntegerField(
        "look-ups per second", default=10, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )

    class Meta:
        verbose_name_plural = "name settings"

    def __str__(self) -> str:
        return "Host names"
