"""How long samples are kept on this site: days per tier, and bytes over all of them. One row."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from monitors.series.tiers import STEPS


def _days(default: int, step: str) -> models.IntegerField[int, int]:
    return models.IntegerField(
        f"days of {step}", default=default, validators=[MinValueValidator(1)], help_text="After they were written."
    )


class Retention(models.Model):
    """Age is counted from the write. When the budget is reached, the oldest partition of the finest tier goes first."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    days_1 = _days(2, "1 second")
    days_10 = _days(7, "10 seconds")
    days_60 = _days(30, "1 minute")
    days_600 = _days(180, "10 minutes")
    days_3600 = _days(1100, "1 hour")
    days_86400 = _days(3650, "1 day")
    budget_gb = models.FloatField(
        "budget in GB",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.1)],
        help_text="Of all samples. Empty: 20 GB, or half of the disk's free space where that is less.",
    )

    class Meta:
        verbose_name_plural = "retention"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_retention")]

    def __str__(self) -> str:
        return "Retention of samples"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.id = 1
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """A tier is folded from the finer ones: what is gone there must have been folded, and stay folded."""
        days = self.keep_days
        for finer, coarser in pairwise(days):
            if days[coarser] is not None and days[finer] is not None and days[coarser] < days[finer]:
                raise ValidationError(
                    {
                        f"days_{coarser}": f"Keep it at least as long as the finer step, {days[finer]} days: "
                        "it is what remains when that is gone."
                    }
                )

    @classmethod
    def of_site(cls) -> Retention:
        """The one row."""
        return cls.objects.get_or_create(pk=1)[0]

    @property
    def keep_days(self) -> dict[int, int]:
        return {step: getattr(self, f"days_{step}") for step in STEPS}
