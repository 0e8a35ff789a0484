"""What a container's tar can do to whoever reads it: nothing, in little memory."""

from __future__ import annotations

import io
import posixpath
import tarfile
import tempfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from builds import collecting, tarstream
from builds.artifacts import packing
from builds.buildspec import Artifacts
from builds.collecting import Limits
from builds.runner.executor import PhaseError
from tests.executors import FakeExecutor

BASE = "/codebuild/output/src/demo"
LIMITS = Limits(max_files=1000, max_bytes=10**8)
FILE, LINK, HARD, FOLDER = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


def header(name: str | bytes, kind: bytes = FILE, target: str = "", *, size: int = 0, mode: int = 0o644) -> bytes:
    """One ustar header, with whatever is asked for."""
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    info = tarfile.TarInfo("x")
    info.type, info.linkname, info.mode = kind, target, mode
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT)[:512])
    block[0:100] = raw.ljust(100, b"\0")
    block[124:136] = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")
    return signed(bytes(block))


def signed(block: bytes) -> bytes:
    blank = block[:148] + b" " * 8 + block[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def entry(name: str | bytes, content: bytes = b"", kind: bytes = FILE, target: str = "", mode: int = 0o644) -> bytes:
    return header(name, kind, target, size=len(content), mode=mode) + content + b"\0" * (-len(content) % 512)


def pax(**records: str) -> bytes:
    """A pax header with these records."""
    body = b""
    for key, value in records.items():
        line = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        length = len(line) + 1
        while len(str(length)) + len(line) != length:
            length = len(str(length)) + len(line)
        body += str(length).encode() + line
    return header("pax", tarfile.XHDTYPE, size=len(body)) + body + b"\0" * (-len(body) % 512)


class Container(FakeExecutor):
    """Has these entries below the workspace, answered path by path as the engine does."""

    def __init__(self, *entries: tuple[str, bytes, str | bytes], raw: bytes | None = None) -> None:
        super().__init__()
        self.entries = {posixpath.join(BASE, name): (kind, content) for name, kind, content in entries}
        self.raw = raw
        self.reads: list[str] = []

    @contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes] | None]:
        self.reads.append(path)
        path.encode()  # the engine is asked by URL
        if self.raw is not None:
            yield iter([self.raw])
            return
        real = self.resolved(path)
        parent = posixpath.dirname(path)
        pieces = [
            self.packed(posixpath.relpath(path + name[len(real) :], parent), kind, content)
            for name, (kind, content) in self.entries.items()
            if name == real or name.startswith(f"{real}/")
        ]
        is_folder = any(name.startswith(f"{real}/") for name in self.entries)
        if is_folder and real not in self.entries:
            pieces.insert(0, header(posixpath.basename(path), FOLDER))
        yield iter(pieces) if pieces else None

    def packed(self, name: str, kind: bytes, content: str | bytes) -> bytes:
        return entry(name, content) if isinstance(content, bytes) else entry(name, b"", kind, content)

    def resolved(self, path: str) -> str:
        """The engine follows links in all names but the last."""
        parent, name = posixpath.split(path)
        if parent in ("/", BASE):
            return path
        real = self.resolved(parent)
        kind, target = self.entries.get(real, (FILE, b""))
        if kind == LINK:
            real = self.resolved(posixpath.normpath(posixpath.join(posixpath.dirname(real), str(target))))
        return posixpath.join(real, name)


def collected(executor: FakeExecutor, *patterns: str, limits: Limits = LIMITS, **options) -> tuple[dict, list[str]]:
    """The files of the ZIP with their contents, and what the log was told."""
    target, notes = io.BytesIO(), []
    packing.pack(executor, Artifacts(patterns, **options), BASE, target, limits, notes.append)
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        return {one.filename: archive.read(one) for one in archive.infolist()}, notes


