"""All settings, read from the environment.

A fresh checkout runs on SQLite without any of them; see ``.env.example`` for the
names. Secrets have no default outside ``DEBUG``.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from kombu import Queue

from config.redaction import redact

BASE_DIR = Path(__file__).resolve().parent.parent
# Also reads NAME_FILE for NAME, which is how containers hand over secrets.
env = environ.FileAwareEnv()
env.read_env(BASE_DIR / ".env")

# GENERAL
# ------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", False)
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
# The organisation's number, as the vendors' APIs show it.
ORG_ID = env.int("ORG_ID", 100)
# Where people reach us; links in e-mails begin with it.
SITE_URL = env.str("SITE_URL", f"http://localhost:{env.str('PORT', '8000')}").rstrip(
    "/"
)
PROXY_COUNT = env.int("PROXY_COUNT", 0)
# Somebody who adjusts points by hand needs a second person above so many units of the
# balance at once, and after so many adjustments in 24 hours.
POINTS_ADJUSTMENT_LIMIT = env.int("POINTS_ADJUSTMENT_LIMIT", 1000)
POINTS_ADJUSTMENTS_A_DAY = env.int("POINTS_ADJUSTMENTS_A_DAY", 10)

# What we keep beside the code: SQLite's database, and what `manage.py up` needs.
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "var")))

# DATABASES
# ------------------------------------------------------------------------------
DATABASES = {
    "default": env.db_url(
        "DATABASE_URL", f"sqlite:///{DATA_DIR / 'tierwright.sqlite3'}"
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # A transaction takes the write lock when it begins: two writers then wait for
        # each other instead of failing half way with "database is locked".
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # Runs on every connection. Recursive triggers make REPLACE fire the delete
        # triggers that keep append-only tables append-only.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
            "PRAGMA foreign_keys=ON; PRAGMA recursive_triggers=ON"
        ),
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", 60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# SQLite has no covering indexes, and keeps the same ones without the columns covered.
SILENCED_SYSTEM_CHECKS = ["models.W040"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# CACHES
# ------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", "")
CACHE_URL = env.str("CACHE_URL", REDIS_URL)
if CACHE_URL:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": CACHE_URL,
            "KEY_PREFIX": "tierwright",
            # Unless the address names a database: not the broker's, since clearing
            # the cache empties it.
            "OPTIONS": {"db": 1},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# URLS
# ------------------------------------------------------------------------------
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

# APPS
# ------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    # Whitenoise serves static files in development too, as it does in production.
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_api_key",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "django_celery_beat",
    "axes",
    "django_structlog",
    "approvals",
    "loyalty",
    "tiers",
    "config",
]

# AUTHENTICATION
# ------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    # First, so that a locked-out person is refused before any password is compared.
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
# Locked is one person at one address: guessing locks nobody else out.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "lockout.html"
AXES_IPWARE_PROXY_COUNT = PROXY_COUNT
# Without a proxy in front, anybody can write X-Forwarded-For.
AXES_IPWARE_META_PRECEDENCE_ORDER = (
    ["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"] if PROXY_COUNT else ["REMOTE_ADDR"]
)
AXES_VERBOSE = False

# PASSWORDS
# ------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# MIDDLEWARE
# ------------------------------------------------------------------------------
MIDDLEWARE = [
    # First: a probe needs no host name, no session and no line in the log.
    "config.health.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.headers.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    # Last: turns a refused login into the lockout page.
    "axes.middleware.AxesMiddleware",
]

# STATIC
# ------------------------------------------------------------------------------
STATIC_ROOT = BASE_DIR / "staticfiles"
STATIC_URL = "static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
# Source maps of Swagger and ReDoc take most of the compression time.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = [
    "jpg", "jpeg", "png", "gif", "webp", "zip", "gz", "woff", "woff2", "map",
]  # fmt: skip

# TEMPLATES
# ------------------------------------------------------------------------------
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the apps': Unfold's pages are overridden here.
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# SECURITY
# ------------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY", "")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Give it a long random value in the environment, "
            "or set DEBUG=true on a machine for development."
        )
    SECRET_KEY = "for-development-only-" + "0" * 40
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS",
    default=["localhost", "127.0.0.1", "[::1]"]
    if DEBUG
    else [urlsplit(SITE_URL).hostname],
)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", not DEBUG)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 0 if DEBUG else 30 * 24 * 60 * 60)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
if PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# EMAIL
# ------------------------------------------------------------------------------
vars().update(env.email_url("EMAIL_URL", "consolemail://"))
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Tierwright <tierwright@localhost>")
EMAIL_SUBJECT_PREFIX = "[Tierwright] "

# LOGGING
# ------------------------------------------------------------------------------
LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
_stamps: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _stamps,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
                redact,
            ],
        },
        "readable": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _stamps,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(
                    colors=False, exception_formatter=structlog.dev.plain_traceback
                ),
                redact,
            ],
        },
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "readable" if DEBUG else "json",
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # Its own handlers would print each line a second time.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        "django.server": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
    },
}
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        *_stamps[1:],
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
# The request's id goes along into the task that it starts.
DJANGO_STRUCTLOG_CELERY_ENABLED = True

# CELERY
# ------------------------------------------------------------------------------
# Not BROKER_URL: Celery's command line reads that name by itself, past Django.
# Without a broker, a nudge goes nowhere, and `manage.py tick` finds the work.
CELERY_BROKER_URL = (
    env.str("CELERY_BROKER_URL", "")
    or REDIS_URL.replace("unix://", "redis+socket://", 1)
    or "memory://"
)
CELERY_TIMEZONE = TIME_ZONE
# Truth is in the database: a task is a nudge that may be lost or come twice.
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
# A task belongs to its worker until it is done, and goes back if the worker dies.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
# Above the hard time limit, else a slow task is handed out twice; in all three
# places, since the shortest among those sharing a broker wins.
CELERY_VISIBILITY_TIMEOUT = 600
_redis_options = {
    "visibility_timeout": CELERY_VISIBILITY_TIMEOUT,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
CELERY_BROKER_TRANSPORT_OPTIONS = _redis_options | {
    # Look for messages of dead workers every 5 s, not every 10 x 10 s.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = _redis_options
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A nudge nobody can take is no reason to keep a person waiting: the tick comes by.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.2}
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # kB
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# short: ticks, counts, notices. long: rebuilds, imports, exports, previews.
CELERY_TASK_DEFAULT_QUEUE = "short"
CELERY_TASK_QUEUES = [Queue("short"), Queue("long")]
CELERY_TASK_ROUTES = {"tiers.work_on_runs": {"queue": "long"}}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
RECALCULATE_MINUTES = env.int("RECALCULATE_MINUTES", 15)
# So many days before a tier is lost, its member is reminded.
REMIND_DAYS = env.int("REMIND_DAYS", 30)


def _every(period: timedelta, task: str) -> dict[str, object]:
    """A beat entry that is dropped when the next one is due: backlogs do not pile up."""
    return {
        "task": task,
        "schedule": period,
        # The database scheduler's word for Celery's "expires", which it ignores.
        "options": {"expire_seconds": int(period.total_seconds())},
    }


CELERY_BEAT_SCHEDULE = {
    "recalculate-tiers": _every(
        timedelta(minutes=RECALCULATE_MINUTES), "tiers.recalculate"
    ),
    "work-on-runs": _every(timedelta(minutes=1), "tiers.work_on_runs"),
    # Counts are kept with every tick; this compares them with a plain count.
    "refresh-customer-counts": _every(
        timedelta(days=1), "tiers.refresh_customer_counts"
    ),
    "go-live": _every(timedelta(minutes=1), "approvals.go_live"),
    "seal-ledgers": _every(timedelta(hours=1), "loyalty.seal_ledgers"),
    "expire-pending-requests": _every(
        timedelta(minutes=1), "loyalty.expire_pending_requests"
    ),
    "send-notices": _every(timedelta(minutes=1), "approvals.send_notices"),
}

# API
# ------------------------------------------------------------------------------
REST_FRAMEWORK = {
    # Deny by default: a view that opens up says so itself.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        *(["rest_framework.renderers.BrowsableAPIRenderer"] if DEBUG else []),
    ],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    # "format" is a query parameter like any other; the Accept header decides.
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# How many requests a minute pass: for each key or person, and for each address; 0 for
# any number. Without Redis, each of so many processes has its share.
API_CALLER_LIMIT = env.int("API_CALLER_LIMIT", 12_000)
API_ADDRESS_LIMIT = env.int("API_ADDRESS_LIMIT", 30_000)
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", 1)
# Bodies of more bytes than this are refused with 413.
API_LARGEST_BODY = env.int("API_LARGEST_BODY", 1_000_000)
SPECTACULAR_SETTINGS = {
    "TITLE": "Tierwright",
    "DESCRIPTION": "Loyalty tiers, in the words of the systems that already ask.",
    "VERSION": "0.1.0",
    # Of the two, the one that can say "always null".
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "PATH_CONVERTER_OVERRIDES": {
        "number": {"type": "integer", "format": "int64", "minimum": 1},
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tiers.api.document.describe_voices",
    ],
    # Choices that several fields share, under one name.
    "ENUM_NAME_OVERRIDES": {
        "DowngradeTo": "tiers.models.tiers.TierVersion.DowngradeTo",
        "TiersStatus": "loyalty.models.programs.Program.TiersStatus",
        "VersionStatus": "approvals.models.version.Version.Status",
        "VersionOperation": "approvals.models.version.Version.Operation",
        "DecisionKind": "approvals.models.change_set.Decision.Kind",
        "ChangeSetState": "tiers.api.native.change_set_messages.WORDS_OF_STATES",
        "VersionKind": "tiers.api.native.versions.WORDS",
        "ProblemCode": "tiers.api.native.schema.CODES",
        "ProgramSource": "loyalty.models.programs.Program.Source",
        "TierSource": "tiers.models.tiers.Tier.Source",
        "Rounding": "loyalty.models.balances.BalanceDefinitionVersion.Rounding",
        "BrevoStrategy": "tiers.api.brevo.serializers.STRATEGIES",
        "BrevoDurationUnit": "tiers.api.brevo.serializers.UNITS",
        "BrevoBalanceUnit": "tiers.api.brevo.member_schema.UNITS",
        "BrevoRounding": "tiers.api.brevo.member_schema.ROUNDINGS",
        "BrevoTransactionStatus": "tiers.api.brevo.member_schema.STATUSES",
        "BrevoTransactionType": "tiers.api.brevo.member_schema.TYPES",
        "CapillaryValidityUnit": "tiers.api.capillary.words.VALIDITY_UNITS",
        "Strategy": "tiers.models.groups.TierGroupVersion.Strategy",
        "PeriodUnit": "tiers.models.groups.TierGroupVersion.Unit",
        "PeriodModifier": "tiers.models.groups.TierGroupVersion.Modifier",
        "MemberStatus": "loyalty.models.members.Member.Status",
        "EntryKind": "loyalty.models.ledger.PointsEntry.Kind",
        "PostingStatus": "loyalty.models.ledger.PointsRequest.Status",
        "TierEventKind": "tiers.models.events.TierEvent.Kind",
        "RunKind": "tiers.models.runs.Run.Kind",
    },
    # From our own static files, so that the page needs nobody else's server.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# ADMIN
# ------------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": "Tierwright",
    "SITE_HEADER": "Tierwright",
    "SITE_SUBHEADER": "Loyalty tiers",
    "SITE_SYMBOL": "workspace_premium",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("tierwright/favicon.svg"),
        }
    ],
    "BORDER_RADIUS": "6px",
    "SHOW_HISTORY": False,
    "STYLES": ["approvals.ui.stylesheet"],
    "SIDEBAR": "approvals.admin.front.sidebar",
    "DASHBOARD_CALLBACK": "approvals.admin.front.front_page",
    "COLORS": {
        "primary": {
            "50": "#eef2ff",
            "100": "#e0e7ff",
            "200": "#c7d2fe",
            "300": "#a5b4fc",
            "400": "#818cf8",
            "500": "#6366f1",
            "600": "#4f46e5",
            "700": "#4338ca",
            "800": "#3730a3",
            "900": "#312e81",
            "950": "#1e1b4b",
        }
    },
}
