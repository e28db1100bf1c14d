"""Entry point for gunicorn."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from cstor.search.warm import warm_up_aside
from cstor.store.warm import warm_up_aside as warm_up_series_aside

application = get_wsgi_application()
import_module(settings.ROOT_URLCONF)  # what is broken breaks at the start, and the first call finds all imported
warm_up_series_aside()
warm_up_aside()
