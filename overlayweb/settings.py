"""Django settings. Every value that an installation may choose comes from the environment: see configuration.py."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

from overlayweb import brokers, configuration

BASE_DIR = Path(__file__).resolve().parent.parent

OVERLAYWEB_CONFIGURATION = configuration.read(environment=os.environ, base=BASE_DIR)
_given = OVERLAYWEB_CONFIGURATION
OVERLAYWEB_DATA = _given.data
OVERLAYWEB_SECRET_KEYS = list(_given.encryption_keys)  # encrypt engine keys at rest, newest first
OVERLAYWEB_DOCKER_HOST = _given.docker_host
OVERLAYWEB_NO_MANAGER = _given.no_manager
OVERLAYWEB_BROKER = brokers.choose(
    redis_url=_given.redis_url, redis_program=shutil.which(_given.redis_program), data=_given.data
)

DEBUG = _given.debug
SECRET_KEY = _given.secret_key
ALLOWED_HOSTS = list(_given.allowed_hosts)
DATABASES = {"default": _given.database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ROOT_URLCONF = "overlayweb.urls"
ASGI_APPLICATION = "overlayweb.asgi.application"

INSTALLED_APPS = [
    "whitenoise.runserver_nostatic",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "axes",
    "django_htmx",
    "template_partials",
    "overlayweb.apps.OverlaywebConfig",
]

# Every view asks for a sign-in unless it says `@login_not_required`: a forgotten decorator locks a page
# instead of opening it. AxesMiddleware comes last: it turns a locked sign-in into its answer.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "overlayweb.web.security.content_security_policy",
    "overlayweb.web.security.no_sign_in_page_in_fragments",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "overlayweb.web.frame.frame",
            ],
        },
    },
]

# Sign-in. A name and an address together are locked after five bad tries: the owner of the name can still
# come in from elsewhere, and a whole office behind one address is not locked out with one forgetful person.
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "sign-in"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: a locked pair never reaches the password hasher
    "django.contrib.auth.backends.ModelBackend",
]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=5)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or a stranger could keep the lock shut for ever
AXES_LOCKOUT_CALLABLE = "overlayweb.web.people.locked_out"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Cookies have names of their own because localhost is shared with other programs' cookies. `__Host-` makes
# browsers refuse one that was set without https or for another host.
_cookie_prefix = "__Host-" if _given.secure else ""
SESSION_COOKIE_NAME = f"{_cookie_prefix}overlayweb_session"
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
SESSION_COOKIE_SECURE = _given.secure
CSRF_COOKIE_NAME = f"{_cookie_prefix}overlayweb_csrf"
CSRF_COOKIE_SECURE = _given.secure
CSRF_COOKIE_HTTPONLY = True  # forms and hx-headers carry the token; no script reads the cookie

# OVERLAYWEB_SECURE=1: a proxy in front ends https and says so in X-Forwarded-Proto.
SECURE_SSL_REDIRECT = _given.secure
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _given.secure else None
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if _given.secure else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _given.secure
# W021 asks to mark the host for the browsers' built-in https lists. Leaving those takes months, so it is the
# decision of whoever owns the domain, made at their proxy.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
X_FRAME_OPTIONS = "DENY"

# Static files carry a hash in their names, so browsers keep them for ever and a new release shows at once.
# `manage.py up` collects them into the data folder and the container image into its own folder; with
# OVERLAYWEB_DEBUG they come straight from the source folders.
STATIC_URL = "static/"
STATIC_ROOT = _given.static_root
STATICFILES_DIRS = [BASE_DIR / "static"]
_static_storage = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
    if DEBUG
    else "whitenoise.storage.CompressedManifestStaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _static_storage},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
    },
}
