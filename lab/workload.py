"""Sets a scenario going: the data centre, those who visit it, and what goes wrong in it."""

from __future__ import annotations

from lab.datacentre import DataCentre
from lab.events import Events
from lab.mirror import Sink
from lab.scenario import Scenario
from lab.traffic.browsing import Browsing
from lab.traffic.strays import Strays
from lab.truth import Truth


def start(scenario: Scenario, events: Events, truth: Truth, sink: Sink, rate: float) -> DataCentre:
    """Everything that will happen hangs on `events` from now on; `rate` multiplies the scenario's rates."""
    centre = DataCentre(scenario, events, truth, sink)
    Browsing(centre, scenario.visits_per_s * rate)
    if scenario.strays_per_s:
        Strays(centre, scenario.strays_per_s * rate)
    return centre
