"""The executor over a real engine: shells, streams, limits, isolation, what is left behind."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import tarfile
import threading
from collections.abc import Callable, Iterator

import pytest

from builds.runner import attached, containers, docker, engine
from builds.runner.docker import DockerExecutor
from builds.runner.executor import Interrupted, PhaseError, Spec, Start

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("base_image", "leftovers")]

DIRECTORY = "/codebuild/output/src/demo"
Make = Callable[..., DockerExecutor]


@pytest.fixture
def make(install: str) -> Iterator[Make]:
    made: list[DockerExecutor] = []

    def one(shell: str = "/bin/sh", *, is_shared: bool = True, memory_bytes: int = 2**30, **options) -> DockerExecutor:
        executor = DockerExecutor(install, **options)
        made.append(executor)
        executor.provision(Spec("docker:1", "codeservices/base", memory_bytes, 1), notes.append)
        executor.start(Start({"SECRET": "it's a\nsecret"}, DIRECTORY, shell, is_shared))
        return executor

    notes: list[str] = []
    one.notes = notes
    yield one
    for executor in made:
        executor.close()


def outcome(executor: DockerExecutor, command: str, **options) -> tuple[int, bytes]:
    pieces: list[bytes] = []
    status = executor.run(command, pieces.append, **options)
    return status, b"".join(pieces)


@pytest.mark.parametrize("shell", ["/bin/sh", "bash"])
def test_functions_options_and_variables_carry_over_between_commands(make: Make, shell: str):
    executor = make(shell)
    assert outcome(executor, "greet() { echo hello $1; }\nLOCAL=1\nset -u") == (0, b"")
    assert outcome(executor, "greet Ada; echo $LOCAL") == (0, b"hello Ada\n1\n")
    assert outcome(executor, 'echo "$MISSING"')[0] != 0


@pytest.mark.parametrize("shell", ["/bin/sh", "bash"])
@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 3", 3), ("exec sh -c 'exit 9'", 9), ("kill -9 $$", 137), ("set -e; false; true", 1), ("return 4", 4)],
)
def test_a_shell_that_ends_early_is_replaced_with_its_directory_and_exports(make: Make, shell, command, status):
    executor = make(shell)
    outcome(executor, "cd /tmp && export KEPT=yes")
    assert outcome(executor, command)[0] == status
    assert outcome(executor, "pwd; echo $KEPT") == (0, b"/tmp\nyes\n")


def test_exit_in_the_middle_keeps_what_the_same_command_exported(make: Make):
    executor = make()
    assert outcome(executor, "export LATE=yes; cd /var; exit 0")[0] == 0
    assert outcome(executor, "pwd; echo $LATE") == (0, b"/var\nyes\n")


def test_redirecting_the_shell_s_own_output_does_not_cut_us_off(make: Make):
    executor = make()
    assert outcome(executor, "exec >/tmp/log 2>&1; echo hidden") == (0, b"")
    assert outcome(executor, "exec 7>&- 8<&-; true")[0] == 0
    assert outcome(executor, "cat /tmp/log >&2; false")[0] == 1


def test_version_01_gives_each_command_a_shell_of_its_own(make: Make):
    executor = make(is_shared=False)
    outcome(executor, "cd /tmp; export A=1; f() { :; }")
    status, output = outcome(executor, "pwd; echo ${A:-none}; type f")
    assert output.startswith(f"{DIRECTORY}\nnone\n".encode()) and status != 0


def test_stdin_is_empty_and_both_outputs_keep_their_order(make: Make):
    executor = make()
    assert outcome(executor, "read line; echo $?; echo out; echo err >&2; echo out") == (0, b"1\nout\nerr\nout\n")


def test_binary_output_arrives_byte_by_byte_also_what_looks_like_an_answer(make: Make):
    executor = make()
    command = "head -c 300000 /dev/zero | tr '\\0' '\\036'; printf '\\036abc 0\\n\\000\\377\\036'"
    status, output = outcome(executor, command)
    assert (status, output) == (0, b"\x1e" * 300000 + b"\x1eabc 0\n\x00\xff\x1e")


def test_an_answer_split_over_many_reads_is_still_found(make: Make, monkeypatch):
    monkeypatch.setattr(attached, "RECEIVE_BYTES", 3)
    executor = make()
    assert outcome(executor, "printf 'no newline'; exit 5") == (5, b"no newline")
    assert outcome(executor, "echo next") == (0, b"next\n")


def test_a_silent_command_says_nothing(make: Make):
    assert outcome(make(), "true") == (0, b"")


def test_a_million_lines_arrive_whole_and_in_order(make: Make):
    executor = make()
    total = hashlib.sha256()
    count = 0

    def take(data: bytes) -> None:
        nonlocal count
        total.update(data)
        count += data.count(b"\n")

    assert executor.run("seq -f 'line %.0f of one million, padded to about sixty bytes' 1000000", take) == 0
    wanted = hashlib.sha256()
    for start in range(1, 1_000_001, 10_000):
        numbers = range(start, start + 10_000)
        wanted.update(b"".join(b"line %d of one million, padded to about sixty bytes\n" % one for one in numbers))
    assert (count, total.hexdigest()) == (1_000_000, wanted.hexdigest())


def test_a_command_of_one_megabyte_runs(make: Make):
    text = "x" * 1_000_000
    status, output = outcome(make(), f"cat <<'END'\n{text}\nEND")
    assert (status, len(output)) == (0, 1_000_001)


def test_every_byte_of_a_command_reaches_the_shell(make: Make):
    status, output = outcome(make(), "  printf '%s' ' \\n %s \"ä\u2028\t\\0101 '")
    assert (status, output.decode()) == (0, ' \\n %s "ä\u2028\t\\0101 ')


def test_background_processes_go_on_without_keeping_the_command_from_ending(make: Make):
    executor = make()
    assert outcome(executor, "nohup sleep 300 & (sleep 300 &) ; echo started")[1] == b"started\n"
    # Both go on: the command has not waited for them.
    assert outcome(executor, """timeout 60 sh -c 'until [ "$(pgrep -c sleep)" = 2 ]; do :; done'""")[0] == 0


def test_commands_run_as_another_user_and_back(make: Make):
    executor = make()
    outcome(executor, "export A=1; cd /tmp")
    assert outcome(executor, "id -un; echo $A; pwd; export B=2", user="nobody") == (0, b"nobody\n1\n/tmp\n")
    assert outcome(executor, "id -un; echo $B") == (0, b"root\n2\n")
    status, output = outcome(executor, "id -un", user="nosuch")
    assert status != 0 and b"nosuch" in output
    assert outcome(executor, "id -un") == (0, b"root\n")


def test_a_shell_that_the_image_lacks_fails_the_command(make: Make):
    status, output = outcome(make("zsh"), "echo never")
    assert status == 127 and b"never" not in output


def test_variables_arrive_whole_and_are_neither_on_disk_nor_in_the_container_s_settings(make: Make):
    executor = make()
    assert outcome(executor, 'printf %s "$SECRET"')[1] == b"it's a\nsecret"
    assert outcome(executor, "grep -rl 'a.secret' /codebuild/readonly")[0] == 1
    assert "secret" not in str(executor._container.attrs["Config"])


def test_the_ca_bundle_and_its_variables_are_in_the_container(make: Make):
    executor = make(ca_bundle=b"-- certificates --", variables={"https_proxy": "http://proxy:3128"})
    assert outcome(executor, 'cat "$SSL_CERT_FILE"; echo; echo $PIP_CERT $https_proxy')[1] == (
        b"-- certificates --\n/codebuild/readonly/ca-bundle.pem http://proxy:3128\n"
    )


def test_the_container_has_few_capabilities_no_new_privileges_and_limits(make: Make):
    executor = make(memory_bytes=512 * 2**20)
    status = outcome(executor, "grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status")[1].decode()
    assert re.search(r"NoNewPrivs:\t1", status)
    bounding = int(re.search(r"CapBnd:\t(\w+)", status)[1], 16)
    assert bounding.bit_count() == len(containers.CAPABILITIES)
    settings = executor._container.attrs["HostConfig"]
    assert settings["Memory"] == settings["MemorySwap"] == 512 * 2**20
    assert settings["PidsLimit"] == containers.MAX_PROCESSES and settings["LogConfig"]["Type"] == "none"
    assert not settings["Binds"] and settings["NetworkMode"] not in ("default", "host", "bridge")


def test_apt_and_su_have_the_capabilities_they_need(make: Make):
    executor = make()
    command = "touch /tmp/f && chown daemon:daemon /tmp/f && su daemon -s /bin/sh -c 'rm /tmp/f' && dpkg --audit"
    assert outcome(executor, command) == (0, b"")


def test_a_command_that_needs_more_memory_than_there_is_fails_and_the_log_says_why(make: Make):
    executor = make(memory_bytes=64 * 2**20)
    status, _ = outcome(executor, "tail /dev/zero")
    assert status == 137
    assert executor.why(status) == ("a process was ended because the container reached its memory limit of 0.0625 GiB")
    # What an earlier command did is not told of a later one.
    assert executor.why(outcome(executor, "exit 137")[0]) == ""


def test_a_compute_type_larger_than_the_host_is_clamped_and_said(install: str):
    executor = DockerExecutor(install)
    notes: list[str] = []
    try:
        executor.provision(Spec("docker:1", "codeservices/base", 2**50, 1000), notes.append)
    finally:
        executor.close()
    assert any(note.startswith("The compute type asks for 1000 vCPUs") for note in notes)


def test_a_container_that_dies_is_found_dead_with_a_reason(make: Make):
    executor = make()
    with pytest.raises(PhaseError, match="found dead before completing the build") as caught:
        outcome(executor, "kill -9 -1; sleep 60")
    assert caught.value.is_fault and caught.value.status_code == "INTERNAL_SERVICE_ERROR"


def state_of(executor: DockerExecutor) -> dict[str, object]:
    executor._container.reload()
    return executor._container.attrs["State"]


@pytest.mark.parametrize("shell", ["/bin/sh", "bash"])
def test_at_the_end_no_process_is_left_and_nothing_had_to_be_killed(make: Make, shell: str):
    executor = make(shell)
    # What is left behind says much and hears no signal; what the shell was told to do at its exit is not done.
    command = "(trap '' HUP INT TERM; while :; do echo still here; done) &\ntrap 'sleep 600' EXIT"
    assert outcome(executor, command)[0] == 0
    executor.end()
    executor._container.wait(timeout=60)
    state = state_of(executor)
    # 137 is what a container has that was killed.
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)


def test_a_build_that_does_not_let_its_agent_end_is_killed(make: Make, monkeypatch):
    monkeypatch.setattr(docker, "END_SECONDS", 0.5)
    executor = make()
    assert outcome(executor, "kill -STOP $PPID")[0] == 0
    executor.end()
    state = state_of(executor)
    assert (state["Status"], state["ExitCode"]) == ("exited", 137)


def test_an_interrupted_build_has_ended_only_when_its_container_has(make: Make, monkeypatch):
    executor = make()
    kill = executor._kill
    monkeypatch.setattr(executor, "_kill", lambda: executor._attached.shut_down())  # the engine did not hear of it
    executor.interrupt()
    assert state_of(executor)["Status"] == "running"
    monkeypatch.setattr(executor, "_kill", kill)
    executor.end()
    assert state_of(executor)["Status"] == "exited"


def test_files_on_their_way_into_the_container_do_not_delay_an_interruption(make: Make):
    executor = make()

    def endless() -> Iterator[bytes]:
        file = tarfile.TarInfo("tmp/endless")
        file.size = 2**40
        yield file.tobuf()
        executor.interrupt()
        yield from itertools.repeat(bytes(1024), 2**30)

    with pytest.raises(Interrupted):
        executor.put(endless())


def test_sources_of_many_parts_do_not_fill_the_disk_before_it_is_watched(install: str):
    file = tarfile.TarInfo("tmp/part")
    file.size = 4 * 2**20
    part = [file.tobuf(), bytes(file.size), bytes(1024)]
    executor = DockerExecutor(install)
    try:
        executor.provision(Spec("docker:1", "codeservices/base", 2**30, 1, disk_bytes=10**7), lambda sentence: None)
        executor.put(part)
        executor.put(part)
        with pytest.raises(PhaseError) as caught:
            executor.put(part)
        assert (caught.value.status_code, caught.value.is_fault) == ("CLIENT_ERROR", False)
    finally:
        executor.close()


def test_a_flood_of_output_does_not_delay_an_interruption(make: Make, leftovers):
    executor = make()
    flows, is_over = threading.Event(), threading.Event()
    late_bytes = 0

    def stop() -> None:
        flows.wait(60)
        executor.interrupt()
        is_over.set()

    def output(data: bytes) -> None:
        nonlocal late_bytes
        flows.set()
        late_bytes += len(data) if is_over.is_set() else 0

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(Interrupted):
        executor.run("yes", output)
    executor.close()
    assert late_bytes < 16 * 2**20  # what the socket held
    assert leftovers() == []


def test_an_image_that_no_registry_has_is_told_by_name(install: str):
    executor = DockerExecutor(install)
    name = "localhost:1/nobody/nothing:9"
    try:
        with pytest.raises(PhaseError, match=re.escape(name)) as caught:
            executor.provision(Spec("docker:1", name, 2**30, 1), lambda sentence: None)
    finally:
        executor.close()
    assert caught.value.status_code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"


def test_reaping_removes_what_nobody_runs_and_nothing_else(install: str, leftovers):
    executors = [DockerExecutor(install), DockerExecutor(install)]
    for number, executor in enumerate(executors):
        executor.provision(Spec(f"docker:{number}", "codeservices/base", 2**30, 1), lambda sentence: None)
    with contextlib.closing(engine.connect()) as client:
        assert engine.reap(client, install, lambda: {"docker:1"}) == ["docker:0"]
        assert len(leftovers()) == 2 and all("docker-1" in name for name in leftovers())
    for executor in executors:
        executor.close()
    assert leftovers() == []


def test_a_build_whose_network_can_not_be_closed_never_starts_and_leaves_nothing(install: str, leftovers):
    def refuse(note: object) -> None:
        raise PhaseError("INTERNAL_SERVICE_ERROR", "No build starts without its firewall rules.", is_fault=True)

    executor = DockerExecutor(install, close_network=refuse)
    with pytest.raises(PhaseError, match="firewall rules"):
        executor.provision(Spec("docker:1", "codeservices/base", 2**30, 1), lambda sentence: None)
    executor.close()
    assert leftovers() == []
