"""Zip archives as sources: what honest programs make comes out as it is, and what others make is refused whole."""

from __future__ import annotations

import io
import stat
import struct
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from builds.sources import archive, members
from builds.sources.archive import ArchiveError

DIRECTORY = "/codebuild/output/src"
MIB = 1024**2


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, content in entries:
            made.writestr(name, content)
    return file


def entry(name: str, mode: int = 0, *, system: int = 3) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (2024, 2, 29, 13, 14, 16))
    info.create_system, info.external_attr, info.compress_type = system, mode << 16, zipfile.ZIP_DEFLATED
    return info


def unpacked(file: io.BytesIO, root: Path, max_bytes: int = MIB) -> Path:
    content = b"".join(archive.read(file, max_bytes=max_bytes).tar(DIRECTORY))
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as made:
        made.extractall(root)
    return root / DIRECTORY.lstrip("/")


def refusal(file: io.BytesIO, max_bytes: int = MIB) -> str:
    with pytest.raises(ArchiveError) as caught:
        for _ in archive.read(file, max_bytes=max_bytes).tar(DIRECTORY):
            pass
    return str(caught.value)


def test_files_folders_modes_links_and_dates_are_as_they_were_packed(tmp_path):
    file = zipped(
        (entry("bin/", stat.S_IFDIR | 0o750), b""),
        (entry("bin/run", stat.S_IFREG | 0o755), b"#!/bin/sh\n"),
        (entry("plain.txt", stat.S_IFREG | 0o4644), b"text\n" * 100_000),
        (entry("link", stat.S_IFLNK | 0o777), b"bin/../plain.txt"),
        (entry("ä/€.txt"), b"umlaut"),
        ("./no/mode", b""),
    )
    root = unpacked(file, tmp_path)
    assert (root / "bin/run").stat().st_mode & 0o7777 == 0o755
    assert (root / "bin").stat().st_mode & 0o777 == 0o750
    assert (root / "plain.txt").stat().st_mode & 0o7777 == 0o644
    assert (root / "plain.txt").read_bytes() == b"text\n" * 100_000
    assert (root / "link").readlink() == Path("bin/../plain.txt")
    assert (root / "ä/€.txt").read_text() == "umlaut"
    assert (root / "no/mode").read_bytes() == b""
    assert (root / "bin/run").stat().st_mtime == 1709212456


def test_a_file_is_read_by_its_path_alone():
    opened = archive.read(zipped(("a/b.txt", b"text"), ("big", b"x" * 11)), max_bytes=MIB)
    assert opened.read("a/b.txt", 10) == b"text"
    assert opened.read("a", 10) is None and opened.read("b.txt", 10) is None
    with pytest.raises(archive.FileTooLarge):
        opened.read("big", 10)


def test_what_git_packs_is_read(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/ö.txt").write_text("text")
    file = tmp_path / "made.zip"
    command = f"git init -q . && git add . && git archive --format=zip -o '{file}' $(git write-tree)"
    subprocess.run(["sh", "-c", command], cwd=tmp_path / "in", check=True, capture_output=True)
    root = unpacked(io.BytesIO(file.read_bytes()), tmp_path / "out")
    assert (root / "ö.txt").read_text() == "text"


def test_an_empty_archive_and_one_behind_other_bytes_are_archives(tmp_path):
    assert unpacked(io.BytesIO(b"PK\5\6" + bytes(18)), tmp_path) == tmp_path / DIRECTORY.lstrip("/")
    file = io.BytesIO(b"#!/bin/sh\nexit\n" + zipped(("a", b"1")).getvalue())
    assert (unpacked(file, tmp_path) / "a").read_bytes() == b"1"


def test_the_format_for_large_archives_is_read(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for number in range(65_536):
            made.writestr(zipfile.ZipInfo(f"{number}"), b"")
        with made.open(zipfile.ZipInfo("large"), "w", force_zip64=True) as member:
            member.write(b"content")
    opened = archive.read(file, max_bytes=MIB)
    assert len(opened.entries) == 65_537
    assert opened.read("large", 100) == b"content"


def test_sizes_and_offsets_beyond_four_gigabytes_come_from_the_wide_fields():
    file = zipped(("a", b"content"))
    directory = bytearray(file.getvalue())
    place = directory.index(b"PK\1\2")
    size, packed = (
        struct.unpack_from("<L", directory, place + 24)[0],
        struct.unpack_from("<L", directory, place + 20)[0],
    )
    wide = struct.pack("<HHQQQ", 1, 24, size, packed, 0)
    header = bytearray(directory[place : place + 46 + 1])
    struct.pack_into("<LL", header, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", header, 30, len(wide))
    struct.pack_into("<L", header, 42, 0xFFFFFFFF)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(header) + len(wide), place, 0)
    opened = archive.read(io.BytesIO(directory[:place] + header + wide + end), max_bytes=MIB)
    assert opened.read("a", 100) == b"content"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../evil", "leads out of the source"),
        ("a/../../evil", "leads out of the source"),
        ("/etc/passwd", "is an absolute path"),
        ("x" * 256, "longer than a path may be"),
        ("x/" * 2100 + "y", "longer than a path may be"),
    ],
    ids=["up", "up-later", "absolute", "long-name", "long-path"],
)
def test_a_name_that_leads_elsewhere_refuses_the_whole_archive(name: str, sentence: str):
    assert sentence in refusal(zipped(("good", b"1"), (entry(name), b"2")))


