"""What a build's container may take of the machine, what it may be made of, and what is gone at its end."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builds.runner import containers, disk, engine
from builds.runner.executor import PhaseError
from tests.fixtures.engine import DIRECTORY, Inside

MIB = 2**20
Enter = Callable[..., Inside]
ImageOf = Callable[..., str]


@pytest.fixture
def image_of(install: str, base_image: str) -> Iterator[ImageOf]:
    """Makes an image: the base with other settings, or a Dockerfile with files; none outlives the test."""
    with contextlib.closing(engine.connect()) as client:
        made: list[str] = []

        def make(*changes: str, files: dict[str, bytes] | None = None, platform: str | None = None) -> str:
            made.append(f"codeservices-test/sandbox-{install}-{len(made)}:latest")
            if files is None:
                container = client.containers.create(base_image)
                container.commit(*made[-1].split(":"), changes=list(changes))
                container.remove(v=True)
                return made[-1]
            context = io.BytesIO()
            with tarfile.open(fileobj=context, mode="w") as tar:
                for name, content in {"Dockerfile": "\n".join(changes).encode(), **files}.items():
                    info = tarfile.TarInfo(name)
                    info.size, info.mode = len(content), 0o755
                    tar.addfile(info, io.BytesIO(content))
            context.seek(0)
            client.images.build(fileobj=context, custom_context=True, tag=made[-1], rm=True, platform=platform)
            return made[-1]

        yield make
        for name in made:
            client.images.remove(name, force=True)


def volumes(inside: Inside) -> list[str]:
    inside.executor._container.reload()
    return [mount["Name"] for mount in inside.executor._container.attrs["Mounts"]]


@pytest.mark.docker
def test_what_an_image_says_of_start_user_volume_and_health_changes_nothing(image_of: ImageOf, enter: Enter):
    image = image_of(
        *('ENTRYPOINT ["/bin/false"]', 'CMD ["never"]', "USER nobody", "VOLUME /data", "HEALTHCHECK CMD exit 1"),
        *("ONBUILD RUN exit 1", "WORKDIR /nowhere", "ENV LEFT=over"),
    )
    inside = enter(image)
    assert inside.sh("id -un; pwd; echo $LEFT") == (0, f"root\n{DIRECTORY}\nover\n")
    (volume,) = volumes(inside)
    assert inside.executor._container.attrs["Config"]["Healthcheck"]["Test"] == ["NONE"]
    inside.executor.close()
    with contextlib.closing(engine.connect()) as client:
        assert volume not in [one.name for one in client.volumes.list()]


@pytest.mark.docker
def test_an_image_without_a_shell_ends_the_build_with_that_reason(image_of: ImageOf, enter: Enter):
    with pytest.raises(PhaseError, match="found dead before completing the build. The image has no shell") as caught:
        enter(image_of("FROM scratch", "COPY nothing /nothing", files={"nothing": b""})).sh("true")
    assert caught.value.status_code == "INTERNAL_SERVICE_ERROR"


@pytest.mark.docker
def test_an_image_for_another_processor_is_told_as_such(image_of: ImageOf, enter: Enter, tmp_path: Path):
    # A program's header for arm64 (e_machine 183). Source: elf(5).
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQI6H", 2, 183, 1, 0, 64, 0, 0, 64, 56, 0, 64, 0, 0)
    image = image_of("FROM scratch", "COPY sh /bin/sh", files={"sh": header}, platform="linux/arm64")
    with pytest.raises(PhaseError, match="The image is made for arm64 and this host is amd64"):
        enter(image).sh("true")


@pytest.mark.docker
@pytest.mark.parametrize(
    "bomb",
    [
        "head -c 200M /dev/zero > /tmp/full; sleep 300",
        # A file that has lost its name is in no folder.
        "exec 9>/tmp/full; rm /tmp/full; head -c 200M /dev/zero >&9; sleep 300",
        "mkdir /data/a; head -c 200M /dev/zero > /data/a/full; sleep 300",
    ],
    ids=["file", "without a name", "volume"],
)
def test_a_build_whose_files_take_too_much_is_ended_and_the_reason_told(image_of, enter: Enter, monkeypatch, bomb):
    monkeypatch.setattr(disk, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(disk, "LONGEST_SECONDS", 1.0)
    inside = enter(image_of("VOLUME /data"), disk_bytes=100 * MIB)
    with pytest.raises(PhaseError, match="The build was ended because its files took") as caught:
        inside.sh(bomb)
    assert (caught.value.status_code, caught.value.is_fault, caught.value.is_final) == ("CLIENT_ERROR", False, True)
    with pytest.raises(PhaseError, match="a build may take 0.10 GB on this server"):
        inside.sh("true")


@pytest.mark.docker
def test_memory_is_the_limit_of_files_in_memory(enter: Enter):
    inside = enter(memory_bytes=128 * MIB, disk_bytes=100 * MIB)
    status, _ = inside.sh("head -c 90M /dev/zero > /dev/shm/full")
    # The engine's /dev/shm holds 64 MB at most, and what it holds is the container's memory.
    assert status != 0
    assert inside.sh("stat -c %s /dev/shm/full")[1] == f"{64 * MIB}\n"


def test_what_is_counted_is_each_file_once_however_deep(tmp_path: Path):
    (tmp_path / "one").write_bytes(bytes(MIB))
    os.link(tmp_path / "one", tmp_path / "two")
    (tmp_path / "link").symlink_to("/usr")
    here = os.open(tmp_path, os.O_RDONLY)
    # Far deeper than a path may be long.
    for _ in range(300):
        os.mkdir("d" * 50, dir_fd=here)
        deeper = os.open("d" * 50, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    with os.fdopen(os.open("deep", os.O_WRONLY | os.O_CREAT, dir_fd=here), "wb") as file:
        file.write(bytes(MIB))
    os.close(here)
    assert 2 * MIB <= disk.used_bytes([str(tmp_path)], 0) < 4 * MIB


def test_a_disk_that_is_nearly_full_is_told_as_such():
    assert disk.exceeded(2 * 10**9, 10**9).message.endswith("2.00 GB of disk: a build may take 1.00 GB on this server.")
    assert disk.exceeded(2 * 10**9, 10**10).message.endswith("2.00 GB of disk: this server's disk is nearly full.")


@pytest.mark.docker
def test_no_process_outlives_its_build(enter: Enter, install: str):
    mark = f"survivor-{install}"
    inside = enter()
    inside.sh(
        f"cp /bin/sleep /tmp/{mark}; nohup /tmp/{mark} 600 >/dev/null 2>&1 & setsid /tmp/{mark} 600 &"
        f" (setsid sh -c '(/tmp/{mark} 600 &) &' &); sleep 0.2"
    )
    assert processes(mark) == 3
    inside.executor.close()
    deadline = time.monotonic() + 30
    while processes(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes(mark) == 0


def processes(name: str) -> int:
    """How many processes of this machine run the program of that name."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            count += name.encode() in path.read_bytes().split(b"\0")[0]
    return count


