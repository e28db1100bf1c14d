"""How a monitor is read and written by scripts. What makes sense is the form's to say: MonitorForm checks here too."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitors import editing
from monitors.exchange.document import RELATED, defaults_of, document
from monitors.forms.monitor import MonitorForm
from monitors.models import Monitor, Node, NodeGroup, Pull

WAY = "API"


class PullSerializer(serializers.ModelSerializer[Pull]):
    """How far one node's data has come; intervals are [from, to) in epoch seconds."""

    covered = serializers.SerializerMethodField()
    lost = serializers.SerializerMethodField()

    class Meta:
        model = Pull
        fields = [
            "node_id",
            "covered",
            "lost",
            "next_run",
            "last_run",
            "failures",
            "error",
            "took_ms",
            "rows",
            "refused",
        ]

    def get_covered(self, pull: Pull) -> list[list[int]]:
        return [list(span) for span in pull.covered]

    def get_lost(self, pull: Pull) -> list[list[int]]:
        return [list(span) for span in pull.lost]


@extend_schema_field(
    {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "number"}, "minItems": 2}}
)
class ThresholdsJson(serializers.JSONField):
    """{metric: [amber, red]} in the metric's own unit: seconds, percent."""


class MonitorSerializer(serializers.ModelSerializer[Monitor]):
    """A monitor: what is decided about it, and for each node what has been pulled."""

    nodes = serializers.PrimaryKeyRelatedField(many=True, queryset=Node.objects.all(), required=False)
    groups = serializers.PrimaryKeyRelatedField(many=True, queryset=NodeGroup.objects.all(), required=False)
    kind = serializers.CharField(max_length=50, required=False)
    keys = serializers.ListField(child=serializers.CharField(), required=False)
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    steps = serializers.ListField(child=serializers.IntegerField(), required=False)
    thresholds = ThresholdsJson(required=False)
    pulls = PullSerializer(many=True, read_only=True)
    url = serializers.SerializerMethodField()
    revision = serializers.IntegerField(
        required=False, help_text="Of the definition. Sent with a change it must be the present one, else 409."
    )

    class Meta:
        model = Monitor
        fields = [
            "id", "name", "slug", "kind", "description", "tags", "config", "filter", "nodes", "groups", "keys",
            "resolution", "interval_s", "top_n", "steps", "thresholds", "enabled", "revision", "created", "changed",
            "pulls", "url",
        ]  # fmt: skip
        read_only_fields = ("slug", "config", "created", "changed")
        # The form says so in its own words, the same as on the pages.
        extra_kwargs: ClassVar[dict[str, dict[str, Any]]] = {"name": {"validators": []}}

    def get_url(self, monitor: Monitor) -> str:
        return monitor.get_absolute_url()

    def to_internal_value(self, data: Any) -> Any:
        """A misspelt field would otherwise be silently without effect."""
        if isinstance(data, dict) and (unknown := [name for name in data if name not in self.fields]):
            known = ", ".join(name for name, field in self.fields.items() if not field.read_only)
            raise serializers.ValidationError({unknown[0]: [f"There is no such field; there are: {known}."]})
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs.pop("revision", None)
        monitor = self.instance
        if monitor is not None and attrs.get("resolution", monitor.resolution) != monitor.resolution:
            raise serializers.ValidationError({"resolution": [f"It is {monitor.resolution} s and cannot be changed."]})
        form = self.bound(attrs)
        if not form.is_valid():
            raise serializers.ValidationError({name: list(map(str, errors)) for name, errors in form.errors.items()})
        return {"form": form}

    def bound(self, attrs: dict[str, Any]) -> MonitorForm:
        """The form with what was sent: over what is there when it is changed, over the defaults when it is whole."""
        monitor = self.instance
        data: dict[str, Any]
        if monitor is not None and self.partial:
            related = {name: [one.pk for one in getattr(monitor, name).all()] for name in RELATED}
            data = {**document(monitor), **related}
        else:
            data = defaults_of(attrs.get("kind", "network_health"))
            data |= {"resolution": monitor.resolution} if monitor is not None else {}
        given = {name: [one.pk for one in value] if name in RELATED else value for name, value in attrs.items()}
        instance = Monitor.objects.get(pk=monitor.pk) if monitor is not None else None
        return MonitorForm({**data, **given}, instance=instance)

    def create(self, validated_data: dict[str, Any]) -> Monitor:
        return editing.save(validated_data["form"], self.context["request"].user, way_of(self.context["request"]))

    def update(self, instance: Monitor, validated_data: dict[str, Any]) -> Monitor:
        return self.create(validated_data)


