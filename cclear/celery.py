"""The Celery app: which queue a task goes to, and what beat wakes up.

`pulls` waits for nodes (threads), `rollups` computes (one process); searches and reports may take minutes and must
delay neither.
"""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cclear.settings")

app = Celery("cclear")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

QUEUES = ("pulls", "rollups", "searches", "reports", "default")

app.conf.task_routes = {
    "monitors.tasks.tick": {"queue": "pulls"},
    "monitors.tasks.pull*": {"queue": "pulls"},
    "monitors.tasks.look*": {"queue": "pulls"},
    "monitors.tasks.rollup*": {"queue": "rollups"},
    "monitors.tasks.search*": {"queue": "searches"},
    "dashboards.tasks.report*": {"queue": "reports"},
}

# A wake-up that nobody took in time is worth nothing: the next one follows.
app.conf.beat_schedule = {
    "tick": {"task": "monitors.tasks.tick", "schedule": 1.0, "options": {"expires": 2}},
    "look": {"task": "monitors.tasks.look", "schedule": 5.0, "options": {"expires": 5}},
    "rollup": {"task": "monitors.tasks.rollup", "schedule": 5.0, "options": {"expires": 10}},
    "names": {"task": "monitors.tasks.look_up_names", "schedule": 15.0, "options": {"expires": 15}},
    "labels": {"task": "monitors.tasks.follow_labels", "schedule": 5.0, "options": {"expires": 5}},
    "retention": {"task": "monitors.tasks.retention", "schedule": 600.0, "options": {"expires": 600}},
}
