"""Every setting of the installation, read from the environment through env.py; docs/settings.md lists them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import dj_database_url

from builds import compute_types
from builds.runner import firewall
from codeservices import keys, master_key, object_storage, outbound
from codeservices.env import SettingError, env_bool, env_int, env_list, env_secret, env_str

BASE_DIR = Path(__file__).resolve().parent.parent

# ---- State ---------------------------------------------------------------------------------------------------------
VAR = Path(env_str("CODESERVICES_VAR", str(BASE_DIR / "var"))).absolute()
GIT_ROOT = VAR / "git"
OBJECTS_ROOT = VAR / "objects"
CACHE_ROOT = VAR / "cache"
RUN_ROOT = VAR / "run"
TLS_ROOT = VAR / "tls"
KEYS_ROOT = VAR / "keys"
AUDIT_ROOT = VAR / "audit"

DEBUG = env_bool("CODESERVICES_DEBUG", False)
SECRET_KEY = env_secret("CODESERVICES_SECRET_KEY") or keys.load_or_create(KEYS_ROOT / "secret_key", keys.new_secret_key)
# Read through master_key.py, which knows what it means that one is empty.
MASTER_KEY = env_secret("CODESERVICES_MASTER_KEY")
HASH_KEY = env_secret("CODESERVICES_HASH_KEY")
try:
    _keys = keys.master_keys(MASTER_KEY or keys.load_or_create(KEYS_ROOT / "master_key", keys.new_master_key))
except ValueError as error:
    raise SettingError("CODESERVICES_MASTER_KEY must be 32 random bytes in URL-safe base64.") from error
if len(_keys) > 1 and not (HASH_KEY or (KEYS_ROOT / "hash_key").exists()):
    raise SettingError(master_key.HASH_KEY_MISSING)

# ---- Identity: one installation is one account and one region --------------------------------------------------------
ACCOUNT_ID = env_str("CODESERVICES_ACCOUNT_ID") or keys.load_or_create(KEYS_ROOT / "account_id", keys.new_account_id)
REGION = env_str("CODESERVICES_REGION", "us-east-1")
if not (len(ACCOUNT_ID) == 12 and ACCOUNT_ID.isdigit()):
    raise SettingError(f"CODESERVICES_ACCOUNT_ID must be 12 digits, not “{ACCOUNT_ID}”.")

# ---- Addresses -------------------------------------------------------------------------------------------------------
BASE_URL = env_str("CODESERVICES_BASE_URL").rstrip("/")
HTTP_HOST = env_str("CODESERVICES_HTTP_HOST", "127.0.0.1")
HTTP_PORT = env_int("CODESERVICES_HTTP_PORT", 8000, minimum=1, maximum=65535)
HTTPS_HOST = env_str("CODESERVICES_HTTPS_HOST", "0.0.0.0")  # noqa: S104  HTTPS is meant to be reached from outside
HTTPS_PORT = env_int("CODESERVICES_HTTPS_PORT", 8443, minimum=1, maximum=65535)
WEB_PROCESSES = env_int("CODESERVICES_WEB_PROCESSES", 2, minimum=1, maximum=64)
ALLOWED_HOSTS = list(env_list("CODESERVICES_ALLOWED_HOSTS", ("*",)))
# Credentials over plain HTTP are refused from anything but loopback unless a proxy in front speaks TLS for us.
TRUST_PROXY_TLS = env_bool("CODESERVICES_TRUST_PROXY_TLS", False)
if TRUST_PROXY_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Whose X-Forwarded-For is believed, so that a client can't choose the address that it is counted and recorded under.
TRUSTED_PROXIES = env_list("CODESERVICES_TRUSTED_PROXIES", ("127.0.0.1", "::1"))

# ---- Builds ----------------------------------------------------------------------------------------------------------
DOCKER_HOST = env_str("DOCKER_HOST")
BUILD_CONCURRENCY = env_int("CODESERVICES_BUILD_CONCURRENCY", 2, minimum=1, maximum=256)
BUILD_LOG_HEAD_MIB = env_int("CODESERVICES_BUILD_LOG_HEAD_MIB", 256, minimum=1, maximum=65536)
# Held in the worker's memory until the build ends.
BUILD_LOG_TAIL_MIB = env_int("CODESERVICES_BUILD_LOG_TAIL_MIB", 16, minimum=1, maximum=256)
# So many builds may wait at once; further ones are refused.
BUILD_QUEUE_LIMIT = env_int("CODESERVICES_BUILD_QUEUE_LIMIT", 2000, minimum=1, maximum=100_000)
# How long builds that run get to end when their workers are to stop, before they are stopped.
BUILD_STOP_SECONDS = env_int("CODESERVICES_BUILD_STOP_SECONDS", 20, minimum=0, maximum=36 * 3600)
# No build is started while less than this is free on the disks that builds write to (0: always).
BUILD_MIN_FREE_BYTES = env_int("CODESERVICES_BUILD_MIN_FREE_BYTES", 2 * 1024**3, minimum=0)
# Images that this installation brought to the engine are removed when nobody used them for so many days, and least
# recently used ones earlier while all of them together are larger than this.
BUILD_IMAGE_DAYS = env_int("CODESERVICES_BUILD_IMAGE_DAYS", 30, minimum=1, maximum=3650)
BUILD_IMAGE_BYTES = env_int("CODESERVICES_BUILD_IMAGE_BYTES", 50 * 1024**3, minimum=0)
# Where builds find this server from inside their containers; the machine itself where this is empty.
BUILD_ENDPOINT_URL = env_str("CODESERVICES_BUILD_ENDPOINT_URL").rstrip("/")
BUILD_CA_BUNDLE = env_str("CODESERVICES_BUILD_CA_BUNDLE", env_str("SSL_CERT_FILE"))
# What a build may fetch from other git servers, and what one source may come to in files.
BUILD_SOURCE_MAX_BYTES = env_int("CODESERVICES_BUILD_SOURCE_MAX_BYTES", 8 * 1024**3, minimum=1024)
# Whether projects may ask for privileged mode, in which a build can reach the machine that it runs on.
BUILD_PRIVILEGED = env_bool("CODESERVICES_BUILD_PRIVILEGED", False)
# Firewall rules that close this machine and private networks to builds: made where they can be, a condition of every
# build, or none of ours.
BUILD_FIREWALL = env_str("CODESERVICES_BUILD_FIREWALL", "make")
if BUILD_FIREWALL not in ("make", "require", "off"):
    raise SettingError(f"CODESERVICES_BUILD_FIREWALL must be make, require or off, not “{BUILD_FIREWALL}”.")
# Hosts and IPv4 networks (CIDR), with :PORT or without, that builds may reach all the same.
try:
    BUILD_NETWORK_OPENINGS = tuple(firewall.opening(one) for one in env_list("CODESERVICES_BUILD_NETWORK_ALLOW"))
except ValueError as error:
    raise SettingError(f"CODESERVICES_BUILD_NETWORK_ALLOW: {error}.") from None
# The most that the files of one build may take on disk; 0: no limit.
BUILD_DISK_BYTES = env_int("CODESERVICES_BUILD_DISK_BYTES", 32 * 1024**3, minimum=0)
# Compute types beside the usual ones, or in place of them: NAME=GIB/VCPUS.
try:
    COMPUTE_TYPES = compute_types.with_others(env_list("CODESERVICES_COMPUTE_TYPES"))
except ValueError as error:
    raise SettingError(f"CODESERVICES_COMPUTE_TYPES: {error}.") from None
# A worker renews its lease every third of this time; a build whose lease ran out has lost its worker.
LEASE_SECONDS = env_int("CODESERVICES_LEASE_SECONDS", 30, minimum=3, maximum=3600)

# ---- Audit trail -----------------------------------------------------------------------------------------------------
# Events that are older are removed each day; 0 keeps all of them for ever.
AUDIT_RETENTION_DAYS = env_int("CODESERVICES_AUDIT_RETENTION_DAYS", 0, minimum=0, maximum=36500)
AUDIT_DELIVERY_SECONDS = env_int("CODESERVICES_AUDIT_DELIVERY_SECONDS", 300, minimum=1, maximum=86400)

# ---- Git -------------------------------------------------------------------------------------------------------------
# Clients that are slow to read or to send hold a place as well, so there are more places than processors.
GIT_CONCURRENCY = env_int("CODESERVICES_GIT_CONCURRENCY", max(16, 4 * (os.cpu_count() or 4)), minimum=1, maximum=1024)
# Answers to clones that were asked for twice, kept under var/cache/git: at most so many bytes (0: none), for so long.
GIT_CACHE_ROOT = CACHE_ROOT / "git"
GIT_CACHE_BYTES = env_int("CODESERVICES_GIT_CACHE_BYTES", 4 * 1024**3, minimum=0)
GIT_CACHE_SECONDS = env_int("CODESERVICES_GIT_CACHE_SECONDS", 300, minimum=1, maximum=86400)
# Where the rows of commit graphs stand, kept under var/cache/graph: at most so many bytes, 30 for a commit.
GRAPH_CACHE_ROOT = CACHE_ROOT / "graph"
GRAPH_CACHE_BYTES = env_int("CODESERVICES_GRAPH_CACHE_BYTES", 1024**3, minimum=0)
GIT_MAX_PUSH_BYTES = env_int("CODESERVICES_GIT_MAX_PUSH_BYTES", 8 * 1024**3, minimum=1024)

REPOSITORY_QUOTA_BYTES = env_int("CODESERVICES_REPOSITORY_QUOTA_BYTES", 0, minimum=0)  # 0: none
# A deleted repository can be restored for so long.
REPOSITORY_RETENTION_DAYS = env_int("CODESERVICES_REPOSITORY_RETENTION_DAYS", 7, minimum=0, maximum=3650)
# Git's fsck of each repository, every so many days; 0: only when it is asked for.
FSCK_DAYS = env_int("CODESERVICES_FSCK_DAYS", 7, minimum=0, maximum=3650)
# Objects that no ref reaches are deleted when they have been seen so for this long.
UNREACHABLE_DAYS = env_int("CODESERVICES_UNREACHABLE_DAYS", 14, minimum=1, maximum=3650)

# ---- Notifications ---------------------------------------------------------------------------------------------------
# For so long it is told what triggers and topics sent, and what became of it.
DELIVERY_RETENTION_DAYS = env_int("CODESERVICES_DELIVERY_RETENTION_DAYS", 30, minimum=1, maximum=3650)

# ---- Artifacts and caches of builds ----------------------------------------------------------------------------------
# How much one artifact and one cache may hold.
ARTIFACT_MAX_FILES = env_int("CODESERVICES_ARTIFACT_MAX_FILES", 100_000, minimum=1)
ARTIFACT_MAX_BYTES = env_int("CODESERVICES_ARTIFACT_MAX_BYTES", 5 * 1024**3, minimum=1)
CACHE_MAX_FILES = env_int("CODESERVICES_CACHE_MAX_FILES", 500_000, minimum=1)
CACHE_MAX_BYTES = env_int("CODESERVICES_CACHE_MAX_BYTES", 5 * 1024**3, minimum=1)
# All caches of one project in the object store, and all that lie on one worker's disk.
CACHE_PROJECT_BYTES = env_int("CODESERVICES_CACHE_PROJECT_BYTES", 10 * 1024**3, minimum=0)
LOCAL_CACHE_BYTES = env_int("CODESERVICES_LOCAL_CACHE_BYTES", 20 * 1024**3, minimum=0)
# A cache that no build began with for so long is removed.
CACHE_DAYS = env_int("CODESERVICES_CACHE_DAYS", 14, minimum=1, maximum=3650)

# ---- Object storage --------------------------------------------------------------------------------------------------
# The largest object, and all that one bucket may hold; 0: no limit but the disk.
OBJECT_MAX_BYTES = env_int("CODESERVICES_OBJECT_MAX_BYTES", 50 * 1024**3, minimum=1024)
BUCKET_QUOTA_BYTES = env_int("CODESERVICES_BUCKET_QUOTA_BYTES", 0, minimum=0)
# An upload in parts that nobody completes is aborted after so long.
OBJECT_UPLOAD_DAYS = env_int("CODESERVICES_OBJECT_UPLOAD_DAYS", 7, minimum=1, maximum=3650)
# So many of them one user or role may have, and so many objects and parts one web process takes in at the same time.
OBJECT_UPLOADS_PER_PERSON = env_int("CODESERVICES_OBJECT_UPLOADS_PER_PERSON", 1000, minimum=1)
OBJECT_CONCURRENCY = env_int("CODESERVICES_OBJECT_CONCURRENCY", 32, minimum=1, maximum=1024)

# ---- Outbound --------------------------------------------------------------------------------------------------------
# Hosts, host:port and networks (CIDR), not public, that webhooks, imports and mirrors may reach all the same.
try:
    OUTBOUND_RULES = outbound.Rules(env_list("CODESERVICES_OUTBOUND_ALLOW"))
except ValueError as error:
    raise SettingError(f"CODESERVICES_OUTBOUND_ALLOW: {error}.") from None
# Authorities that are trusted beside no others when this server connects out; the system's where this is empty.
OUTBOUND_CA_BUNDLE = env_str("CODESERVICES_OUTBOUND_CA_BUNDLE", env_str("SSL_CERT_FILE"))

# ---- Django ----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "codeservices.admin.apps.AdminPanelConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "codeservices",
    "codeservices.iam",
    "codeservices.audit",
    "codeservices.notifications",
    "codeservices.objects",
    "codeservices.secretstore",
    "repos",
    "builds",
]
MIDDLEWARE = [
    "codeservices.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "codeservices.compression.CompressionMiddleware",
    "codeservices.static_files.StaticFilesMiddleware",
    "codeservices.iam.cookies.HostCookieMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "codeservices.middleware.PrincipalMiddleware",
    "codeservices.iam.gate.SignInGateMiddleware",
]
ROOT_URLCONF = "codeservices.urls"
ASGI_APPLICATION = "codeservices.asgi.application"
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
    }
]

# ---- Database --------------------------------------------------------------------------------------------------------
DATABASE_URL = env_secret("DATABASE_URL")
if DATABASE_URL:
    # The threads that last keep their connections themselves (page_threads.py, git_http/threads.py): that of another
    # thread, kept open, would outlive it, and nobody would use it again.
    DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=0)}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(VAR / "db.sqlite3"),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
            },
        }
    }
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---- Redis: broker, live log streams, cache --------------------------------------------------------------------------
REDIS_URL = env_secret("REDIS_URL") or f"unix://{RUN_ROOT / 'redis.sock'}"
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL},
    # What took a second or more to find out about a commit, which is true for ever: repos/lasting.py.
    "answers": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": CACHE_ROOT / "answers",
        "TIMEOUT": 90 * 86400,
        "OPTIONS": {"MAX_ENTRIES": 5000},
    },
}

# ---- Objects and static files ----------------------------------------------------------------------------------------
# Where bytes lie: a folder of this machine, or s3://BUCKET/PREFIX in somebody's S3.
OBJECT_STORAGE = env_str("CODESERVICES_OBJECT_STORAGE")
STORAGES = {
    "default": {
        "BACKEND": "codeservices.storage_folder.FolderStorage",
        "OPTIONS": {"location": OBJECTS_ROOT, "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
    }
    if not OBJECT_STORAGE
    else {
        "BACKEND": "codeservices.storage_s3.RemoteStorage",
        "OPTIONS": object_storage.options(
            OBJECT_STORAGE,
            endpoint_url=env_str("CODESERVICES_OBJECT_STORAGE_ENDPOINT"),
            region=env_str("CODESERVICES_OBJECT_STORAGE_REGION", "us-east-1"),
            access_key_id=env_secret("CODESERVICES_OBJECT_STORAGE_ACCESS_KEY_ID"),
            secret_access_key=env_secret("CODESERVICES_OBJECT_STORAGE_SECRET_ACCESS_KEY"),
        ),
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "codeservices.static_files.HashedFiles"
    },
}
STATIC_URL = "/static/"
STATIC_ROOT = VAR / "cache" / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_MAX_AGE = 3600
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = DEBUG

# ---- Sign-in and sessions --------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "iam.User"
# A constraint keeps names unique whatever their case, which the check does not see.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
AUTHENTICATION_BACKENDS = ["codeservices.iam.backends.SessionBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["name", "email"]},
    },
    {"NAME": "codeservices.iam.password_policy.AccountPolicyValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
SESSION_ENGINE = "codeservices.iam.session_store"
# A session ends after so long without a request, and at the latest so long after the sign-in.
SESSION_IDLE_SECONDS = env_int("CODESERVICES_SESSION_IDLE_SECONDS", 12 * 3600, minimum=120, maximum=365 * 86400)
SESSION_COOKIE_AGE = env_int("CODESERVICES_SESSION_MAX_SECONDS", 7 * 86400, minimum=120, maximum=365 * 86400)
SESSION_COOKIE_NAME = "codeservices_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# An OpenID Connect provider that people may sign in through; off while no issuer is named.
OIDC_ISSUER = env_str("CODESERVICES_OIDC_ISSUER")
OIDC_CLIENT_ID = env_str("CODESERVICES_OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env_secret("CODESERVICES_OIDC_CLIENT_SECRET")
OIDC_SCOPES = env_str("CODESERVICES_OIDC_SCOPES", "openid profile email")
OIDC_USERNAME_CLAIM = env_str("CODESERVICES_OIDC_USERNAME_CLAIM", "preferred_username")
OIDC_CREATE_USERS = env_bool("CODESERVICES_OIDC_CREATE_USERS", False)
OIDC_LINK_BY_NAME = env_bool("CODESERVICES_OIDC_LINK_BY_NAME", False)
if OIDC_ISSUER and not OIDC_CLIENT_ID:
    raise SettingError("CODESERVICES_OIDC_ISSUER needs CODESERVICES_OIDC_CLIENT_ID beside it.")
if OIDC_ISSUER and not re.match(r"https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/]", OIDC_ISSUER):
    raise SettingError("CODESERVICES_OIDC_ISSUER must begin with https://, or lie on this machine.")
if OIDC_ISSUER and "openid" not in OIDC_SCOPES.split():
    raise SettingError("CODESERVICES_OIDC_SCOPES must have “openid” among its words.")
CSRF_COOKIE_NAME = "codeservices_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "codeservices.console.views.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# The largest body that Django reads whole: an API commit carries 7 MB of content as base64. Git never passes here.
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
# And the largest of all, for files that are uploaded in the console (20 MiB in one commit) and the form around them.
MAX_REQUEST_BYTES = env_int("CODESERVICES_MAX_REQUEST_BYTES", 32 * 1024**2, minimum=DATA_UPLOAD_MAX_MEMORY_SIZE)

# ---- Celery ----------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = (
    f"redis+socket://{REDIS_URL.removeprefix('unix://')}" if REDIS_URL.startswith("unix://") else REDIS_URL
)

# ---- Language, time, logs --------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
# There is one language, and to ask for it at every turn takes a tenth of a page's time.
USE_I18N = False
LOG_LEVEL = env_str("CODESERVICES_LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "codeservices.logs.LineFormatter"}},
    "filters": {"request_id": {"()": "codeservices.logs.RequestIdFilter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "level": LOG_LEVEL, "propagate": False},
        "django.request": {"level": "ERROR"},
        "dulwich": {"level": "ERROR"},
        # A line for every message taken and every task ended, many times a minute.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}