@pytest.mark.docker
def test_a_clock_that_jumps_changes_nothing_for_a_command(enter: Enter, monkeypatch):
    inside = enter(memory_bytes=64 * MIB)
    monkeypatch.setattr(containers.time, "time", lambda: 1.0)
    assert inside.sh("exit 3") == (3, "")
    monkeypatch.setattr(containers.time, "time", lambda: time.monotonic() + 10**9)
    assert inside.sh("exit 4") == (4, "")


# Ways out that have worked somewhere; each prints “out” where it works. None needs a program that an image lacks.
WAYS_OUT = (
    "test -S /var/run/docker.sock && echo out",
    "echo 1 > /proc/sys/kernel/panic && echo out",
    "echo '|/tmp/x' > /proc/sys/kernel/core_pattern && echo out",
    "echo b > /proc/sysrq-trigger && echo out",
    "head -c 1 /proc/kcore | grep -q . && echo out",
    "echo 1 > /sys/kernel/profiling && echo out",
    "for one in $(find /sys/fs/cgroup -name cgroup.procs -printf '%h '); do mkdir $one/x && echo out; done",
    "mknod /tmp/disk b 254 0 && echo out",
    "mknod /tmp/memory c 1 1 && echo out",
    "ls /dev | grep -E '^(vd|sd|nvme|mem|kmsg|port|loop)' && echo out",
    "mount -t tmpfs none /mnt && echo out",
    "mount -t proc none /mnt && echo out",
    "mount -t cgroup -o pids none /mnt && echo out",
    "mount -o remount,rw /sys && echo out",
    "unshare --mount true && echo out",
    "unshare --user --map-root-user true && echo out",
    "nsenter --target 1 --mount true && echo out",
    "chroot /proc/1/root ls /home/* && ls /proc/1/root/var/lib/docker && echo out",
    "hostname taken && echo out",
    "date -s 2001-01-01 && echo out",
    "dmesg && echo out",
    "swapoff -a && swapon /dev/zero && echo out",
    # socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) and (AF_PACKET, …), init_module, bpf, keyctl, reboot by their numbers.
    "perl -e 'socket(S, 2, 3, 1) and print \"out\"'",
    "perl -e 'socket(S, 17, 3, 768) and print \"out\"'",
    'perl -e \'syscall(175, "", 0, "") >= 0 and print "out"\'',
    'perl -e \'syscall(321, 5, "", 0) >= 0 and print "out"\'',
    "perl -e 'syscall(250, 0, -3, 0) >= 0 and print \"out\"'",
    "perl -e 'syscall(169, 0xfee1dead, 672274793, 0) >= 0 and print \"out\"'",
    # A process of the host: none is seen, and there is none to trace or to kill.
    "ls -d /proc/[0-9]* | wc -l | grep -qE '^[0-9]{3}' && echo out",
    "cp /bin/sh /tmp/root-shell; chmod 4755 /tmp/root-shell;"
    " su -s /bin/sh nobody -c '/tmp/root-shell -p -c \"id -u\"' | grep -qx 0 && echo out",
)


