"""The form of a node, used by the admin and by the pages alike."""

from __future__ import annotations

from django import forms

from monitors.models import Node


class NodeForm(forms.ModelForm):
    """A node; its token can be written and removed, but is never shown."""

    new_token = forms.CharField(
        label="Token",
        required=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Bearer token of the node's API. Empty: the present one stays.",
    )
    remove_token = forms.BooleanField(label="Remove the token", required=False)

    class Meta:
        model = Node
        fields = ["name", "url", "verify_tls", "enabled"]

    def clean_url(self) -> str:
        return self.cleaned_data["url"].rstrip("/").removesuffix("/api/v1")

    def save(self, commit: bool = True) -> Node:
        if self.cleaned_data.get("remove_token"):
            self.instance.token = ""
        elif self.cleaned_data.get("new_token"):
            self.instance.token = self.cleaned_data["new_token"]
        # What was known came from the old address; what is pulled next must not build on it.
        if {"url", "new_token", "remove_token", "verify_tls"} & set(self.changed_data):
            self.instance.retry_at, self.instance.failures, self.instance.checked_at = None, 0, None
        if "url" in self.changed_data:
            self.instance.status, self.instance.complete_until, self.instance.error = {}, None, ""
        return super().save(commit)
