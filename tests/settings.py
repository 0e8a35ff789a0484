"""The product's settings on a var/ that lives as long as the test run. Servers that tests start inherit it."""

import os
import tempfile

_var = os.environ.get("CODESERVICES_TEST_VAR") or tempfile.mkdtemp(prefix="codeservices-test-")
os.environ.update(CODESERVICES_VAR=_var, CODESERVICES_DEBUG="yes", CODESERVICES_ACCOUNT_ID="123456789012")
# This machine's rules are changed by tests of the rules alone, which take theirs away again.
os.environ["CODESERVICES_BUILD_FIREWALL"] = "off"
for _name in (
    "CODESERVICES_BASE_URL",
    "REDIS_URL",
    "CODESERVICES_TRUST_PROXY_TLS",
    "CODESERVICES_REGION",
    "CODESERVICES_OIDC_ISSUER",
):
    os.environ.pop(_name, None)

from codeservices.settings import *  # noqa: E402, F403

# Argon2 is meant to be slow; hundreds of tests sign people in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Its `flush` goes before Django's.
INSTALLED_APPS = [*INSTALLED_APPS, "tests.emptying"]  # noqa: F405

# Whitenoise warns of a folder that is missing.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405
# A server in a thread needs the database in a file: SQLite's memory is one connection's.
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": str(VAR / "test.sqlite3")}  # noqa: F405
