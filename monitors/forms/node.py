"""The form of a node, used by the admin, the test of its connection and the API's rules alike."""

from __future__ import annotations

from typing import Any

from django import forms

from monitors.forms.secret import SecretForm, clean_api_address
from monitors.models import Node, NodeGroup

# What decides whether and how a node is reached: an edit of these begins anew with it.
REACHED_BY = {"url", "new_token", "remove_token", "verify_tls", "ca_certificate", "tls_name", "enabled"}


class NodeForm(SecretForm):
    """A node; of one that was found, token and TLS are its group's."""

    address_field = "url"

    groups = forms.ModelMultipleChoiceField(
        NodeGroup.objects.filter(is_all=False),
        label="Node groups",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Monitors that ask one of these groups ask this node too, at once.",
    )

    class Meta:
        model = Node
        fields = ["name", "url", "verify_tls", "ca_certificate", "tls_name", "enabled"]
        widgets = {"ca_certificate": forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "is-code"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["groups"] = list(self.instance.groups.values_list("pk", flat=True))

    def clean_url(self) -> str:
        return clean_api_address(self.cleaned_data["url"])

    def save(self, commit: bool = True) -> Node:
        self.apply_token()
        start_anew(self.instance, set(self.changed_data))
        return super().save(commit)

    def _save_m2m(self) -> None:
        super()._save_m2m()  # type: ignore[misc]  # Django's own hook, which its types leave out
        if "groups" in self.changed_data:
            self.instance.groups.set(self.cleaned_data["groups"])


def start_anew(node: Node, changed: set[str]) -> None:
    """What was known came from the old address; what is pulled next must not build on it."""
    if REACHED_BY & changed:
        node.retry_at, node.failures, node.checked_at = None, 0, None
    if "url" in changed:
        node.status, node.complete_until, node.error = {}, None, ""


def adopt(node: Node) -> None:
    """A node that was found or announced itself is an operator's own from now on: nothing changes it by itself."""
    node.origin, node.found_by, node.left_at = Node._meta.get_field("origin").default, None, None
    node.save(update_fields=["origin", "found_by", "left_at"])