def files_of(raw: bytes, *patterns: str, **options) -> tuple[dict, list[str]]:
    return collected(Container(raw=raw), *(patterns or ("**/*",)), **options)


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "is_told"),
    [
        (b"demo/../../../../etc/cron.d/evil", False),
        (b"/etc/shadow", False),
        (b"demo/new\nline", True),
        (b"demo/bad\xff\xfeutf8", True),
        (b"demo/back\\slash", True),
        (b"demo/C:/drive", False),
        (b"demo/del\x7f", True),
    ],
    ids=["dots", "absolute", "newline", "no-utf-8", "backslash", "drive", "delete"],
)
def test_a_name_that_no_zip_should_have_is_passed_over_and_told(name: bytes, is_told: bool):
    found, notes = files_of(entry(name, b"evil") + entry("demo/ok.txt", b"ok"))
    assert {path for path in found if path != "C:/drive"} - {"C:/drive"} == {"ok.txt"} and "C:/drive" not in found
    assert any("Skipping" in note for note in notes) or not is_told
    assert not any("\n" in note for note in notes)


def test_a_log_is_not_flooded_by_what_is_passed_over():
    raw = b"".join(entry(b"demo/\x01%d" % number) for number in range(500)) + entry("demo/ok", b"ok")
    _, notes = files_of(raw)
    assert sum("Skipping" in note for note in notes) == collecting.MAX_TOLD
    assert "480 more files were passed over" in notes


def test_two_files_of_one_name_are_told_where_paths_are_discarded():
    found, notes = files_of(entry("demo/a/x.txt", b"1") + entry("demo/b/x.txt", b"2"), discard_paths=True)
    assert found == {"x.txt": b"1"}
    assert "Skipping 'b/x.txt': another file called x.txt is there already, and discard-paths is on" in notes


# ---- links -----------------------------------------------------------------------------------------------------------


def test_a_link_inside_is_the_file_it_leads_to_and_one_that_leads_out_is_never_followed():
    container = Container(
        ("lib/real.so", FILE, b"so"),
        ("lib.so", LINK, "lib/real.so"),
        ("twice", LINK, "lib.so"),
        ("out", LINK, "/etc/passwd"),
        ("up", LINK, "../../../../etc/passwd"),
        ("loop", LINK, "loop"),
        ("nowhere", LINK, "gone"),
        ("folder", LINK, "lib"),
        ("/etc/passwd", FILE, b"root"),
    )
    found, notes = collected(container, "**/*")
    assert found == {"lib/real.so": b"so", "lib.so": b"so", "twice": b"so"}
    for name in ("out", "up", "loop", "nowhere"):
        assert f"Skipping '{name}': it is a link that leads nowhere or out of the workspace" in notes
    assert not any(path.startswith("/etc") and path.endswith("passwd") for path in container.reads)


@pytest.mark.parametrize("keeps_links", [True, False])
def test_links_to_names_that_are_no_utf_8_are_passed_over_and_told(keeps_links: bool):
    name = b"\xff".decode("utf-8", "surrogateescape")
    container = Container(
        ("ok.txt", FILE, b"ok"), ("link", LINK, name), (f"{name}/second", HARD, "first"), ("third", LINK, f"{name}/x")
    )
    found, notes = collected(container, "**/*", enable_symlinks=keeps_links)
    assert found == {"ok.txt": b"ok"}
    assert [note.partition(":")[0] for note in notes if "is a link" in note] == ["Skipping 'link'", "Skipping 'third'"]


def test_no_pattern_goes_through_a_parent_that_leads_out():
    container = Container(("out", LINK, "/etc"), ("/etc/passwd", FILE, b"root"), ("ok", FILE, b"ok"))
    found, notes = collected(container, "out/*", "out/passwd", "ok")
    assert found == {"ok": b"ok"}
    assert "Skipping invalid file path out/passwd" in notes
    with pytest.raises(PhaseError, match="no matching base directory path found for out"):
        collected(container, "**/*", base_directory="out")


def test_a_base_directory_may_be_a_link_inside_and_keeps_its_name():
    container = Container(("v2/app.jar", FILE, b"jar"), ("current", LINK, "v2"))
    assert collected(container, "*", base_directory="current")[0] == {"app.jar": b"jar"}
    assert collected(container, "current/*")[0] == {"current/app.jar": b"jar"}


@pytest.mark.parametrize("base", ["../other", "../../../etc", "gone"])
def test_a_base_directory_outside_the_workspace_matches_nothing(base: str):
    with pytest.raises(PhaseError, match=f"^CLIENT_ERROR: no matching base directory path found for {base}$"):
        collected(Container(("ok", FILE, b"ok"), ("../other/x", FILE, b"x")), "**/*", base_directory=base)


