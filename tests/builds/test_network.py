"""Networks that a worker's process keeps between builds: never shared, never left."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import docker
import pytest

from builds.runner import engine, network
from builds.runner.docker import DockerExecutor
from builds.runner.executor import Spec, Start

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("base_image", "leftovers")]


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with contextlib.closing(engine.connect()) as found:
        yield found


@pytest.fixture
def networks(install: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[network.Networks]:
    monkeypatch.setattr(network, "KEEP_SECONDS", 3600.0)
    made = network.Networks(install, tmp_path / "networks", engine.connect)
    yield made
    made.close()


def build(install: str, networks: network.Networks, number: int, **spec: object) -> DockerExecutor:
    executor = DockerExecutor(install, networks=networks)
    executor.provision(Spec(f"network:{number}", "codeservices/base", 2**29, 1, **spec), lambda sentence: None)
    executor.start(Start({}, "/codebuild/output/src"))
    return executor


def network_of(executor: DockerExecutor) -> str:
    executor._container.reload()
    [name] = executor._container.attrs["NetworkSettings"]["Networks"]
    return name


def test_the_next_build_gets_the_network_and_two_at_once_never_share_one(install, networks, leftovers):
    first = build(install, networks, 1)
    name = network_of(first)
    with contextlib.closing(build(install, networks, 2)) as second:
        assert network_of(second) != name
        first.close()
        with contextlib.closing(build(install, networks, 3)) as third:
            assert network_of(third) == name
    assert len(leftovers()) == 2
    networks.close()
    assert leftovers() == []


def test_a_network_that_is_not_empty_or_gone_is_not_lent_out(install, networks, client, leftovers):
    executor = build(install, networks, 1)
    name = network_of(executor)
    executor.close()
    stranger = client.containers.run(
        "codeservices/base", ["sleep", "600"], network=name, detach=True, labels={engine.INSTALL_LABEL: install}
    )
    executor = build(install, networks, 2)
    second = network_of(executor)
    assert second != name
    executor.close()
    client.networks.get(second).remove()
    with contextlib.closing(build(install, networks, 3)) as executor:
        assert network_of(executor) not in (name, second)
    stranger.remove(force=True)


def test_an_idle_network_goes_by_itself(install, networks, leftovers, monkeypatch):
    monkeypatch.setattr(network, "KEEP_SECONDS", 0.0)
    build(install, networks, 1).close()
    networks._timer.join(60)
    assert leftovers() == []


def test_the_reaper_leaves_what_a_living_process_keeps_and_removes_the_rest(install, networks, client, tmp_path):
    folder = tmp_path / "networks"
    build(install, networks, 1).close()
    [kept] = networks._idle

    def reap() -> list[str]:
        return engine.reap(client, install, lambda: (), partial(network.is_kept, folder))

    assert reap() == []
    with networks._lock:
        networks._idle.clear()
    # What the kernel does for a process that ends.
    network.os.close(kept.lock)
    assert reap() == [kept.name]
    assert list(folder.iterdir()) == []


def test_what_a_process_elsewhere_kept_goes_when_no_build_can_have_it_any_more(tmp_path):
    now = datetime.now(UTC)
    young = f"{now:%Y-%m-%dT%H:%M:%S}.123456789Z"
    old = f"{now - network.LIFE - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}.1+00:00"
    assert network.is_kept(tmp_path, "elsewhere/codeservices-network-1", young)
    assert not network.is_kept(tmp_path, "elsewhere/codeservices-network-1", old)
    assert not network.is_kept(tmp_path, f"{socket.gethostname()}/codeservices-network-1", young)


def test_the_lock_tells_also_after_the_machine_got_another_name(install, networks, tmp_path):
    kept = networks.reserve()
    keeper, long_ago = f"before/{kept.name}", "2020-01-01T00:00:00Z"
    assert network.is_kept(tmp_path / "networks", keeper, long_ago)
    network.os.close(kept.lock)
    assert not network.is_kept(tmp_path / "networks", keeper, long_ago)


def test_an_old_network_is_not_lent_out_again(install, networks, client, leftovers, monkeypatch):
    kept = networks.reserve()
    networks.make(client, kept)
    networks.give_back(client, kept)
    monkeypatch.setattr(network, "LEND_LIFE", timedelta())
    assert networks.take(client) is None
    assert leftovers() == []


def test_a_privileged_build_leaves_no_network_to_another(install, networks, leftovers):
    executor = build(install, networks, 1, is_privileged=True)
    assert len(leftovers()) == 2
    executor.close()
    assert leftovers() == []
    assert networks.take(executor._client) is None


def test_many_threads_never_get_one_network(install, networks, client):
    def once(number: int) -> str:
        kept = networks.take(client) or networks.reserve()
        return kept.name

    for _ in range(2):
        kept = networks.reserve()
        networks.make(client, kept)
        networks.give_back(client, kept)
    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(once, range(4)))
    assert len(set(names)) == 4
