"""Nodes that announce themselves to a group when they start: once or a hundred times, the result is the same."""

from __future__ import annotations

from django.db import transaction

from monitors.models import Node, NodeGroup, Origin
from monitors.nodes.discovery import take_turn


class Refused(Exception):
    """The node cannot join; the text says why in plain words."""


def join(group: NodeGroup, name: str, url: str, token: str | None = None) -> tuple[Node, bool]:
    """The node of this name as a member of the group, and whether it is new.

    TLS settings are the group's. Tokens stay with the address that they were written for: whoever may announce nodes
    must not have one sent elsewhere by announcing its node at another URL.
    """
    with transaction.atomic():
        take_turn()
        node = Node.objects.select_for_update().filter(name=name).first()
        if node is None:
            node = Node(name=name, url=url, token=token or "", origin=Origin.ANNOUNCED)
            _trust(node, group)
            node.save(force_insert=True)
            is_new = True
        else:
            _update(node, group, url, token)
            is_new = False
        if not group.is_all:
            group.nodes.add(node)
    return node, is_new


def _update(node: Node, group: NodeGroup, url: str, token: str | None) -> None:
    if node.origin != Origin.ANNOUNCED:
        if node.url != url:
            raise Refused(
                f"There is a node {node.name} at another address already, and it did not announce itself: choose"
                " another name, or let an operator change that node."
            )
        return
    before = (node.url, node.token, node.verify_tls, node.ca_certificate)
    if token is not None or node.url != url:
        node.token = token or ""
    node.url = url
    _trust(node, group)
    if (node.url, node.token, node.verify_tls, node.ca_certificate) != before or node.left_at is not None:
        node.left_at = node.retry_at = node.checked_at = None
        node.failures, node.error = 0, ""
        node.save()


def _trust(node: Node, group: NodeGroup) -> None:
    node.verify_tls, node.ca_certificate = group.verify_tls, group.ca_certificate
