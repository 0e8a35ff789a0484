"""A file's text, its encoding, and what is no text."""

from __future__ import annotations

import pytest

from codeservices.errors import NotFound
from repos.git import blob, objects, tree


def read(made, data, **options):
    return blob.read(made.repository, made.commit({"file": data}), "file", **options)


def test_utf_8_text_is_read_in_lines_without_their_ends(made):
    found = read(made, "één\r\ntwo\n\nlast")
    assert (found.encoding, found.size_bytes, found.is_binary) == ("utf-8", 16, False)
    assert found.lines == ["één", "two", "", "last"]


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        (b"\xff\xfe" + "né\n".encode("utf-16-le"), "utf-16-le", "né\n"),
        (b"\xfe\xff" + "né\n".encode("utf-16-be"), "utf-16-be", "né\n"),
        (b"\xef\xbb\xbfn\xc3\xa9\n", "utf-8-sig", "né\n"),
        (b"n\xe9\n", "latin-1", "né\n"),
        (b"", "utf-8", ""),
    ],
)
def test_encodings_are_told_apart_and_byte_order_marks_dropped(made, data, encoding, text):
    found = read(made, data)
    assert (found.encoding, found.text) == (encoding, text)


def test_a_nul_makes_a_file_binary(made):
    found = read(made, b"\x7fELF\0\x01")
    assert (found.is_binary, found.text, found.lines, found.encoding) == (True, None, [], "")


def test_a_large_file_is_cut_behind_its_last_whole_line(made):
    found = read(made, "0123456789\n" * 1000, max_bytes=105)
    assert found.is_truncated
    assert found.size_bytes == 11_000
    assert found.lines == ["0123456789"] * 9


def test_a_large_file_of_one_line_is_cut_inside_a_character_without_losing_its_encoding(made):
    found = read(made, "é" * 1000, max_bytes=101)
    assert (found.encoding, found.is_truncated) == ("utf-8", True)
    assert found.text.startswith("é" * 50)


def test_a_stream_gives_every_byte(made):
    data = bytes(range(256)) * 4000
    oid = made.blob(data)
    assert b"".join(blob.stream(made.repository, oid)) == data


def test_an_lfs_pointer_tells_what_it_stands_for(made):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 12345\n"
    assert read(made, pointer).lfs == blob.LfsPointer("ab" * 32, 12345)
    assert read(made, pointer + "more\n").lfs is None


def test_a_symbolic_link_reads_as_its_target(made):
    oid = made.commit({"link": ("120000", made.blob("../target"))})
    found = blob.read(made.repository, oid, "link")
    assert (found.is_symlink, found.text) == (True, "../target")


def test_folders_and_submodules_are_no_files(made):
    oid = made.commit({"dir/x": "x", "sub": ("160000", "1" * 40)})
    with pytest.raises(tree.PathNotFound, match="“dir” is a folder, not a file"):
        blob.read(made.repository, oid, "dir")
    with pytest.raises(tree.PathNotFound, match="“sub” is a submodule: the commit 1111"):
        blob.read(made.repository, oid, "sub")
    with pytest.raises(tree.PathNotFound, match="has no “gone”"):
        blob.read(made.repository, oid, "gone")


def test_a_tag_of_a_blob_is_read_without_a_path(made):
    tag = made.raw("tag", f"object {made.blob('key')}\ntype blob\ntag key\n\nno tagger\n".encode())
    assert blob.read(made.repository, tag).text == "key"


def test_a_damaged_object_is_told_in_a_sentence(made):
    oid = made.blob("will be damaged")
    path = made.path / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    path.write_bytes(b"not zlib")
    with pytest.raises(NotFound, match=f"{oid} can't be read: it is damaged"):
        objects.read(made.repository, oid)
