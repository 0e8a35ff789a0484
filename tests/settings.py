"""The product's settings on a var/ that lives as long as the test run. Servers that tests start inherit it."""

import os
import tempfile

_var = os.environ.get("CODESERVICES_TEST_VAR") or tempfile.mkdtemp(prefix="codeservices-test-")
os.environ.update(CODESERVICES_VAR=_var, CODESERVICES_DEBUG="yes", CODESERVICES_ACCOUNT_ID="123456789012")
for _name in ("CODESERVICES_BASE_URL", "REDIS_URL", "CODESERVICES_TRUST_PROXY_TLS", "CODESERVICES_REGION"):
    os.environ.pop(_name, None)

from codeservices.settings import *  # noqa: E402, F403

# Argon2 is meant to be slow; hundreds of tests sign people in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