def test_hard_links_are_files_with_the_same_content_wherever_the_first_name_lies():
    raw = entry("demo/a", b"same") + entry("demo/b", b"", HARD, "demo/a") + entry("demo/c", b"", HARD, "demo/a")
    assert files_of(raw)[0] == {"a": b"same", "b": b"same", "c": b"same"}


@pytest.mark.parametrize("size_bytes", [packing.AGAIN_BYTES, packing.AGAIN_BYTES + 1])
def test_what_is_put_in_again_takes_no_room_on_the_host(size_bytes: int, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    content = bytes(size_bytes)
    found, _ = collected(Container(("real", FILE, content), ("link", LINK, "real")), "**/*")
    assert found == {"real": content, "link": content}


def test_credentials_of_the_role_never_get_into_an_artifact():
    raw = entry("readonly/aws-credentials", b"key") + entry("readonly/x", b"", HARD, "readonly/aws-credentials")
    with pytest.raises(PhaseError, match="no matching artifact paths found"):
        files_of(raw, base_directory="/codebuild/readonly")


def test_modes_are_kept_without_setuid():
    target = io.BytesIO()
    raw = entry("demo/run", b"#!", mode=0o6750)
    packing.pack(Container(raw=raw), Artifacts(("*",)), BASE, target, LIMITS, lambda note: None)
    assert zipfile.ZipFile(target).getinfo("run").external_attr >> 16 == 0o100750


# ---- the tar itself --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (header("demo/x", size=10**6), "middle of a file"),
        (header("demo/x", size=2**80), "a number that can't be"),
        (pax(size="9" * 5000) + entry("demo/x", b"x"), "no number where one must be"),
        (pax(size="-1") + entry("demo/x", b"x"), "no number where one must be"),
        (pax(size="²") + entry("demo/x", b"x"), "no number where one must be"),
        (header("x", tarfile.XHDTYPE, size=2**40), "too large or too many"),
        (pax(path="a") * 9 + entry("demo/x", b"x"), "too large or too many"),
        (entry("pax", b"99999 path=x\n", tarfile.XHDTYPE) + entry("demo/x"), "A pax header is broken"),
        (entry("pax", b"0 path=x\n", tarfile.XHDTYPE) + entry("demo/x"), "A pax header is broken"),
        (entry("demo/sparse", b"x" * 512, tarfile.GNUTYPE_SPARSE), "sparse"),
        (pax(**{"GNU.sparse.major": "1"}) + entry("demo/x", b"x"), "sparse"),
        (b"\x7f" * 512, "no number where one must be"),
        (b"x" + header("demo/x")[1:], "checksum is wrong"),
        (signed(header("demo/x")[:124] + b"-0000000001\0" + header("demo/x")[136:]), "no number where one must be"),
        (signed(header("demo/x")[:124] + b"1_0\0" + header("demo/x")[128:]), "no number where one must be"),
    ],
    ids=[
        "short", "huge", "digits", "negative-pax", "superscript", "bomb", "many-headers", "pax-length", "pax-zero",
        "sparse", "pax-sparse", "noise", "checksum", "negative", "underscore",
    ],
)  # fmt: skip
def test_a_tar_that_lies_is_refused_in_words(raw: bytes, why: str):
    with pytest.raises(PhaseError, match=f"^CLIENT_ERROR: the files of {BASE} can't be read: .*{why}"):
        files_of(raw)


def test_a_size_of_the_pax_header_counts_and_not_the_one_below():
    lying = header("demo/x", size=0).join([pax(size="3"), b"abc" + b"\0" * 509])
    assert files_of(lying + entry("demo/y", b"y"))[0] == {"x": b"abc", "y": b"y"}


def test_millions_of_entries_and_long_names_cost_no_memory():
    one = entry("demo/d/" + "n" * 90, b"x")

    def many(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield one * 50

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            assert sum(1 for _ in tarstream.read(many(count))) == count * 50
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(200) < peak(20) + 100_000


def test_the_limits_end_it_before_anything_large_is_read():
    with pytest.raises(PhaseError, match="larger than 100,000,000 bytes"):
        files_of(header("demo/x", size=2**62))
    links = b"".join(entry(f"demo/{number}", b"", HARD, "elsewhere") for number in range(20))
    with pytest.raises(PhaseError, match="more than 10 files"):
        files_of(links, limits=Limits(10, 1000))
