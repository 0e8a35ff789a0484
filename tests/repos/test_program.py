import asyncio
import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from repos.git import program, wire, wire_process
from repos.git.processes import CPU_SECONDS, MEMORY_BYTES, limit, reap
from repos.git.wire_process import spawn
from tests import gitpush, gitrepo


@pytest.fixture
def repository(tmp_path):
    return gitrepo.create(tmp_path)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent to look does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# Long enough, one or the other, for a command to begin on any machine.
TIMEOUTS = (0.3, 3.0, 30.0)


def gone(pid: int) -> bool:
    """Whether a process ends."""
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def sleeper(repository, tmp_path, then: str = "sleep 600") -> list[str]:
    """A git command that starts a child of its own, writes down its pid and hangs."""
    return ["-c", f"alias.hang=!echo $$ > {tmp_path}/pid; echo one; {then}", "hang"]


def test_output_is_returned_whole_and_input_is_read(repository):
    oid = program.run(repository, ["hash-object", "-w", "--stdin"], input=b"hello\n").decode().strip()
    assert program.run(repository, ["cat-file", "blob", oid]) == b"hello\n"


def test_large_input_and_output_at_once_do_not_block(repository):
    oid = program.run(repository, ["hash-object", "-w", "--stdin"], input=b"x" * 100_000).decode()
    answer = program.run(repository, ["cat-file", "--batch"], input=(oid.strip() + "\n").encode() * 300)
    assert len(answer) > 30_000_000


def test_a_failure_tells_code_and_complaint_without_the_place_on_disk(repository):
    with pytest.raises(program.GitError) as caught:
        program.run(repository, ["log", "--end-of-options", "nothing-here"])
    assert caught.value.exit_code == 128
    assert "ambiguous argument 'nothing-here'" in caught.value.message
    (repository.path / "HEAD").write_text("nonsense\n")
    with pytest.raises(program.GitError) as caught:
        program.run(repository, ["log"])
    assert "(repository)" in caught.value.message
    assert str(repository.path) not in caught.value.message


def test_an_expected_exit_code_is_no_failure(repository):
    assert program.run(repository, ["show-ref", "--verify", "-q", "refs/heads/x"], ok_codes=(0, 1)) == b""


def test_too_much_output_stops_the_command(repository):
    oid = program.run(repository, ["hash-object", "-w", "--stdin"], input=b"x" * 3_000_000).decode().strip()
    with pytest.raises(program.GitOutputTooLarge, match="more than 1,000,000 bytes"):
        program.run(repository, ["cat-file", "blob", oid], max_output_bytes=1_000_000)


def test_a_command_past_its_time_is_killed_with_its_children(repository, tmp_path):
    for seconds in TIMEOUTS:
        with pytest.raises(program.GitTimeout, match=rf"longer than {seconds:g} seconds"):
            program.run(repository, sleeper(repository, tmp_path, "sleep 600; true"), timeout_seconds=seconds)
        if (tmp_path / "pid").exists():
            break
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_command_that_goes_on_behind_its_output_is_past_its_time_too():
    process = subprocess.Popen(["sh", "-c", "exec >&-; exec sleep 600"], stdout=subprocess.PIPE, start_new_session=True)
    child = program._Child(process, "sleep", 0.3)
    try:
        assert list(child.output()) == []
        with pytest.raises(program.GitTimeout, match=r"git sleep took longer than 0\.3 seconds"):
            child.wait()
    finally:
        reap(process)


def test_lines_come_one_by_one_with_any_separator(repository):
    oid = gitrepo.commit(repository, {"a b.txt": "1", "c\nd.txt": "2", "é.txt": "3"})
    names = list(program.lines(repository, ["ls-tree", "-z", "--name-only", oid], separator=b"\0"))
    assert names == [b"a b.txt", b"c\nd.txt", "é.txt".encode()]
    many = gitrepo.blob(repository, "".join(f"{number}\n" for number in range(200_000)) + "last")
    numbers = list(program.lines(repository, ["cat-file", "blob", many]))
    assert (len(numbers), numbers[123_456], numbers[-1]) == (200_001, b"123456", b"last")


