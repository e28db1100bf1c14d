"""The form of a node group."""

from __future__ import annotations

from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from monitors.forms.secret import SecretForm, clean_api_address
from monitors.models import NodeGroup
from monitors.nodes.resolve import is_address


class NodeGroupForm(SecretForm):
    """Members by hand, by DNS, or by their own announcement."""

    address_field = "address"

    class Meta:
        model = NodeGroup
        fields = ["name", "description", "nodes", "address", "verify_tls", "ca_certificate"]
        widgets = {
            "description": forms.Textarea(attrs={"rows": 2}),
            "ca_certificate": forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "is-code"}),
        }

    def clean_address(self) -> str:
        return clean_cluster_address(self.cleaned_data["address"])

    def save(self, commit: bool = True) -> NodeGroup:
        self.apply_token()
        if {"address", "new_token", "remove_token", "verify_tls", "ca_certificate"} & set(self.changed_data):
            self.instance.looked_at, self.instance.error = None, ""
        return super().save(commit)


def clean_cluster_address(value: str) -> str:
    """An address behind which several machines can be: one of a single machine is a node."""
    value = clean_api_address(value)
    try:
        host = str(urlsplit(value).hostname)
    except ValueError:
        return value  # the model's validator says what is wrong
    if value and is_address(host):
        raise ValidationError("This is one machine: add it as a node. Here belongs a name that stands for several.")
    return value
