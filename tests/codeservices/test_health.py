from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codeservices import health
from tests.fixtures.installation import wait_for

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def worker(redis_server: str):
    """A real worker that takes the queue of short work alone."""
    command = [sys.executable, "-m", "celery", "-A", "codeservices.celery", "worker", "-Q", "default", "-P", "solo"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "codeservices.settings"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield process
    process.terminate()
    process.wait(timeout=60)


def test_without_a_worker_the_installation_is_not_ready(redis_server: str):
    assert health.check_workers() == "No Celery worker answers."


def test_a_queue_that_nobody_takes_is_named(worker: subprocess.Popen[bytes]):
    sentence = "No Celery worker takes the queue builds and maintenance and notifications."
    wait_for(lambda: health.check_workers() == sentence, seconds=30, what=sentence)
