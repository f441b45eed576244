"""One settings file for laptop, server and cluster; what differs between them comes from the environment."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from csp.constants import NONE, SELF

from ftplatform import env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("VAR_DIR", str(BASE_DIR / "var"))).resolve()
# Datasets, adapters and base models: on a shared disk when workers run on other machines.
ARTEFACT_DIR = Path(env.text("ARTEFACT_DIR", str(VAR_DIR / "artefacts"))).resolve()

DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret("SECRET_KEY", VAR_DIR / "secret_key")
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS", [])
# Keep this on behind TLS. The embedded site uses plain HTTP on the loopback address and turns it off.
HTTPS = env.flag("HTTPS", True)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "django_htmx",
    "csp",
    "ftplatform.accounts",
    "ftplatform.api",
    "ftplatform.jobs",
    "ftplatform.backups",
    "ftplatform.embedded",
    "training",
    "evaluation",
    "worker",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "ftplatform.content_policy.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "ftplatform.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "ftplatform.errors.DomainErrorMiddleware",
]

ROOT_URLCONF = "ftplatform.urls"
WSGI_APPLICATION = "ftplatform.wsgi.application"

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
            ],
        },
    },
]

DATABASES = {"default": env.database("DATABASE_URL", VAR_DIR / "ftplatform.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Jobs (seconds) ---------------------------------------------------------------------------------------
# A process with nothing to report still gives a sign of life every five or six seconds.
JOB_LEASE_SECONDS = env.integer("JOB_LEASE_SECONDS", 120, minimum=15)
JOB_HEARTBEAT_SECONDS = env.integer("JOB_HEARTBEAT_SECONDS", 10, minimum=1)
JOB_RECOVERY_SECONDS = env.integer("JOB_RECOVERY_SECONDS", 30, minimum=1)
JOB_MAX_ATTEMPTS = env.integer("JOB_MAX_ATTEMPTS", 3, minimum=1)
JOB_CANCEL_GRACE_SECONDS = env.integer("JOB_CANCEL_GRACE_SECONDS", 60, minimum=1)

# --- MLflow: an optional copy of training metrics ---------------------------------------------------------
MLFLOW_TRACKING_URI = env.text("MLFLOW_TRACKING_URI", "")
MLFLOW_EXPERIMENT = env.text("MLFLOW_EXPERIMENT", "ftplatform")

# --- Redis: only wakes workers; the database holds the truth ----------------------------------------------
REDIS_URL = env.text("REDIS_URL", "")
REDIS_SOCKET = env.socket(VAR_DIR / "valkey.sock")
CELERY_BROKER_URL = REDIS_URL or f"redis+socket://{quote(str(REDIS_SOCKET))}"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "cpu"
CELERY_TASK_TRACK_STARTED = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 200
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# An unreachable broker must not keep a page waiting: without `max_retries` every try takes six seconds.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_keepalive": not CELERY_BROKER_URL.startswith("redis+socket"),
    "socket_connect_timeout": 2,
    "max_retries": 0,
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "recover": {
        "task": "jobs.recover",
        "schedule": float(JOB_RECOVERY_SECONDS),
        "options": {"queue": "cpu", "expires": JOB_RECOVERY_SECONDS},
    },
    "sweep-uploads": {
        "task": "training.sweep_uploads",
        "schedule": 600.0,
        "options": {"queue": "cpu", "expires": 600},
    },
}

# --- Generation -------------------------------------------------------------------------------------------
# Remote engines; see evaluation/comparison/engines.py.
GENERATION_ENDPOINTS = env.toml_file("GENERATION_ENDPOINTS_FILE")

# --- Training ---------------------------------------------------------------------------------------------
# The price of one device for one hour. Launch pages use it to show what a run will cost; 0 means unknown.
PRICE_PER_HOUR = env.number("PRICE_PER_HOUR", 0.0)
PRICE_CURRENCY = env.text("PRICE_CURRENCY", "EUR")
# Whether admins may download pinned models from the hub through a worker. All else stays offline.
HUB_DOWNLOADS = env.flag("HUB_DOWNLOADS", False)

# --- Uploads ----------------------------------------------------------------------------------------------
# Files are processed in constant memory, so these limits protect the disk and the users' time.
UPLOAD_MAX_BYTES = env.integer("UPLOAD_MAX_BYTES", 4 * 2**30, minimum=1024)
UPLOAD_MAX_ROWS = env.integer("UPLOAD_MAX_ROWS", 10_000_000, minimum=1)
# A worker checks larger files and opens larger campaigns while the page shows progress. Smaller ones are done
# before the page answers.
OPENING_WAIT_PAIRS = env.integer("OPENING_WAIT_PAIRS", 20_000, minimum=0)
UPLOAD_WAIT_BYTES = env.integer("UPLOAD_WAIT_BYTES", 16 * 2**20, minimum=0)
UPLOAD_KEEP_HOURS = env.integer("UPLOAD_KEEP_HOURS", 24, minimum=1)
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "ftplatform.uploads.ArtefactDiskHandler",
]
UPLOAD_MAX_ROW_BYTES = env.integer("UPLOAD_MAX_ROW_BYTES", 1 * 2**20, minimum=64)
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# --- Sign-in ----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "ftplatform.accounts.adapter.InvitationOnlyAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key"}
ACCOUNT_PREVENT_ENUMERATION = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "ftplatform@localhost")

# --- Browser security -------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
# Not "no-referrer": browsers would then send `Origin: null` with every form, which CSRF protection rejects.
SECURE_REFERRER_POLICY = "same-origin"
# Trust the proxy's header about TLS only if the operator says that a proxy sets it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_PROXY", False) else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
REVIEWER_COOKIE_NAME = "__Host-reviewer" if HTTPS else "reviewer"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- API --------------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "ftplatform.accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["ftplatform.accounts.permissions.NoAccess"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["ftplatform.api.parsers.TextJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "ftplatform.api.lists.Pagination",
    "DEFAULT_FILTER_BACKENDS": ["ftplatform.api.lists.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "ftplatform.errors.problem_response",
    # A client's own X-Forwarded-For must not choose the address used for rate limits.
    "NUM_PROXIES": 1 if env.flag("BEHIND_PROXY", False) else 0,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "ftplatform",
    "DESCRIPTION": "From a dataset to a blind-reviewed release decision.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "JobStatus": "ftplatform.jobs.models.Job.Status",
        "CampaignStatus": "evaluation.models.Campaign.Status",
    },
}

# --- Language, files, logs --------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(VAR_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Without a collected manifest (tests, a fresh checkout), files come straight from `static/`.
if "collectstatic" not in sys.argv and not (STATIC_ROOT / "staticfiles.json").exists():
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    WHITENOISE_USE_FINDERS = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
}
