"""Form of a dashboard's own fields."""

from __future__ import annotations

from django import forms

from dashboards.models import Dashboard


class DashboardForm(forms.ModelForm):
    """Title, description, the range it opens with, how often it refreshes."""

    class Meta:
        model = Dashboard
        fields = ("title", "description", "default_start", "refresh_s")