def test_lines_left_early_leave_no_process(repository, tmp_path):
    with_child = program.lines(repository, sleeper(repository, tmp_path))
    assert next(with_child) == b"one"
    with_child.close()
    assert gone(int((tmp_path / "pid").read_text()))


def test_lines_raise_a_failure_after_the_last_line(repository):
    with pytest.raises(program.GitError, match="ended with 128"):
        list(program.lines(repository, ["cat-file", "blob", "0" * 40]))


def test_lines_past_their_time_are_stopped(repository, tmp_path):
    found = []
    for seconds in TIMEOUTS:
        with pytest.raises(program.GitTimeout):
            found.extend(program.lines(repository, sleeper(repository, tmp_path), timeout_seconds=seconds))
        if found:
            break
    assert found == [b"one"]


def test_nothing_of_our_environment_or_of_the_machines_configuration_reaches_git(repository, tmp_path, monkeypatch):
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Mallory\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", "/nonexistent")
    monkeypatch.setenv("A_SECRET", "hunter2")
    shown = program.run(repository, ["-c", "alias.env=!env", "env"]).decode()
    assert "hunter2" not in shown
    assert "GIT_OBJECT_DIRECTORY" not in shown
    assert program.run(repository, ["config", "user.name"], ok_codes=(1,)) == b""


def test_what_a_supervisor_of_ours_started_is_known_by_its_mark_in_git_too(repository, monkeypatch):
    monkeypatch.setenv("CODESERVICES_SUPERVISED", "/srv/run")
    assert b"CODESERVICES_SUPERVISED=/srv/run\n" in program.run(repository, ["-c", "alias.env=!env", "env"])


@pytest.mark.parametrize("argument", ["$(touch owned)", "`touch owned`", "; touch owned", "--output=owned", "a\nb"])
def test_an_argument_is_never_run_nor_taken_for_an_option(repository, argument):
    gitrepo.commit(repository, {"a": "1"})
    with pytest.raises(program.GitError):
        program.run(repository, ["log", "--end-of-options", argument, "--"])
    assert not list(repository.path.rglob("owned"))


def test_hooks_in_a_repository_never_run(repository, tmp_path):
    hook = repository.path / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/owned\n")
    hook.chmod(0o755)
    oid = gitrepo.blob(repository, "x")
    program.run(repository, ["update-ref", "--end-of-options", "refs/tags/x", oid])
    assert not (tmp_path / "owned").exists()


def test_a_repository_that_another_user_owns_is_served(repository):
    if os.geteuid() == 0:  # only root may give files away, and only to root's git does it matter
        os.chown(repository.path, 65534, 65534)
    assert b"capabilities" in asyncio.run(advertised(repository))


async def advertised(repository, protocol: str = "") -> bytes:
    child = await spawn(repository, ["receive-pack", "--stateless-rpc", "--http-backend-info-refs"], protocol=protocol)
    try:
        output = await child.process.stdout.read()
        await child.process.wait()
        return output
    finally:
        await child.stop()


def test_the_wire_advertises_what_the_fixed_configuration_says(repository):
    oid = gitrepo.commit(repository, {"a": "1"})
    gitrepo.update_ref(repository, "refs/internal/keep", oid)
    answer = asyncio.run(advertised(repository))
    assert b"refs/heads/main" in answer
    assert b"atomic" in answer
    assert b"refs/internal" not in answer
    assert b"push-options" in answer
    assert b"push-cert" not in answer


