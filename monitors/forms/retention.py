"""The form of the site's retention, for the admin."""

from __future__ import annotations

from django import forms

from monitors.models import Retention


class RetentionForm(forms.ModelForm):
    """Days per tier, and the budget; what makes no sense together is refused by the model."""

    class Meta:
        model = Retention
        fields = ["days_1", "days_10", "days_60", "days_600", "days_3600", "days_86400", "budget_gb"]
