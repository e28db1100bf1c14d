"""Sheets of labels: objects with a name, a weight, and parts in a table of their own."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from monitors.labels.sheets.sheet import Plan, Sheet, Wanted


class LabelSheet(Sheet):
    """`model` has the labels; `part_model` their parts, whose `part_columns` make up a part, and `owner` the label."""

    model: ClassVar[type[models.Model]]
    part_model: ClassVar[type[models.Model] | None] = None
    part_columns: ClassVar[tuple[str, ...]] = ()
    owner: ClassVar[str] = ""
    fields: ClassVar[tuple[str, ...]] = ("weight", "description")

    def stored(self) -> dict[str, Wanted]:
        rows = self.model._default_manager.order_by("name").values("pk", "name", *map(self.column_of, self.fields))
        by_pk: dict[int, Wanted] = {}
        found: dict[str, Wanted] = {}
        for row in rows:
            fields = {key: row[self.column_of(key)] for key in self.fields}
            found[row["name"]] = by_pk[row["pk"]] = Wanted(0, self.read_fields(fields))
        if self.part_model is not None:
            parts = self.part_model._default_manager.order_by(*self.part_columns)
            for owner, *part in parts.values_list(f"{self.owner}_id", *self.part_columns):
                by_pk[owner].parts.append(tuple(part))
        return found

    def column_of(self, key: str) -> str:
        """Where a field of the sheet is read from."""
        return key

    def read_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields

    def to_model(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Fields of the sheet as the model's."""
        return fields

    def save(self, plan: Plan) -> None:
        objects = self.model._default_manager
        if self.part_model is not None:
            self.part_model._default_manager.filter(**{f"{self.owner}__name__in": [*plan.changed]}).delete()
        objects.bulk_create(self.model(name=name, **self.to_model(one.fields)) for name, one in plan.new.items())
        for name, one in plan.changed.items():
            if one.fields:
                objects.filter(name=name).update(**self.to_model(one.fields))
        self.save_parts(plan.new | plan.changed)
        self.relate(plan)
        objects.filter(name__in=plan.removed).delete()

    def save_parts(self, wanted: dict[str, Wanted]) -> None:
        if self.part_model is None:
            return
        numbers = dict(self.model._default_manager.filter(name__in=wanted).values_list("name", "pk"))
        self.part_model._default_manager.bulk_create(
            self.part_model(**{f"{self.owner}_id": numbers[name]}, **dict(zip(self.part_columns, part, strict=True)))
            for name, one in wanted.items()
            for part in one.parts
        )

    def relate(self, plan: Plan) -> None:
        """What labels of one sheet have to do with each other, once all are there and before any goes."""
