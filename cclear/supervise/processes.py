"""What `make run` keeps running, and in which order it starts and stops."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from cclear.environment import ROOT
from cclear.supervise.layout import Layout, NodeLayout

# Groups in the order in which they start; they stop in the opposite one, the members of a group together. Capture comes
# first, so that nothing is missed; the source of the traffic goes first, so that nothing is lost at the end.
GROUPS = ("capture", "work", "web", "broker", "lab")

# Celery warns of root for the sake of pickled messages; ours are JSON, and capture on interfaces needs root.
CELERY = (
    sys.executable,
    "-W",
    "ignore::RuntimeWarning:celery.platforms",
    "-m",
    "celery",
    "-A",
    "cclear",
    "--quiet",
)
WORKER = ("worker", "--without-gossip", "--without-mingle", "--loglevel", "WARNING")


@dataclass(frozen=True)
class Process:
    """A command that is started again, with growing pauses, whenever it ends."""

    name: str
    command: tuple[str, ...]
    group: str
    stop_s: int = 30


def processes(layout: Layout) -> list[Process]:
    return [
        *(_node(layout, node) for node in layout.nodes),
        # Pulls wait for nodes, hence threads; roll-ups compute, hence one process; long jobs delay neither.
        _worker("worker-pulls", "pulls", "threads", 16),
        _worker("worker-rollups", "rollups", "prefork", 1),
        _worker("worker-jobs", "default,searches,reports", "threads", 4),
        _beat(layout),
        Process("captures", (sys.executable, str(ROOT / "manage.py"), "keep_captures"), "work"),
        _web(layout),
        _broker(layout),
        *([_lab(layout)] if layout.scenario else []),
    ]


def _node(layout: Layout, node: NodeLayout) -> Process:
    config = str(layout.data / "config" / f"{node.name}.toml")
    return Process(node.name, (sys.executable, "-m", "cstor", "run", "--config", config), "capture", stop_s=60)


def _worker(name: str, queues: str, pool: str, concurrency: int) -> Process:
    size = ("--pool", pool, "--concurrency", str(concurrency))
    return Process(name, (*CELERY, *WORKER, "--hostname", f"{name}@%h", "--queues", queues, *size), "work", stop_s=60)


def _beat(layout: Layout) -> Process:
    schedule = str(layout.data / "beat-schedule")
    command = (*CELERY, "beat", "--schedule", schedule, "--pidfile", "", "--loglevel", "WARNING")
    return Process("beat", command, "work")


def _web(layout: Layout) -> Process:
    command = (
        *(sys.executable, "-m", "gunicorn", "cclear.wsgi:application"),
        *("--bind", str(layout.web), "--no-control-socket"),
        # Pages poll and figures are short; threads carry them, the second process uses the second core.
        *("--worker-class", "gthread", "--workers", "2", "--threads", "8", "--timeout", "120"),
        *("--graceful-timeout", "10", "--access-logfile", "-"),
    )
    return Process("web", command, "web")


def _broker(layout: Layout) -> Process:
    config = str(layout.data / "config" / "cvu.toml")
    return Process("cvu", (sys.executable, "-m", "cvu", "run", "--config", config), "broker")


def _lab(layout: Layout) -> Process:
    truth = str(layout.data / "lab-truth.json")
    command = ("-m", "lab", "run", "--scenario", layout.scenario, "--to", str(layout.broker), "--truth", truth)
    return Process("lab", (sys.executable, *command), "lab")
