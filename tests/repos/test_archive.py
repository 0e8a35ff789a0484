"""A tree as one file, by real git."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from repos.git import archive, program

FILES = {
    "README.md": "# Hello\n",
    "src/app.py": "one\n",
    "src/run.sh": "#!/bin/sh\n",
    "secret/key": "x",
    ".gitattributes": "secret export-ignore\nversion export-subst\n",
    "version": "$Format:%H$\n",
}


def whole(made, oid, path="", form="zip"):
    return b"".join(archive.stream(made.repository, oid, path, form, prefix="demo-main"))


def test_a_zip_holds_the_tree_in_one_folder(made):
    oid = made.commit(FILES)
    with zipfile.ZipFile(io.BytesIO(whole(made, oid))) as opened:
        assert opened.testzip() is None
        assert "demo-main/src/app.py" in opened.namelist()
        assert all(name.startswith("demo-main/") for name in opened.namelist())


def test_a_tar_of_a_folder_holds_that_alone(made):
    oid = made.commit(FILES)
    with tarfile.open(fileobj=io.BytesIO(whole(made, oid, "src", "tar.gz"))) as opened:
        assert [one.name for one in opened if one.isfile()] == ["demo-main/src/app.py", "demo-main/src/run.sh"]


def test_the_attributes_in_the_tree_count_as_they_do_for_git(made):
    oid = made.commit(FILES)
    with zipfile.ZipFile(io.BytesIO(whole(made, oid))) as opened:
        assert not [name for name in opened.namelist() if "secret" in name]
        version = opened.read("demo-main/version").decode()
    assert version == f"{oid}\n"


def test_the_same_commit_is_the_same_bytes(made):
    oid = made.commit(FILES)
    assert whole(made, oid, form="tar.gz") == whole(made, oid, form="tar.gz")


@pytest.mark.parametrize("folder", ["--output=x", "*", ":(top)", "a b"])
def test_a_folder_of_any_name_is_that_folder(made, folder):
    oid = made.commit({f"{folder}/x": "1", "other/y": "2"})
    with zipfile.ZipFile(io.BytesIO(whole(made, oid, folder))) as opened:
        assert [name for name in opened.namelist() if not name.endswith("/")] == [f"demo-main/{folder}/x"]


def test_what_a_file_has_filled_in_takes_no_more_memory_than_it_may(made, monkeypatch):
    """A message of 100 kB, asked for 5,000 times, is half a gigabyte."""
    files = {".gitattributes": "bomb export-subst\n", "bomb": "$Format:%B$\n" * 5000}
    oid = made.commit(files, "x" * 100_000)
    monkeypatch.setattr(archive, "MEMORY_BYTES", 256 * 1024**2)
    with pytest.raises(program.GitError, match=r"[Oo]ut of memory"):
        whole(made, oid)


def test_a_large_file_is_streamed(made, monkeypatch):
    monkeypatch.setattr(archive, "MEMORY_BYTES", 48 * 1024**2)
    oid = made.commit({"large": b"x" * (64 * 1024**2)})
    with zipfile.ZipFile(io.BytesIO(whole(made, oid))) as opened:
        assert opened.getinfo("demo-main/large").file_size == 64 * 1024**2
