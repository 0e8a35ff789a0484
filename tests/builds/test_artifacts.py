"""Which files become artifacts, and what a hostile container can't do with them."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from builds import collecting, tarstream
from builds.artifacts import naming, packing
from builds.buildspec import Artifacts
from builds.caches import archive as cache_archive
from builds.caches import of_build
from builds.collecting import Limits
from builds.runner.docker import DockerExecutor
from builds.runner.executor import PhaseError, Spec, Start
from tests.executors import FakeExecutor

BASE = "/codebuild/output/src/demo"
LIMITS = Limits(max_files=1000, max_bytes=10**8)
FILES = {
    "a.jar": b"jar",
    "d/one.txt": b"1",
    "d/deep/two.txt": b"22",
    "d/deep/x.txt": b"x",
    ".hidden": b"h",
    "my-build-1/my-file-1.txt": b"1",
    "my-build-2/my-file-2.txt": b"2",
    "my-build-2/my-subdirectory/my-file-3.txt": b"3",
}


def executor_of(files: dict[str, bytes]) -> FakeExecutor:
    return FakeExecutor(files={f"{BASE}/{path}": data for path, data in files.items()})


class Hostile(FakeExecutor):
    """Answers every read with the members it was given."""

    def __init__(self, members: Iterable[tarfile.TarInfo | tuple[str, bytes]]) -> None:
        super().__init__()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for member in members:
                if isinstance(member, tuple):
                    info = tarfile.TarInfo(member[0])
                    info.size = len(member[1])
                    archive.addfile(info, io.BytesIO(member[1]))
                else:
                    archive.addfile(member)
        self.packed = packed.getvalue()

    @contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes] | None]:
        yield iter([self.packed])


def packed(
    executor: FakeExecutor, *files: str, limits: Limits = LIMITS, **options
) -> tuple[zipfile.ZipFile, packing.Packed, list[str]]:
    target = io.BytesIO()
    notes: list[str] = []
    result = packing.pack(executor, Artifacts(files, **options), BASE, target, limits, notes.append)
    return zipfile.ZipFile(target), result, notes


def names(*files: str, **options) -> list[str]:
    return sorted(packed(executor_of(FILES), *files, **options)[0].namelist())


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.jar", ["a.jar"]),
        ("./a.jar", ["a.jar"]),
        ("d/one.txt", ["d/one.txt"]),
        ("d/*", ["d/one.txt"]),
        ("d/**/*", ["d/deep/two.txt", "d/deep/x.txt", "d/one.txt"]),
        ("*/one.txt", ["d/one.txt"]),
        ("**/x.txt", ["d/deep/x.txt"]),
        ("d/deep/?.txt", ["d/deep/x.txt"]),
        ("**/*", sorted(FILES)),
    ],
)
def test_patterns_match_as_the_reference_says(pattern: str, found: list[str]):
    assert names(pattern) == found


def test_the_reference_s_examples_of_base_directories():
    assert names("*/my-file-3.txt", base_directory="my-build-2") == ["my-subdirectory/my-file-3.txt"]
    assert names("**/*", base_directory="my-build*", discard_paths=True) == [
        "my-file-1.txt",
        "my-file-2.txt",
        "my-file-3.txt",
    ]


def test_excluded_paths_stay_out():
    found = names("**/*", exclude_paths=("**/.*", "my-build-*/**/*", "d/deep/*"))
    assert found == ["a.jar", "d/one.txt"]


def test_a_pattern_without_match_is_told_and_no_match_at_all_fails():
    _, _, notes = packed(executor_of(FILES), "a.jar", "nothing/*")
    assert "Skipping invalid file path nothing/*" in notes and "Found 1 file(s)" in notes
    with pytest.raises(PhaseError, match="^CLIENT_ERROR: no matching artifact paths found$"):
        packed(executor_of(FILES), "nothing/*")
    with pytest.raises(PhaseError, match="no matching base directory path found for target"):
        packed(executor_of(FILES), "**/*", base_directory="target")
    with pytest.raises(PhaseError, match="no matching base directory path found for tar\\*"):
        packed(executor_of(FILES), "**/*", base_directory="tar*")


def test_the_zip_is_the_same_for_the_same_files_and_its_checksums_are_right():
    target = io.BytesIO()
    first = packing.pack(executor_of(FILES), Artifacts(("**/*",)), BASE, target, LIMITS, lambda note: None)
    data = target.getvalue()
    assert packed(executor_of(FILES), "**/*")[1] == first
    assert (first.size_bytes, first.md5) == (len(data), hashlib.md5(data).hexdigest())
    assert first.sha256 == hashlib.sha256(data).hexdigest()
    assert zipfile.ZipFile(target).testzip() is None


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../evil", "a\\b", "C:/x", "a\nb", "/".join("d" * 100), "x" * 2000]
)
def test_a_name_that_could_leave_a_folder_is_no_path(name: str):
    assert collecting.clean_path(name) is None


def test_names_that_point_outside_are_passed_over():
    hostile = Hostile([("demo/../../../../etc/passwd", b"root"), ("/etc/shadow", b"x"), ("demo/ok.txt", b"ok")])
    assert packed(hostile, "**/*")[0].namelist() == ["ok.txt"]


def special(name: str, kind: bytes, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


def test_devices_links_and_setuid_bits_do_not_come_along():
    setuid = special("demo/setuid", tarfile.REGTYPE, mode=0o6755)
    hostile = Hostile(
        [
            special("demo/device", tarfile.CHRTYPE),
            special("demo/fifo", tarfile.FIFOTYPE),
            special("demo/link", tarfile.SYMTYPE, "/etc/passwd"),
            setuid,
        ]
    )
    archive, _, _ = packed(hostile, "**/*")
    assert archive.namelist() == ["setuid"]
    assert archive.infolist()[0].external_attr >> 16 == 0o100755


def test_with_symlinks_enabled_only_those_that_stay_inside_are_kept():
    hostile = Hostile(
        [
            special("demo/in", tarfile.SYMTYPE, "d/one.txt"),
            special("demo/d/up", tarfile.SYMTYPE, "../in"),
            special("demo/out", tarfile.SYMTYPE, "../../secret"),
            special("demo/absolute", tarfile.SYMTYPE, "/etc/passwd"),
        ]
    )
    archive, _, _ = packed(hostile, "**/*", enable_symlinks=True)
    assert archive.namelist() == ["in", "d/up"]
    assert archive.read("in") == b"d/one.txt"
    assert archive.infolist()[0].external_attr >> 28 == 0o12


def test_no_link_leads_out_by_way_of_another_and_nothing_lies_behind_a_link():
    hostile = Hostile(
        [
            special("demo/x1/d/here", tarfile.SYMTYPE, ".."),
            special("demo/x1/out", tarfile.SYMTYPE, "d/here/.."),
            special("demo/x1/link", tarfile.SYMTYPE, "d"),
            ("demo/x2/link/evil", b"e"),
            ("demo/x2/d", b"a file where a folder is"),
        ]
    )
    archive, _, notes = packed(hostile, "**/*", enable_symlinks=True, base_directory="x*")
    assert archive.namelist() == ["d/here", "link"]
    assert any("link/evil" in note for note in notes)


def test_too_many_files_and_too_many_bytes_are_refused():
    with pytest.raises(PhaseError, match="more than 3 files"):
        packed(executor_of(FILES), "**/*", limits=Limits(3, 100))
    with pytest.raises(PhaseError, match="the artifact is larger"):
        packed(executor_of(FILES), "**/*", limits=Limits(100, 5))


def test_a_broken_or_boastful_tar_is_refused():
    def read(data: bytes) -> list[str]:
        return [member.name for member, _ in tarstream.read(iter([data]))]

    whole = Hostile([("demo/a", b"x" * 1000)]).packed
    assert read(whole) == ["demo/a"]
    with pytest.raises(tarstream.TarError, match="middle of a file"):
        read(whole[:800])
    with pytest.raises(tarstream.TarError):
        read(b"\xff" * 1024)
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 2**30
    with pytest.raises(tarstream.TarError, match="too large"):
        read(header.tobuf(tarfile.USTAR_FORMAT))


def test_long_and_odd_names_survive_every_tar_format():
    name = "demo/" + "long-" * 40 + "/ä€.txt"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        packed_tar = io.BytesIO()
        with tarfile.open(fileobj=packed_tar, mode="w", format=form) as archive:
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
        pieces = iter([packed_tar.getvalue()[at : at + 7] for at in range(0, len(packed_tar.getvalue()), 7)])
        found = [(member.name, b"".join(content)) for member, content in tarstream.read(pieces)]
        assert found == [(name, b"abc")]


@pytest.mark.docker
def test_files_and_caches_go_in_and_out_of_a_real_container(base_image, install, leftovers):
    executor, second = DockerExecutor(install), DockerExecutor(install)
    notes: list[str] = []
    commands = (
        "mkdir -p out/deep /root/.m2/repo && echo one >out/one.txt && ln out/one.txt out/deep/hard.txt",
        "ln -s /etc/passwd out/link && ln -s one.txt out/soft && ln -s /etc out/etc && ln -s out current",
        "mkfifo out/fifo && printf '#!/bin/sh' >out/run && chmod 4755 out/run",
        "echo jar >/root/.m2/repo/a.jar && ln -s a.jar /root/.m2/repo/b.jar && ln /root/.m2/repo/a.jar /root/.m2/c.jar",
        "cd /root/.m2/repo && chown 33:33 a.jar && chmod 640 a.jar && touch -d @1000000001 a.jar",
        f"cd {BASE}",
    )
    try:
        executor.provision(Spec("artifacts:1", base_image, 2**30, 1), notes.append)
        executor.put(of_build.hash_files_program())
        executor.start(Start({}, BASE))
        for command in commands:
            assert executor.run(command, lambda data: None) == 0, command
        hashes: list[bytes] = []
        for globs in ("out/one.txt", "'out/**/*.txt'", "out/*.txt 'out/deep/**/hard.txt'", "missing"):
            executor.run(f"codebuild-hash-files {globs}", hashes.append)
        archive, result, _ = packed(executor, "**/*", base_directory="out")
        single, _, told = packed(executor, "out/one.txt", "missing.txt", "out/etc/hostname", "current/run")
        with tempfile.TemporaryFile() as file:
            kept = cache_archive.pack(executor, ["/root/.m2", "out/*"], BASE, file, LIMITS, notes.append)
            assert cache_archive.digest(file) == kept.sha256
            second.provision(Spec("artifacts:2", base_image, 2**30, 1), notes.append)
            second.start(Start({}, BASE))
            second.put(cache_archive.unpacked(file))
        lines: list[bytes] = []
        second.run("stat -c '%n %a %u %Y %h' /root/.m2/repo/a.jar; cat /root/.m2/repo/b.jar out/one.txt", lines.append)
    finally:
        executor.close()
        second.close()
    assert sorted(archive.namelist()) == ["deep/hard.txt", "one.txt", "run", "soft"]
    assert archive.read("deep/hard.txt") == archive.read("one.txt") == archive.read("soft") == b"one\n"
    assert {entry.path for entry in result.entries if entry.mode & 0o111} == {"run"}
    assert single.namelist() == ["current/run", "out/one.txt"]
    assert "Skipping invalid file path out/etc/hostname" in told
    assert b"".join(lines).decode() == "/root/.m2/repo/a.jar 640 33 1000000001 2\njar\none\n"
    first, *others, none = b"".join(hashes).decode().splitlines()
    assert re.fullmatch("[0-9a-f]{64}", first) and len({first, *others}) == 2 and others[0] == others[1]
    assert none == "codebuild-hash-files: no file matches missing"


@pytest.mark.parametrize(
    ("config", "prefix", "key"),
    [
        ({"path": "out", "namespaceType": "BUILD_ID", "name": "app.zip"}, "", "out/ID/app.zip"),
        ({"path": "out", "namespaceType": "NONE", "name": "app.zip"}, "", "out/app.zip"),
        ({"path": "out", "name": "app.zip"}, "", "out/app.zip"),
        ({"namespaceType": "BUILD_ID", "name": "app.zip"}, "", "ID/app.zip"),
        ({"path": "/a//b/", "namespaceType": "BUILD_ID", "name": "/"}, "", "a/b/ID"),
        ({"name": "/"}, "", ""),
        ({}, "", "demo"),
        ({"namespaceType": "BUILD_ID", "path": "out"}, "elsewhere", "elsewhere/ID/demo"),
        ({"path": "out"}, "elsewhere", "out/demo"),
        ({"path": "out", "name": "../../x"}, "", "out/x"),
    ],
)
def test_the_key_of_an_artifact_is_path_build_id_and_name(config: dict[str, str], prefix: str, key: str):
    name = naming.clean_name(naming.default_name(config, "demo"))
    assert naming.object_key(config, "ID", name, s3_prefix=prefix) == key