def test_a_stopped_wire_process_takes_its_children_along(repository, tmp_path):
    async def start_and_stop() -> int:
        child = await spawn(repository, sleeper(repository, tmp_path, "sleep 600; true #"))
        assert await child.process.stdout.readline() == b"one\n"
        await child.stop()
        return child.process.returncode

    assert asyncio.run(start_and_stop()) == -signal.SIGTERM
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_wire_process_that_will_not_stop_is_killed(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(wire_process, "GRACE_SECONDS", 0.2)

    async def start_and_stop() -> None:
        child = await spawn(repository, sleeper(repository, tmp_path, "trap '' TERM; sleep 600 & wait; wait #"))
        assert await child.process.stdout.readline() == b"one\n"
        await child.stop()

    asyncio.run(start_and_stop())
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_wire_process_tells_why_it_failed_without_the_place_on_disk(repository):
    async def complaint() -> str:
        (repository.path / "HEAD").write_text("nonsense\n")
        child = await spawn(repository, ["upload-pack", "--strict", "--stateless-rpc"])
        try:
            await child.process.wait()
            return child.complaint()
        finally:
            await child.stop()

    assert asyncio.run(complaint()) == "fatal: '(repository)' does not appear to be a git repository"


def test_pack_index_and_ref_are_on_the_disk_before_a_push_is_acknowledged(repository, tmp_path):
    oid = gitrepo.commit(repository, {"a": "1"})
    pack = program.run(repository, ["pack-objects", "--stdout", "--revs", "--quiet"], input=f"{oid}\n".encode())
    target, trace = gitrepo.create(tmp_path / "target"), tmp_path / "trace"
    program.run(
        target,
        ["receive-pack", "--stateless-rpc", bytes(target.path)],
        input=gitpush.push_body([f"{gitpush.ZERO} {oid} refs/heads/main"], pack),
        environment={"GIT_TRACE2_EVENT": str(trace)},
    )
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    flushes = [(e["sid"].count("/"), e["value"]) for e in events if e.get("key") == "fsync/hardware-flush"]
    assert flushes == [(1, "2"), (0, "1")]  # index-pack: pack and index; receive-pack: the ref


def test_limits_hold_for_git_and_for_what_git_starts(repository):
    until_limited = "until [ $(ulimit -d) != unlimited ]; do :; done; ulimit -d; ulimit -t; ulimit -c"
    shown = program.run(repository, ["-c", f"alias.limits=!sh -c '{until_limited}' #", "limits"])
    assert shown.decode().split() == [str(MEMORY_BYTES // 1024), str(CPU_SECONDS), "0"]


def test_limits_hold_for_what_had_been_started_before_they_were_set():
    script = "exec 3<&0; cat <&3 & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        limit(parent.pid)
        for pid in (parent.pid, child):
            assert resource.prlimit(pid, resource.RLIMIT_DATA) == (MEMORY_BYTES, MEMORY_BYTES)
        parent.stdin.close()


def test_push_options_reach_the_hook_as_they_were_sent(repository, tmp_path):
    oid = gitrepo.commit(repository, {"a": "1"})
    hook = tmp_path / "hooks" / "pre-receive"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nenv -0 >env\n")
    hook.chmod(0o700)
    options = [b"ci.skip", "reason=é $(id) `id`".encode(), b"caf\xe9=", b""]
    commands = gitpush.push_body([f"{oid} {gitpush.ZERO} refs/heads/main"], b"", capabilities="push-options")
    program.run(
        repository,
        ["receive-pack", "--stateless-rpc", bytes(repository.path)],
        input=commands + b"".join(map(wire.pkt, options)) + wire.FLUSH,
        options=program.Options(
            configuration={"core.hooksPath": str(hook.parent), "receive.denyDeleteCurrent": "ignore"}
        ),
    )
    seen = dict(line.split(b"=", 1) for line in (repository.path / "env").read_bytes().split(b"\0") if line)
    assert seen[b"GIT_PUSH_OPTION_COUNT"] == b"4"
    assert [seen[b"GIT_PUSH_OPTION_%d" % number] for number in range(4)] == options


def test_a_push_that_is_stopped_leaves_no_quarantine(repository):
    commands = gitpush.push_body([f"{gitpush.ZERO} {'1' * 40} refs/heads/x"], b"PACK\0\0\0\2\0\0\0\1")

    async def start_and_stop() -> None:
        child = await spawn(repository, ["receive-pack", "--stateless-rpc"])
        child.process.stdin.write(commands)
        deadline = time.monotonic() + 60
        while not list(repository.path.glob("objects/tmp_objdir-*/pack/tmp_pack_*")) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert time.monotonic() < deadline
        await child.stop()

    asyncio.run(start_and_stop())
    assert list(repository.path.glob("objects/tmp_*")) == []