class DraftSerializer(MonitorSerializer):
    """A monitor that is not saved: nothing of it is needed."""

    class Meta(MonitorSerializer.Meta):
        extra_kwargs: ClassVar[dict[str, dict[str, Any]]] = {"name": {"validators": [], "required": False}}
        fields = [
            "name", "kind", "description", "tags", "filter", "nodes", "groups", "keys", "resolution", "interval_s",
            "top_n", "steps", "thresholds", "enabled",
        ]  # fmt: skip

    # Of the saved one only.
    pulls = None  # type: ignore[assignment]
    url = None  # type: ignore[assignment]
    revision = None  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs


def way_of(request: Any) -> str:
    """How the history names this door: by which token, if by one."""
    name = getattr(request.auth, "name", "")
    return f"{WAY} (token {name})" if name else WAY


class ProblemSerializer(serializers.Serializer[Any]):
    """What is wrong, by field."""

    detail = serializers.CharField(required=False)


class ChangeSerializer(serializers.Serializer[Any]):
    """One field that an import changes."""

    field = serializers.CharField()
    old = serializers.CharField()
    new = serializers.CharField()


class ImportItemSerializer(serializers.Serializer[Any]):
    """One entry of an imported file."""

    line = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=["new", "changed", "same", "wrong"])
    changes = ChangeSerializer(many=True)
    problems = serializers.ListField(child=serializers.CharField())


class MonitorImportSerializer(serializers.Serializer[Any]):
    """What an import did, or would do."""

    applied = serializers.BooleanField()
    summary = serializers.CharField()
    items = ImportItemSerializer(many=True)


class TierSerializer(serializers.Serializer[Any]):
    """One step of the cost."""

    step = serializers.IntegerField(help_text="Seconds.")
    rows_per_day = serializers.IntegerField()
    bytes_per_day = serializers.IntegerField()


class ExampleSerializer(serializers.Serializer[Any]):
    """One of the largest things that match."""

    keys = serializers.DictField()
    amount = serializers.IntegerField(help_text="Bytes in the minute; packets, for counters of nodes.")


class NodeAnswerSerializer(serializers.Serializer[Any]):
    """What one node answered."""

    node = serializers.CharField()
    error = serializers.CharField(allow_blank=True)
    matches = serializers.IntegerField()
    rows_per_minute = serializers.IntegerField()
    until = serializers.IntegerField(allow_null=True, help_text="Epoch second: end of the minute that was looked at.")


class PreviewSerializer(serializers.Serializer[Any]):
    """What a monitor would bring, going by the last minute."""

    subject = serializers.ChoiceField(choices=["conversations", "points", "node"])
    asked = serializers.IntegerField(help_text="Nodes.")
    answered = serializers.IntegerField()
    matches = serializers.IntegerField(help_text="Conversations, links or counters; what two nodes see counts twice.")
    seen_on = serializers.IntegerField(help_text="Nodes on which anything matches.")
    rows_per_minute = serializers.IntegerField(help_text="Of the finest step.")
    bytes_per_day = serializers.IntegerField()
    folded = serializers.IntegerField(help_text="Groups beyond the top N, kept together as other.")
    row_size_is_measured = serializers.BooleanField()
    tiers = TierSerializer(many=True)
    examples = ExampleSerializer(many=True)
    nodes = NodeAnswerSerializer(many=True)
    took_ms = serializers.IntegerField()
