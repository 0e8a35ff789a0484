"""What every executor must do; the fake one passes the same tests as the real one."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable, Iterator

import pytest

from builds.runner.docker import DockerExecutor
from builds.runner.executor import Executor, Interrupted, PhaseError, Spec, Start
from tests.executors import FakeExecutor

DIRECTORY = "/codebuild/output/src/demo"


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.docker)])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[], Executor]]:
    made: list[Executor] = []

    def one() -> Executor:
        executor = FakeExecutor(missing_image="codeservices/nothing:1")
        if request.param == "docker":
            request.getfixturevalue("leftovers")
            executor = DockerExecutor(request.getfixturevalue("install"))
        made.append(executor)
        return executor

    if request.param == "docker":
        request.getfixturevalue("base_image")
    yield one
    for executor in made:
        executor.close()


def provisioned(make: Callable[[], Executor]) -> Executor:
    executor = make()
    executor.provision(Spec("contract:1", "codeservices/base", 2**30, 1), lambda sentence: None)
    return executor


def started(make: Callable[[], Executor], *, is_shared: bool = True, **variables: str) -> Executor:
    executor = provisioned(make)
    executor.start(Start(variables, DIRECTORY, is_shared=is_shared))
    return executor


def output_of(executor: Executor, command: str) -> tuple[int, str]:
    pieces: list[bytes] = []
    status = executor.run(command, pieces.append)
    return status, b"".join(pieces).decode()


def tar_of(name: str, content: bytes) -> list[bytes]:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return [packed.getvalue()]


def test_a_command_s_output_and_status_come_back(make):
    executor = started(make, NAME="Ada")
    assert output_of(executor, "echo hello $NAME") == (0, "hello Ada\n")
    assert output_of(executor, "exit 3") == (3, "")
    assert output_of(executor, "no-such-command")[0] == 127


def test_a_shared_shell_keeps_directory_and_variables(make):
    executor = started(make)
    output_of(executor, "cd /tmp && export A=1")
    assert output_of(executor, "pwd && echo $A") == (0, "/tmp\n1\n")


def test_without_a_shared_shell_each_command_starts_anew(make):
    executor = started(make, is_shared=False, A="0")
    output_of(executor, "cd /tmp && export A=1")
    assert output_of(executor, "pwd && echo $A") == (0, f"{DIRECTORY}\n0\n")


def test_files_go_in_and_come_out(make):
    executor = provisioned(make)
    executor.put(tar_of("codebuild/output/src/demo/a.txt", b"content"))
    executor.start(Start({}, DIRECTORY))
    with executor.read(f"{DIRECTORY}/a.txt") as pieces:
        assert pieces is not None
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            assert archive.extractfile("a.txt").read() == b"content"
    with executor.read(f"{DIRECTORY}/missing") as pieces:
        assert pieces is None


def test_a_missing_image_is_told_by_name(make):
    with pytest.raises(PhaseError, match="codeservices/nothing:1") as caught:
        make().provision(Spec("contract:1", "codeservices/nothing:1", 2**30, 1), lambda sentence: None)
    assert caught.value.status_code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"


def test_an_interruption_ends_the_command_and_all_later_calls(make):
    executor = started(make)
    begun = threading.Event()
    threading.Thread(target=lambda: begun.wait(60) and executor.interrupt(), daemon=True).start()
    with pytest.raises(Interrupted):
        executor.run("echo begun && sleep 60", lambda data: begun.set())
    with pytest.raises(Interrupted):
        executor.run("true", lambda data: None)
    executor.close()


def test_ending_is_allowed_at_any_time(make):
    executor = make()
    executor.end()
    executor.provision(Spec("contract:1", "codeservices/base", 2**30, 1), lambda sentence: None)
    executor.end()
    executor.start(Start({}, DIRECTORY))
    assert output_of(executor, "true") == (0, "")
    executor.end()
    executor.end()
    executor.close()
    executor.end()


def test_interrupting_and_closing_are_allowed_at_any_time(make):
    executor = make()
    executor.interrupt()
    with pytest.raises(Interrupted):
        executor.provision(Spec("contract:1", "codeservices/base", 2**30, 1), lambda sentence: None)
    executor.end()
    executor.close()
    executor.close()
