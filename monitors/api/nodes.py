"""`/api/v1/nodes/`: capture nodes. A node's token can be written and never leaves."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as Problem
from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from monitors import state
from monitors.forms.node import start_anew
from monitors.forms.secret import OTHER_ADDRESS, clean_api_address, has_token, is_elsewhere, require_keys
from monitors.models import Node, NodeGroup, Origin
from monitors.models.token import Scope
from monitors.nodes import health
from monitors.nodes.probe import Probe, probe
from monitors.secrets import validate_token


class TokenField(serializers.CharField):
    """Written, never read; an empty one removes what is there."""

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {"write_only": True, "required": False, "allow_blank": True}
        super().__init__(**{**defaults, "style": {"input_type": "password"}, **options})

    def to_internal_value(self, data: Any) -> str:
        token: str = super().to_internal_value(data)
        try:
            validate_token(token)
            if token:
                require_keys()
        except Problem as problem:
            raise serializers.ValidationError(problem.messages) from None
        return token


def refuse_elsewhere(row: Any, address_field: str, attrs: dict[str, Any]) -> None:
    """Refuse a new address of a node or group whose stored token is for the one before."""
    if row is None or "token" in attrs or not has_token(row):
        return
    now = attrs.get(address_field)
    if now and is_elsewhere(getattr(row, address_field), now):
        raise serializers.ValidationError({"token": OTHER_ADDRESS})


class NodeSerializer(serializers.ModelSerializer[Node]):
    """A node with what is known of its health."""

    token = TokenField(help_text="Bearer token of the node; write only.")
    has_token = serializers.SerializerMethodField()
    groups = serializers.PrimaryKeyRelatedField(
        many=True, required=False, queryset=NodeGroup.objects.filter(is_all=False)
    )
    state = serializers.SerializerMethodField()
    words = serializers.SerializerMethodField()

    class Meta:
        model = Node
        fields = [
            "id", "name", "url", "token", "has_token", "verify_tls", "ca_certificate", "tls_name", "enabled", "groups",
            "origin", "found_by", "left_at", "state", "words", "status", "checked_at", "last_seen", "error", "failures",
            "retry_at", "skew_ms",
        ]  # fmt: skip
        read_only_fields = [
            "origin", "found_by", "left_at", "status", "checked_at", "last_seen", "error", "failures", "retry_at",
            "skew_ms",
        ]  # fmt: skip

    @extend_schema_field(bool)
    def get_has_token(self, node: Node) -> bool:
        return has_token(node)

    def get_state(self, node: Node) -> str:
        return state.of_node(node, time.time()).key

    def get_words(self, node: Node) -> str:
        return state.of_node(node, time.time()).words

    def validate_url(self, value: str) -> str:
        return clean_api_address(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        node = self.instance
        if isinstance(node, Node) and node.origin == Origin.FOUND and node.found_by_id:
            theirs = {"url", "token", "verify_tls", "ca_certificate", "tls_name"} & attrs.keys()
            changed = {name for name in theirs if name == "token" or attrs[name] != getattr(node, name)}
            if changed:
                words = f"This is the business of the group {node.found_by}, behind whose address the node was found."
                raise serializers.ValidationError(dict.fromkeys(changed, words))
        refuse_elsewhere(node, "url", attrs)
        return attrs

    def update(self, instance: Node, validated_data: dict[str, Any]) -> Node:
        plain = {name: value for name, value in validated_data.items() if name not in ("token", "groups")}
        changed = {name for name, value in plain.items() if value != getattr(instance, name)}
        start_anew(instance, changed | ({"new_token"} if "token" in validated_data else set()))
        with transaction.atomic():
            return super().update(instance, validated_data)


class ConnectionStepSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]  # a field of the answer, not this field's label
    state = serializers.ChoiceField(["ok", "warning", "failed"])
    words = serializers.CharField()


class ProbeSerializer(serializers.Serializer[Any]):
    """The steps of a connection, up to the first that failed."""

    ok = serializers.BooleanField()
    error = serializers.CharField(allow_blank=True)
    steps = ConnectionStepSerializer(many=True)


class NodeViewSet(ModelViewSet[Node]):
    """cStor nodes: address, health and what they last said of themselves."""

    queryset = Node.objects.select_related("found_by").prefetch_related("groups")
    serializer_class = NodeSerializer
    level = "view"
    change_level = "operate"
    scope: ClassVar[str | None] = None

    @extend_schema(request=None, responses=ProbeSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str | None = None) -> Response:
        """Try each step of the connection, and note what came of it."""
        node = self.get_object()
        found = probe(node)
        now = time.time()
        if found.status is not None:
            health.note(node, found.status, now)
        else:
            health.failed(node.pk, found.error, now)
        return Response(ProbeSerializer(found).data)

    @extend_schema(operation_id="api_v1_nodes_try_create", request=NodeSerializer, responses=ProbeSerializer)
    @action(detail=False, methods=["post"], url_path="test", url_name="try", scope=Scope.WRITE)
    def try_out(self, request: Request) -> Response:
        """The same for a node that is not added: nothing is kept."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = {name: value for name, value in serializer.validated_data.items() if name != "groups"}
        found: Probe = probe(Node(**fields))
        return Response(ProbeSerializer(found).data)
