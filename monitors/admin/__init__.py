"""The admin of this app: one file per noun, each found here so that Django's autodiscovery registers it."""

from __future__ import annotations

from django.contrib import admin

from monitors.admin import filter, labels, monitor, node, node_group, retention

__all__ = ["filter", "labels", "monitor", "node", "node_group", "retention"]

admin.site.site_header = admin.site.site_title = "cClear"
admin.site.index_title = "Administration"
