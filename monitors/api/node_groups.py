"""`/api/v1/node-groups/`: groups of nodes, and how a node announces itself to one when it starts."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from monitors import state
from monitors.api.nodes import TokenField, refuse_elsewhere
from monitors.forms.node_group import clean_cluster_address
from monitors.forms.secret import clean_api_address, has_token
from monitors.models import NodeGroup, Scope
from monitors.models.node import validate_http_url
from monitors.nodes import announce, discovery
from monitors.nodes.membership import former, members, state_of_group


class Conflict(APIException):
    """What is asked for contradicts what is there."""

    status_code = status.HTTP_409_CONFLICT


class NodeGroupSerializer(serializers.ModelSerializer[NodeGroup]):
    """A group; `members` are those that its monitors ask now, however they came."""

    token = TokenField(help_text="Bearer token of nodes that are found; write only.")
    has_token = serializers.SerializerMethodField()
    members = serializers.SerializerMethodField()
    left = serializers.SerializerMethodField()
    state = serializers.SerializerMethodField()

    class Meta:
        model = NodeGroup
        fields = [
            "id", "name", "description", "is_all", "nodes", "address", "token", "has_token", "verify_tls",
            "ca_certificate", "members", "left", "looked_at", "error", "state",
        ]  # fmt: skip
        read_only_fields = ["is_all", "looked_at", "error"]
        extra_kwargs = {"nodes": {"required": False}}

    @extend_schema_field(bool)
    def get_has_token(self, group: NodeGroup) -> bool:
        return has_token(group)

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_members(self, group: NodeGroup) -> list[dict[str, Any]]:
        now = time.time()
        return [
            {"id": node.pk, "name": node.name, "url": node.url, "state": state.of_node(node, now).key}
            for node in members(group)
        ]

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_left(self, group: NodeGroup) -> list[dict[str, Any]]:
        return [{"id": node.pk, "name": node.name, "url": node.url, "since": node.left_at} for node in former(group)]

    def get_state(self, group: NodeGroup) -> str:
        now = time.time()
        return state_of_group(group, [state.of_node(node, now) for node in members(group)]).words

    def validate_address(self, value: str) -> str:
        return clean_cluster_address(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if isinstance(self.instance, NodeGroup) and self.instance.is_all:
            fixed = {"nodes", "address", "token", "verify_tls", "ca_certificate"} & attrs.keys()
            if fixed:
                raise ValidationError(dict.fromkeys(fixed, "This group has all nodes by itself."))
        refuse_elsewhere(self.instance, "address", attrs)
        return attrs

    def update(self, instance: NodeGroup, validated_data: dict[str, Any]) -> NodeGroup:
        if {"address", "token", "verify_tls", "ca_certificate"} & validated_data.keys():
            instance.looked_at, instance.error = None, ""
        return super().update(instance, validated_data)


class JoinSerializer(serializers.Serializer[Any]):
    """What a node says when it announces itself."""

    name = serializers.CharField(max_length=100)
    url = serializers.CharField(max_length=500, validators=[validate_http_url])
    token = TokenField(write_only=False)

    def validate_url(self, value: str) -> str:
        return clean_api_address(value)


class JoinedSerializer(serializers.Serializer[Any]):
    """The node that was announced; no more, since the caller may only announce."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    url = serializers.CharField()
    is_new = serializers.BooleanField()


class NodeGroupViewSet(ModelViewSet[NodeGroup]):
    """Groups of nodes, by number or by name: a monitor that asks a group asks whoever is a member at that moment."""

    queryset = NodeGroup.objects.prefetch_related("nodes")
    serializer_class = NodeGroupSerializer
    lookup_value_regex = "[^/]+"
    level = "view"
    change_level = "operate"
    scope: ClassVar[str | None] = None

    def get_object(self) -> NodeGroup:
        wanted = self.kwargs["pk"]
        found = self.get_queryset()
        # A group may be called 7: what has that number comes first.
        group = found.filter(pk=int(wanted)).first() if wanted.isdecimal() and len(wanted) < 10 else None
        group = group or found.filter(name=wanted).first()
        if group is None:
            raise Http404
        self.check_object_permissions(self.request, group)
        return group

    def perform_destroy(self, instance: NodeGroup) -> None:
        if instance.is_all:
            raise Conflict("The group of all nodes belongs to the console and cannot be deleted.")
        instance.delete()

    @extend_schema(
        request=JoinSerializer,
        responses={
            201: JoinedSerializer,
            200: JoinedSerializer,
            409: OpenApiResponse(description="The name is taken."),
        },
    )
    @action(detail=True, methods=["post"], scope=Scope.JOIN)
    def join(self, request: Request, pk: str | None = None) -> Response:
        """Announce a node: by its name, as often as one likes. Its monitors pull it from the next second on."""
        said = JoinSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        fields = said.validated_data
        try:
            node, is_new = announce.join(self.get_object(), fields["name"], fields["url"], fields.get("token"))
        except announce.Refused as refused:
            raise Conflict(str(refused)) from None
        told = {"id": node.pk, "name": node.name, "url": node.url, "is_new": is_new}
        return Response(JoinedSerializer(told).data, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)

    @extend_schema(request=None, responses=NodeGroupSerializer)
    @action(detail=True, methods=["post"])
    def look(self, request: Request, pk: str | None = None) -> Response:
        """Resolve the address now."""
        group = self.get_object()
        if not group.address:
            raise ValidationError({"address": "This group has no address to look at."})
        discovery.look(group.pk, time.time())
        return Response(self.get_serializer(self.get_object()).data)
