"""A Docker image is built inside a privileged build, by an engine that the build installs and starts itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from builds import isolation
from tests.fixtures.engine import Inside

pytestmark = [pytest.mark.docker, pytest.mark.faults]

INSTALL = "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends docker.io"
START = """
(dockerd >/tmp/dockerd.log 2>&1 &)
for i in $(seq 120); do docker info >/dev/null 2>&1 && exit 0; sleep 1; done
cat /tmp/dockerd.log; exit 1
"""
# No registry is asked: the base of the image is the build's own file system.
BASE = "tar -C / --one-file-system --exclude=./proc --exclude=./sys --exclude=./var/cache -c . | docker import - base:1"
# A name that is there to be found: of the mirror that packages come from.
MIRROR = 'grep -rho "//[^/ ]*" /etc/apt/sources.list /etc/apt/sources.list.d | head -n 1 | tr -d /'
BUILD = f"""
mkdir /tmp/image && cd /tmp/image
printf '%s\\n' 'FROM base:1' 'RUN echo built inside > /hello' 'RUN getent hosts "$({MIRROR})" >/dev/null' \\
  'CMD ["cat", "/hello"]' > Dockerfile
docker build -t app:1 . && docker run --rm app:1 && docker run --rm -m 64m app:1
"""
PROBE = "curl -s -o /dev/null --max-time 5 http://169.254.169.254; echo $?"


def test_docker_build_works_inside_a_privileged_build(enter: Callable[..., Inside], firewall, install):
    bundle = Path(os.environ.get("SSL_CERT_FILE", ""))
    inside = enter(
        is_privileged=True,
        memory_bytes=4 * 2**30,
        cpus=2,
        executor={
            "ca_bundle": bundle.read_bytes() if bundle.is_file() else b"",
            "close_network": isolation.close_network,
        },
    )
    for command in (INSTALL, START, BASE):
        status, output = inside.sh(command)
        assert status == 0, output[-2000:]
    status, output = inside.sh(BUILD)
    assert (status, output.count("built inside\n")) == (0, 2), output[-2000:]
    assert "Successfully tagged app:1" in output
    # Privileged or not, and from containers inside it too, its network is closed.
    assert inside.sh(PROBE)[1] == "7\n"
    assert inside.sh(f"docker run --rm app:1 sh -c '{PROBE}'")[1] == "7\n"
