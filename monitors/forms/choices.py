"""What the choices of a monitor mean, in words that stand beside each box."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html

from monitors.kinds.kind import KINDS
from monitors.models.monitor import KEYS

# What one gets, and what it costs.
KEY_HELP = {
    "client_ip": "who opened the connection; many clients make many rows",
    "server_ip": "who answered it",
    "server_port": "the service's port",
    "protocol": "TCP, UDP, ICMP and others apart",
    "vni": "which mirrored link (VXLAN) it came over",
    "vlan": "802.1Q tag of the frame",
    "client_net": "clients by /24 or /64: few rows where the single address does not matter",
    "server_net": "servers by /24 or /64",
    "host": "each address whichever side it is on; instead of client and server",
    "source": "interface or file that the node captures from",
    "thread": "the node's capture threads apart",
    "reason": "why packets were dropped, which stage took the time",
    "node": "which capture node saw it, kept in the finest step only",
}
STEP_LABELS = {60: "1 minute", 600: "10 minutes", 3600: "1 hour", 86_400: "1 day"}
STEP_HELP = {60: "hours", 600: "days to weeks", 3600: "months", 86_400: "years"}


class ExplainedBoxes(forms.CheckboxSelectMultiple):
    """Boxes with a line of explanation; `kinds` says for which monitor kinds a box has a meaning."""

    def __init__(self, help: dict[str, str], of_kinds: bool = False) -> None:
        super().__init__(attrs={"class": "explained"})
        self.help = help
        self.of_kinds = of_kinds

    def create_option(self, name: str, value: Any, label: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        told = self.help.get(str(value), "")
        shown = (
            format_html('<span><b>{}</b> <span class="explanation">{}</span></span>', label, told) if told else label
        )
        option = super().create_option(name, value, shown, *args, **kwargs)
        if self.of_kinds:
            option["attrs"]["data-kinds"] = " ".join(key for key, kind in KINDS.items() if value in kind.keys)
        return option


class KindRadio(forms.RadioSelect):
    """Kinds with their description; what changes the form with them is in data attributes."""

    def __init__(self) -> None:
        super().__init__(attrs={"class": "explained"})

    def create_option(self, name: str, value: Any, label: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        kind = KINDS.get(str(value))
        if kind is not None:
            label = format_html('<span><b>{}</b> <span class="explanation">{}</span></span>', label, kind.description)
        option = super().create_option(name, value, label, *args, **kwargs)
        if kind is not None:
            option["attrs"]["data-has-filter"] = "yes" if kind.has_filter else "no"
        return option


def kind_choices() -> list[tuple[str, str]]:
    """All kinds, the network's health first."""
    ordered = sorted(KINDS.items(), key=lambda pair: (pair[0] != "network_health", pair[1].label))
    return [(key, kind.label) for key, kind in ordered]


def key_boxes() -> ExplainedBoxes:
    return ExplainedBoxes({key: KEY_HELP.get(key, "") for key in KEYS}, of_kinds=True)


def step_boxes() -> ExplainedBoxes:
    return ExplainedBoxes({str(step): f"for charts over {told}" for step, told in STEP_HELP.items()})
