"""What a panel kind is. One file beside this one per kind; the file's name is its key, found by discovery.

A kind draws a Frame with the panel's own settings: either a Plotly figure as a plain dict, or a piece of HTML (tables
and tiles are text, not graphics). It never reads samples and never sees a request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

from django import forms

from dashboards.queries.frame import Frame
from dashboards.queries.timerange import DRAWN_POINTS
from wire.registry import Registry


@dataclass(frozen=True)
class Drawing:
    """What the page puts into the card: a figure or HTML; `height` in pixels where the kind needs its own."""

    figure: dict[str, Any] | None = None
    html: str = ""
    height: int = 0

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"figure": self.figure} if self.figure is not None else {"html": self.html}
        return out | ({"height": self.height} if self.height else {})


@dataclass(frozen=True)
class Setting:
    """What a kind may know of where it is drawn: link prefixes ("monitor", "filter", "packets"; none on paper)."""

    links: dict[str, str] = field(default_factory=dict)

    def link(self, name: str, value: str) -> str:
        """Where `value` leads, empty where nothing is linked."""
        return self.links[name] + quote(value) if name in self.links and value else ""


PAGE = Setting()


class PanelKind:
    """A way to draw a Frame.

    `points` is how many buckets it has use for, `place` its place in lists; without `own_card` it draws cards itself.
    """

    key: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str]
    icon: ClassVar[str] = "chart-line"
    height: ClassVar[int] = 260
    place: ClassVar[int] = 9
    points: ClassVar[int] = DRAWN_POINTS
    own_card: ClassVar[bool] = True
    needs_query: ClassVar[bool] = True

    class ConfigForm(forms.Form):
        """Fields of the panel's own settings; none by default."""

    def draw(self, frame: Frame, config: dict[str, Any], setting: Setting = PAGE) -> Drawing:
        raise NotImplementedError


PANELS: Registry[PanelKind] = Registry("panel kind")


def register(kind: type[PanelKind]) -> type[PanelKind]:
    """Class decorator: adds one instance under the class's key."""
    PANELS.add(kind.key, kind())
    return kind
