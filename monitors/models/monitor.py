"""A monitor: which traffic, from which nodes, kept by which keys, how finely; and the history of its definition."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils import timezone
from django.utils.text import slugify

from cstor.metrics.metric import Subject
from monitors.access import PERMISSIONS
from monitors.kinds.kind import KINDS, subject_of
from monitors.models.node import Node
from monitors.models.node_group import NodeGroup
from monitors.series.steps import mark_added
from monitors.series.tiers import ROLLUPS

KEYS = {
    "client_ip": "Client address",
    "server_ip": "Server address",
    "server_port": "Server port",
    "protocol": "Protocol",
    "vni": "VNI",
    "vlan": "VLAN",
    "client_net": "Client network",
    "server_net": "Server network",
    "host": "Host (client or server)",
    "source": "Source",
    "thread": "Thread",
    "reason": "Reason or stage",
    "node": "Node",
}
DEFAULT_KEYS = ("client_ip", "server_ip", "server_port", "protocol")
RESOLUTIONS = [(1, "1 second"), (10, "10 seconds"), (60, "1 minute")]


def default_keys() -> list[str]:
    return list(DEFAULT_KEYS)


def default_steps() -> list[int]:
    return list(ROLLUPS)


class MonitorSet(models.QuerySet["Monitor"]):
    """Monitors by what they are about."""

    def about(self, subject: Subject) -> MonitorSet:
        """Those whose samples are of this subject."""
        if subject == "conversations":
            return self.exclude(kind__in=[key for key, kind in KINDS.items() if kind.subject != subject])
        return self.filter(kind__in=[key for key, kind in KINDS.items() if kind.subject == subject])


class Monitor(models.Model):
    """Criteria that nodes are asked for on a schedule. An edit of what is asked raises `revision`."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=100, unique=True, blank=True)
    kind = models.CharField(max_length=50, default="network_health")
    config = models.JSONField(default=dict, blank=True)
    filter = models.TextField(
        blank=True, help_text="As tcpdump takes it, for example: net 10.0.0.0/8 and tcp port 443. Empty: all traffic."
    )
    description = models.TextField(blank=True, default="", help_text="What it is for: shown where it is chosen.")
    nodes = models.ManyToManyField(Node, blank=True, related_name="monitors")
    groups = models.ManyToManyField(
        NodeGroup, "monitors", blank=True, verbose_name="node groups", help_text="New members join by themselves."
    )
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    keys = ArrayField(models.CharField(max_length=20), default=default_keys, blank=True)
    resolution = models.IntegerField(choices=RESOLUTIONS, default=10)
    interval_s = models.IntegerField(
        "pulled every (seconds)", default=10, validators=[MinValueValidator(1), MaxValueValidator(86_400)]
    )
    steps = ArrayField(
        models.IntegerField(),
        default=default_steps,
        blank=True,
        verbose_name="coarser steps",
        help_text="Which roll-ups it keeps above its resolution, in seconds.",
    )
    thresholds = models.JSONField(
        default=dict,
        blank=True,
        help_text="Metric -> [amber, red], in the metric's own unit; what is not named has the default.",
    )
    top_n = models.IntegerField("top N groups", default=50, validators=[MinValueValidator(1), MaxValueValidator(1000)])
    enabled = models.BooleanField(default=True)

    revision = models.IntegerField(default=1, editable=False)
    keep = models.JSONField(default=list, blank=True, editable=False)
    keep_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    DEFINITION = ("kind", "config", "filter", "keys")

    objects = MonitorSet.as_manager()

    class Meta:
        ordering = ["name"]
        permissions = PERMISSIONS

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raise the revision when kind, filter or keys differ from what is stored, and keep that definition. Steps
        that are added are folded from what is stored."""
        if not self.slug:
            self.slug = free_slug(self.name)
        with transaction.atomic():
            stored = Monitor.objects.select_for_update().filter(pk=self.pk).first() if self.pk else None
            if stored is not None and stored.definition() != self.definition():
                self.revision = stored.revision + 1
                # Groups of the old revision have ids of their own: none of them may be asked to be kept.
                self.keep, self.keep_at = [], None
                if kwargs.get("update_fields") is not None:
                    kwargs["update_fields"] = {*kwargs["update_fields"], "revision", "keep", "keep_at"}
            super().save(*args, **kwargs)
            if stored is not None and "steps" in (kwargs.get("update_fields") or ("steps",)):
                mark_added(self.pk, self.resolution, stored.steps, self.steps)
            if stored is None or stored.revision != self.revision:
                Definition.objects.get_or_create(
                    monitor=self, revision=self.revision, defaults={"definition": self.definition()}
                )

    def get_absolute_url(self) -> str:
        return f"/monitors/{self.pk}/"

    @property
    def subject(self) -> Subject:
        """What its samples are about."""
        return subject_of(self.kind)

    @property
    def scope(self) -> str:
        """What it is about where it has no filter."""
        kind = KINDS.get(self.kind)
        return kind.scope if kind else "all traffic"

    @property
    def dashboard_url(self) -> str:
        """Where it is shown."""
        kind = KINDS.get(self.kind)
        if kind is None or kind.dashboard == "monitor":
            return f"/d/monitor/?monitor={self.slug}"
        return f"/d/{kind.dashboard}/"

    @property
    def kind_label(self) -> str:
        kind = KINDS.get(self.kind)
        return kind.label if kind else self.kind

    @property
    def key_labels(self) -> list[str]:
        return [KEYS.get(key, key) for key in self.keys]

    def definition(self) -> dict[str, Any]:
        """What decides which rows a pull brings and what they mean."""
        return {name: getattr(self, name) for name in self.DEFINITION}


class Definition(models.Model):
    """One revision of a monitor: what was asked since when, so that charts draw a line where it changed."""

    monitor = models.ForeignKey(Monitor, on_delete=models.CASCADE, related_name="definitions")
    revision = models.IntegerField()
    definition = models.JSONField()
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-revision"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["monitor", "revision"], name="one_definition_per_revision")]

    def __str__(self) -> str:
        return f"{self.monitor} r{self.revision}"


def free_slug(name: str) -> str:
    """A slug nobody has yet."""
    stem = slugify(name)[:90] or "monitor"
    slug, n = stem, 1
    while Monitor.objects.filter(slug=slug).exists():
        n += 1
        slug = f"{stem}-{n}"
    return slug
