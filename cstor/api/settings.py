"""Django settings of the node's API: no database, no sessions, no users; the store is read from its files."""

from __future__ import annotations

import secrets

from cstor.config import api_config

CSTOR = api_config()

DEBUG = False
SECRET_KEY = secrets.token_hex(32)  # nothing is signed that outlives the process
ALLOWED_HOSTS = ["*"]  # nothing depends on the Host header, and nodes are reached by many names
ROOT_URLCONF = "cstor.api.urls"
WSGI_APPLICATION = "cstor.api.wsgi.application"
INSTALLED_APPS = ["rest_framework", "drf_spectacular"]
MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware"]
DATABASES: dict[str, object] = {}
USE_TZ = True
TIME_ZONE = "UTC"
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 << 20

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["cstor.api.auth.BearerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["cstor.api.auth.HasToken"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "URL_FORMAT_OVERRIDE": None,  # `format` is a parameter of GET packets
    "EXCEPTION_HANDLER": "cstor.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "cStor",
    "DESCRIPTION": "One capture node: its packets, sessions and series. Errors are RFC 9457 problem details.",
    "VERSION": "1",
    "SERVE_PERMISSIONS": ["cstor.api.auth.HasToken"],
    "APPEND_COMPONENTS": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "SECURITY": [{"token": []}],
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