@pytest.mark.docker
def test_the_known_ways_out_of_a_container_are_closed(enter: Enter):
    inside = enter()
    script = "\n".join(f"( {way} ) 2>/dev/null | grep -q out && echo 'way {at}'" for at, way in enumerate(WAYS_OUT))
    found = [WAYS_OUT[int(line.split()[1])] for line in inside.sh(f"{script}\ntrue")[1].splitlines()]
    assert found == []


@pytest.mark.docker
def test_the_ways_out_are_real_ones(enter: Enter):
    """In privileged mode some of the same attempts work: what the test above sees closed can be seen open."""
    inside = enter(is_privileged=True)
    for way in ("mount -t tmpfs none /mnt && echo out", "mknod /tmp/memory c 1 1 && echo out"):
        assert way in WAYS_OUT and inside.sh(way)[1] == "out\n"
    assert "perl -e 'socket(S, 2, 3, 1) and print \"out\"'" in WAYS_OUT
    assert inside.sh("perl -e 'socket(S, 2, 3, 1) and print \"out\"'")[1] == "out"


@pytest.mark.docker
def test_links_in_a_container_lead_to_nothing_of_this_machine(enter: Enter, tmp_path: Path):
    (tmp_path / "secret.txt").write_text("of this machine")
    inside = enter()
    links = {DIRECTORY: "/", "/tmp/real/up": f"{'../' * 30}{tmp_path}", "/tmp/real/abs": tmp_path}
    links["/tmp/real/first"] = "/proc/1/root"
    made = " && ".join(f"ln -s {target} {link}" for link, target in links.items())
    assert inside.sh(f"cd / && rm -rf {DIRECTORY} && mkdir -p /tmp/real && {made}")[0] == 0
    for path in (
        f"{DIRECTORY}{tmp_path}/secret.txt",
        "/tmp/real/up/secret.txt",
        "/tmp/real/abs/secret.txt",
        f"/tmp/real/first{tmp_path}/secret.txt",
        f"/tmp/real/../../../../../../..{tmp_path}/secret.txt",
    ):
        with inside.executor.read(path) as pieces:
            assert pieces is None, path
    with inside.executor.read(f"{DIRECTORY}/tmp/real") as pieces:
        assert b"of this machine" not in b"".join(pieces)


@pytest.mark.docker
def test_privileged_mode_gives_what_the_host_has_and_says_so(enter: Enter):
    inside = enter(is_privileged=True)
    assert any(note.startswith("Running in privileged mode") for note in inside.notes)
    assert inside.sh("mount -t tmpfs none /mnt") == (0, "")
    assert inside.sh("cd /sys/fs/cgroup/pids || cd /sys/fs/cgroup; mkdir made-by-a-build") == (0, "")
    held = int(inside.sh("awk '/CapEff/ {print $2}' /proc/self/status")[1], 16)
    assert held.bit_count() == len(containers.bounding_set() & set(containers.ALL_CAPABILITIES))
    # An engine inside keeps its files on a volume, which goes with the build.
    (volume,) = volumes(inside)
    inside.executor.close()
    with contextlib.closing(engine.connect()) as client:
        assert volume not in [one.name for one in client.volumes.list()]


@pytest.mark.parametrize(
    ("bits", "missing"),
    [("000001ffffffffff", set()), ("000001fffeffffff", {"SYS_RESOURCE"}), ("0000000000000001", None)],
)
def test_the_capabilities_of_the_host_are_read_from_its_first_process(tmp_path: Path, bits, missing):
    (tmp_path / "status").write_text(f"Name:\tinit\nCapBnd:\t{bits}\n")
    held = containers.bounding_set(tmp_path / "status")
    assert held == ({"CHOWN"} if missing is None else set(containers.ALL_CAPABILITIES) - missing)
    assert containers.bounding_set(tmp_path / "missing") == set(containers.ALL_CAPABILITIES)
