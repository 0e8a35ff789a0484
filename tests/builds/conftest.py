"""A real engine with the base image, a real Redis, a real repository; builds run in this process."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from importlib import metadata

import pytest
import uvicorn
from django.conf import settings as product_settings

from builds import running
from builds.runner import engine
from codeservices import tls, work
from codeservices.objects import services
from tests.builds import played
from tests.executors import FakeExecutor
from tests.fixtures.web import served

AWS_IMAGE = "codeservices-test/aws"
AWS_SERVICES = ("codebuild", "codecommit", "iam", "sts")
AWS_DOCKERFILE = """FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
COPY packages /opt/aws
COPY aws /usr/local/bin/aws
"""
AWS_PROGRAM = '#!/bin/sh\nPYTHONPATH=/opt/aws exec python3 -m awscli "$@"\n'


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of builds that would have been sent to a worker."""
    sent: list[int] = []
    monkeypatch.setattr(work.current_app, "send_task", lambda name, args, **options: sent.append(args[0]))
    return sent


@pytest.fixture
def places(settings, tmp_path, monkeypatch) -> list[FakeExecutor]:
    """A bucket, a disk of this worker's own, and the containers that the builds got."""
    settings.CACHE_ROOT = tmp_path / "cache"
    services.ensure_bucket(played.BUCKET)
    made: list[FakeExecutor] = []

    def executor() -> FakeExecutor:
        made.append(FakeExecutor())
        return made[-1]

    monkeypatch.setattr(running, "executor", executor)
    return made


@pytest.fixture(scope="session")
def aws_image(base_image: str) -> str:
    """The base image with Python and the AWS CLI, as this environment has it."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, text in (("Dockerfile", AWS_DOCKERFILE.format(base=base_image)), ("aws", AWS_PROGRAM)):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
        for path in sorted(distribution_files("awscli", set())):
            tar.add(path.locate(), f"packages/{path}")
    context.seek(0)
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    with contextlib.closing(engine.connect(timeout_seconds=600)) as client:
        client.images.build(fileobj=context, custom_context=True, tag=AWS_IMAGE, buildargs=proxies, rm=True)
    return AWS_IMAGE


def distribution_files(name: str, seen: set[str]) -> set[metadata.PackagePath]:
    """The files of an installed package and of what it requires; of botocore only the models of services here."""
    if name in seen:
        return set()
    seen.add(name)
    installed = metadata.distribution(name)
    found = {
        path
        for path in installed.files or ()
        if ".." not in path.parts
        and path.suffix != ".pyc"
        and (path.parts[:2] != ("botocore", "data") or len(path.parts) < 4 or path.parts[2] in AWS_SERVICES)
        and path.parts[:2] != ("awscli", "examples")
    }
    for requirement in installed.requires or ():
        if ";" not in requirement or "extra" not in requirement:
            found |= distribution_files(re.split(r"[^\w.-]", requirement)[0], seen)
    return found


@pytest.fixture(scope="session")
def https_port(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that containers reach: HTTPS on every address, under the authority in settings.TLS_ROOT."""
    files = tls.ensure(product_settings.TLS_ROOT, tls.server_names())
    config = uvicorn.Config(
        "codeservices.asgi:application",
        host="0.0.0.0",
        port=0,
        log_level="warning",
        ws="none",
        ssl_certfile=files.server,
    )
    with served(config) as port:
        yield port
