"""The master key is changed while the server answers, and whoever changes it is killed at random moments."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
import uuid

import pytest

from tests.fixtures.installation import ROOT, Installation, wait_for

pytestmark = pytest.mark.faults

SECRETS = 300
KILLS = 12
WRITERS = 2
SEED = int(os.environ.get("CODESERVICES_TEST_SEED", "6"))


class Writer(threading.Thread):
    """Writes and reads secrets through the API without a pause; whatever goes wrong is in `faults`."""

    def __init__(self, installation: Installation, prefix: str) -> None:
        super().__init__(daemon=True)
        self.client = installation.client("secretsmanager")
        self.prefix, self.count, self.faults = prefix, 0, []
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.is_set():
            name, value = f"{self.prefix}/{self.count}", f"value {self.count}"
            try:
                self.client.create_secret(Name=name, SecretString=value)
                if self.client.get_secret_value(SecretId=name)["SecretString"] != value:
                    self.faults.append(f"{name} has another value")
            except Exception as error:  # every kind of it is a fault of the server, which the test tells
                self.faults.append(f"{name}: {error}")
            self.count += 1


def start(installation: Installation, *arguments: str) -> subprocess.Popen[str]:
    command = [str(ROOT / ".venv/bin/python"), "manage.py", "rotate_master_key", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=installation.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def kill(process: subprocess.Popen[str], chance: random.Random) -> None:
    """Kill it some time after it has begun; now and then it was quicker."""
    assert process.stdout is not None and process.stdout.readline().startswith("Encrypting")
    time.sleep(chance.uniform(0, 0.8))
    process.kill()
    process.communicate(timeout=60)


def finish(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return said


def test_a_change_that_is_killed_again_and_again_loses_no_value_and_ends_under_one_key(installation, tmp_path):
    chance, prefix = random.Random(SEED), uuid.uuid4().hex[:8]
    client = installation.client("secretsmanager")
    for number in range(SECRETS):
        client.create_secret(Name=f"{prefix}/first/{number}", SecretString=f"value {number}")
    file = installation.var / "keys" / "master_key"
    old = file.read_text().strip()
    writers = [Writer(installation, f"{prefix}/{number}") for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(KILLS):
            kill(start(installation), chance)
        finish(start(installation))
        kill(start(installation, "--retire"), chance)
        if len(file.read_text().split()) == 2:
            finish(start(installation, "--retire"))
        already = [writer.count for writer in writers]
        wait_for(lambda: all(writer.count > count for writer, count in zip(writers, already, strict=True)), seconds=300)
    finally:
        for writer in writers:
            writer.is_over.set()
        for writer in writers:
            writer.join(timeout=60)
    assert [writer.faults for writer in writers] == [[] for _ in writers]
    (new,) = file.read_text().split()
    assert new != old
    for number in range(SECRETS):
        value = client.get_secret_value(SecretId=f"{prefix}/first/{number}")["SecretString"]
        assert value == f"value {number}"
    for writer in writers:
        for number in range(writer.count):
            assert client.get_secret_value(SecretId=f"{writer.prefix}/{number}")["SecretString"] == f"value {number}"
    # What is hashed is the same as ever: git's password, and the chain of the audit trail.
    created = installation.client("codecommit").create_repository(repositoryName=f"keys-{prefix}")
    url = created["repositoryMetadata"]["cloneUrlHttp"]
    installation.git("clone", url, str(tmp_path / "clone"))
    verifying = [str(ROOT / ".venv/bin/python"), "manage.py", "verify_audit_trail"]
    done = subprocess.run(
        verifying, cwd=ROOT, env=installation.environment, text=True, capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
