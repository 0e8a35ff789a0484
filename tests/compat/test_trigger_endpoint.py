"""The whole way of a push: real git, a real web process, a real Celery worker, and an HTTPS server that is told."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.exceptions import InvalidSignature

from tests import gitclient
from tests.codeservices.receiver import Receiver, make_certificate, receiver, status
from tests.gitserver import ROOT, GitServer, running, wait_for

# A worker and a web process have to start, beside everything else that tests do.
PATIENCE_SECONDS = 90
ADD = """
from tests import factories
from repos.triggers import config as trigger_config
factories.repository("demo")
trigger_config.add_trigger(
    factories.SERVICE, "demo", trigger_config.TriggerSettings("hook", endpoint_url={url!r}, branches=["main"])
)
"""


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[tuple[Receiver, Path]]:
    """An HTTPS server, and the file of the authority that its certificate is from."""
    authority, certificate = make_certificate(tmp_path, "localhost")
    with receiver(certificate) as found:
        yield found, authority


@pytest.fixture
def server(tmp_path: Path, hook: tuple[Receiver, Path]) -> Iterator[GitServer]:
    """A server that may reach it, with a worker."""
    settings = {"CODESERVICES_OUTBOUND_ALLOW": "localhost", "SSL_CERT_FILE": str(hook[1])}
    with running(tmp_path, **settings) as found:
        arguments = [
            "-A",
            "codeservices.celery",
            "worker",
            "--pool=solo",
            "--queues=default,notifications",
            "--loglevel=WARNING",
        ]
        worker = subprocess.Popen([sys.executable, "-m", "celery", *arguments], cwd=ROOT, env=found.environment)
        try:
            yield found
        finally:
            worker.kill()
            worker.wait()


def documented_check(certificate: bytes, url: str) -> Callable[[bytes], dict[str, Any]]:
    """The function that docs/triggers.md gives to receivers, as it would run beside this server."""
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "triggers.md").read_text(), re.DOTALL)
    code = code.replace("https://code.example.com:8443/", url.rpartition("/")[0] + "/")
    code = code.replace('urllib.request.urlopen(members["SigningCertURL"])', "io.BytesIO(certificate)")
    names: dict[str, Any] = {"io": io, "certificate": certificate}
    exec(code, names)
    return names["received"]


def test_a_push_reaches_an_https_endpoint_once_it_has_confirmed(tmp_path, server, hook):
    endpoint, _ = hook
    server.python(ADD.format(url=endpoint.url))
    clone = gitclient.new(tmp_path / "clone", server.url("demo", "alice"))

    assert wait_for(lambda: endpoint.taken, PATIENCE_SECONDS), "the endpoint is asked whether it wants to be told"
    asked = endpoint.last.members
    assert asked["Type"] == "SubscriptionConfirmation"
    assert server.request(f"/?{urlsplit(asked['SubscribeURL']).query}", who="")[0] == 200

    endpoint.answers[:] = [status(503), status(200)]
    oid = clone.commit({"a": "1"})
    clone.git("push", "--quiet", "origin", "HEAD:refs/heads/main", "HEAD:refs/heads/other")
    assert wait_for(lambda: len(endpoint.taken) > 1, PATIENCE_SECONDS)
    notification = endpoint.last.members
    [record] = json.loads(notification["Message"])["Records"]
    assert notification["Subject"] == "UPDATE: AWS CodeCommit us-east-1 push: demo"
    assert record["codecommit"] == {"references": [{"commit": oid, "created": True, "ref": "refs/heads/main"}]}
    assert record["userIdentityARN"] == "arn:aws:iam::123456789012:user/alice"
    taken = endpoint.last.body.encode()
    certificate = server.request(urlsplit(notification["SigningCertURL"]).path, who="")[1]
    assert documented_check(certificate, notification["SigningCertURL"])(taken) == notification
    with pytest.raises(InvalidSignature):
        documented_check(certificate, notification["SigningCertURL"])(taken.replace(b"heads/main", b"heads/evil"))
    [[state, payload]] = server.rows("SELECT state, payload FROM repos_triggerdelivery")
    assert (state, payload) == ("SUCCEEDED", notification["Message"])
