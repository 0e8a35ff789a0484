"""Who acts when somebody with a shell on the server runs a management command: the account itself, as AWS's root."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from codeservices.audit.acts import Act, RequestInfo
from codeservices.audit.record import act
from codeservices.iam.principal import Principal


def account() -> Principal:
    """Whoever can run commands as the server's user can read its keys, so no policy bounds them; all is recorded."""
    account_id = settings.ACCOUNT_ID
    return Principal("service", f"arn:aws:iam::{account_id}:root", account_id, account_id, "root")


@contextmanager
def shell_act(command: str) -> Iterator[Act]:
    """One audited act of a management command."""
    info = RequestInfo(str(uuid.uuid4()), "127.0.0.1", f"manage.py {command}", "shell", True)
    with act(account(), info) as current:
        yield current