def test_a_name_with_the_separator_of_windows_is_judged_by_what_it_means(tmp_path):
    assert (unpacked(zipped((entry("src\\main.c", system=0), b"1")), tmp_path) / "src/main.c").exists()
    assert "leads out of the source" in refusal(zipped((entry("..\\evil", system=0), b"1")))


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (b"/etc/passwd", "a link that leads out of the source, to “/etc/passwd”"),
        (b"../../x", "a link that leads out of the source"),
        (b"", "a link that leads out of the source"),
        (b"a\0b", "a link that leads out of the source"),
        (b"\xff\xfe", "is no UTF-8"),
        (b"a/" * 3000, "longer than a path may be"),
    ],
    ids=["absolute", "up", "empty", "nul", "bytes", "long"],
)
def test_a_link_out_of_the_source_is_refused(target: bytes, sentence: str):
    assert sentence in refusal(zipped((entry("folder/link", stat.S_IFLNK | 0o777), target)))


def test_nothing_is_written_through_a_link_or_below_a_file():
    through = zipped((entry("link", stat.S_IFLNK | 0o777), b"folder"), ("link/x", b"1"))
    assert "“link/x” lies below “link”, which is no folder" in refusal(through)
    assert "lies below “a”, which is no folder" in refusal(zipped(("a/b/c", b"1"), ("a", b"2")))


@pytest.mark.parametrize("names", [("a", "a.b", "a-b/c", "a b", "a/b"), ("d/a", "d/a!", "d/a!/b")])
def test_a_file_below_another_is_found_whatever_stands_between_them(names: tuple[str, ...]):
    assert "which is no folder" in refusal(zipped(*((name, b"1") for name in names)))


def test_deep_folders_are_no_work():
    deep = "/".join("a" * 2000)
    members.check_places((f"{number}/{deep}", members.FILE) for number in range(16_000))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused_however_they_are_spelt():
    assert "“a” is there twice" in refusal(zipped(("a", b"1"), ("a", b"2")))
    assert "“a/b” is there twice" in refusal(zipped(("a/b", b"1"), ("a/.//b", b"2")))


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_devices_and_pipes_are_refused(kind: int):
    assert "neither a file nor a folder nor a symbolic link" in refusal(zipped((entry("odd", kind | 0o644), b"")))


def test_encrypted_entries_and_other_compressions_are_told_by_name():
    file = bytearray(zipped(("secret.txt", b"1")).getvalue())
    file[file.index(b"PK\1\2") + 8] |= 1
    assert refusal(io.BytesIO(file)) == "“secret.txt” is encrypted"
    packed = zipped(("a", b"1"), compression=zipfile.ZIP_LZMA)
    assert refusal(packed) == "“a” is compressed by method 14: only deflate (8) is known here"


def test_a_bomb_is_refused_by_what_it_declares_and_stopped_at_what_it_declares():
    bomb = zipped(("zeros", bytes(2 * MIB)))
    assert "its files come to 2,097,152 bytes, and a source may have 1,048,576" in refusal(bomb)
    file = bytearray(bomb.getvalue())
    struct.pack_into("<L", file, file.index(b"PK\1\2") + 24, 10)
    produced = 0
    with pytest.raises(ArchiveError, match="“zeros” holds more than it says"):
        for piece in archive.read(io.BytesIO(file), max_bytes=MIB).tar(DIRECTORY):
            produced += len(piece)
    assert produced <= 512


def test_entries_that_share_bytes_are_refused():
    file = bytearray(zipped(("a", b"1" * 100), ("b", b"2" * 100)).getvalue())
    second = file.rindex(b"PK\1\2")
    struct.pack_into("<L", file, second + 42, 0)  # both begin at the first one's header
    assert "overlaps with what follows it" in refusal(io.BytesIO(file))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda file, place: struct.pack_into("<L", file, place + 16, 1), "its checksum is another one"),
        (lambda file, place: struct.pack_into("<L", file, place + 24, 999), "holds less than it says"),
        (lambda file, place: struct.pack_into("<L", file, place + 42, 3), "does not begin where the archive says"),
        (lambda file, place: struct.pack_into("<L", file, place + 20, 10**6), "overlaps with what follows it"),
        (lambda file, place: file.__setitem__(31, 0xFF), "can't be inflated"),
        (lambda file, place: struct.pack_into("<H", file, place + 28, 60_000), "no whole zip archive"),
    ],
    ids=["checksum", "size", "offset", "packed", "content", "name-length"],
)
def test_what_is_damaged_is_told(change, sentence: str):
    file = bytearray(zipped(("a", bytes(range(256)))).getvalue())
    change(file, file.index(b"PK\1\2"))
    assert sentence in refusal(io.BytesIO(file))


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"<html>not found</html>" * 10_000, b"PK\5\6" + b"\xff" * 18],
    ids=["nothing", "letters", "page", "full"],
)
def test_what_is_no_archive_is_told(content: bytes):
    assert refusal(io.BytesIO(content)) == "it is no whole zip archive"


def test_every_cut_of_an_archive_is_refused_with_a_sentence():
    whole = zipped(("a", b"1" * 50), ("b/c", b"2" * 50)).getvalue()
    for length in range(len(whole)):
        assert refusal(io.BytesIO(whole[:length]))


def test_more_entries_than_a_server_can_hold_are_refused(monkeypatch):
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    assert refusal(zipped(*((str(number), b"") for number in range(3)))) == "it has more than 2 entries"
    monkeypatch.setattr(archive, "MAX_DIRECTORY_BYTES", 60)
    assert refusal(zipped(("a", b""), ("b", b""))) == "its directory is larger than 60 bytes"
