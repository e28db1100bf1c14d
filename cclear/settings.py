"""Settings of the console: the environment in, Django's names out. Nothing is started here."""

from __future__ import annotations

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from cclear import __version__, data_dir
from cclear.environment import ROOT, EnvironmentProblem, env_bool, env_int, env_list, env_text, parse_database_url
from cclear.environment import data_dir as data_dir_from_environment
from cclear.services.account import ServiceProblem
from cclear.services.servers import private_environment

BASE_DIR = ROOT
try:
    DATA_DIR = data_dir.prepare(data_dir_from_environment())
    DEBUG = env_bool("DEBUG", False)
    SECRET_KEY = env_text("SECRET_KEY", "") or data_dir.secret(DATA_DIR / "secret_key", 64)
    # One key per line; the tokens of the nodes are encrypted with the first (monitors.secrets), which makes the file
    # when it is needed. Hosts that share a database share its keys.
    NODE_KEYS = Path(env_text("NODE_KEYS", "") or DATA_DIR / "node_keys")
    ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
    CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", [])
    # HTTPS=yes where a proxy ends TLS in front of us: cookies then travel encrypted only.
    HTTPS = env_bool("HTTPS", False)
    TIME_ZONE = env_text("TIME_ZONE", "UTC")
    LOG_LEVEL = env_text("LOG_LEVEL", "INFO").upper()
    # Hashed file names from collectstatic; switched off where nothing was collected (tests, runserver).
    STATIC_MANIFEST = env_bool("STATIC_MANIFEST", not DEBUG)
    CONN_MAX_AGE = env_int("CONN_MAX_AGE", 300)
    CAPTURE_MAX_BYTES = env_int("CAPTURE_MAX_MB", 2000) * 1_000_000
    # Of one node in one download; a stream holds a thread of the web server for as long as it lasts.
    PACKETS_MAX_PACKETS = env_int("PACKETS_MAX_PACKETS", 5_000_000)
    PACKETS_MAX_BYTES = env_int("PACKETS_MAX_MB", 2000) * 1_000_000
    PACKETS_MAX_STREAMS = env_int("PACKETS_MAX_STREAMS", 4)
    _urls = private_environment(DATA_DIR)
    DATABASES = {"default": parse_database_url(_urls["DATABASE_URL"])}
    CELERY_BROKER_URL = _urls["CELERY_BROKER_URL"]
except (EnvironmentProblem, ServiceProblem) as problem:
    raise ImproperlyConfigured(str(problem)) from None
except OSError as error:
    raise ImproperlyConfigured(
        f"{error.filename}: {error.strerror} (is DATA_DIR right, and are you its user?)"
    ) from None

DATABASES["default"] |= {"CONN_MAX_AGE": CONN_MAX_AGE, "CONN_HEALTH_CHECKS": True}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "cclear",
    "monitors",
    "dashboards",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "cclear.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "cclear.middleware.database_down",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "cclear.urls"
WSGI_APPLICATION = "cclear.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "monitors.context.node_alarms",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "cclear.formats"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.exists()]
_PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
_HASHED = "whitenoise.storage.CompressedManifestStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _HASHED if STATIC_MANIFEST else _PLAIN},
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not STATIC_MANIFEST

# Uploaded captures: straight to disk, on the file system that they stay on, so that keeping them is a rename.
FILE_UPLOAD_HANDLERS = ["monitors.captures.upload.BoundedUploadHandler"]
FILE_UPLOAD_TEMP_DIR = data_dir.folder(DATA_DIR / "uploads")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "monitors.api.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["monitors.api.authentication.MayCall"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "cClear",
    "DESCRIPTION": "Monitors, dashboards and queries over mirrored traffic.",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["monitors.api.authentication.MayCall"],
    # Swagger UI from the sidecar package: the page works on a closed network.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# A message is only a wake-up and every job a row with a lease: no results are kept, and a lost message harms nothing.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# For ever: a broker that is away for an hour is no reason to end.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Longer than the longest job, else the broker hands a running one out again.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 12 * 3600}
CELERY_TIMEZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # Its handlers would print every request error twice and mail an admin list that we do not have.
    "loggers": {"django": {"handlers": [], "propagate": True}},
}
