"""Folders at a commit."""

from __future__ import annotations

import pytest

from codeservices.errors import NotFound
from repos.git import tree

OTHER = "1" * 40  # a commit of another repository


def test_folders_come_first_then_files_links_and_submodules_by_name(made):
    oid = made.commit(
        {
            "zoo/keeper.txt": "k",
            "README.md": "# Hi\n",
            "run.sh": ("100755", made.blob("#!/bin/sh\n")),
            "latest": ("120000", made.blob("README.md")),
            "vendor": ("160000", OTHER),
            "app/main.py": "print()\n",
        }
    )
    found = tree.entries(made.repository, oid, "")
    assert [(one.name, one.kind, one.mode) for one in found] == [
        ("app", "tree", "040000"),
        ("zoo", "tree", "040000"),
        ("README.md", "blob", "100644"),
        ("latest", "symlink", "120000"),
        ("run.sh", "blob", "100755"),
        ("vendor", "submodule", "160000"),
    ]
    assert found[4].is_executable
    assert found[5].oid == OTHER


def test_an_entry_of_a_nested_folder_has_its_whole_path(made):
    oid = made.commit({"src/app/main.py": "x"})
    assert [one.path for one in tree.entries(made.repository, oid, "src/app")] == ["src/app/main.py"]
    assert tree.entry(made.repository, oid, "/src/app/").kind == "tree"


def test_sizes_are_found_only_where_asked_for_and_only_of_files(made):
    oid = made.commit({"dir/x": "x", "five": "12345", "sub": ("160000", OTHER)})
    assert [one.size_bytes for one in tree.entries(made.repository, oid)] == [None, None, None]
    assert [one.size_bytes for one in tree.entries(made.repository, oid, with_sizes=True)] == [None, 5, None]


def test_a_name_that_is_not_utf_8_is_kept_and_can_be_opened(made):
    oid = made.commit({b"caf\xe9/na\xefve.txt": "x"})
    (folder,) = tree.entries(made.repository, oid)
    assert folder.name.encode("utf-8", "surrogateescape") == b"caf\xe9"
    (file,) = tree.entries(made.repository, oid, folder.path)
    assert tree.entry(made.repository, oid, file.path).kind == "blob"


def test_an_oid_whose_bytes_read_like_an_entry_is_none(made):
    commit = b"100644 b".ljust(20, b"\0").hex()
    file = made.blob("x")
    oid = made.commit({"a": ("160000", commit), "c": "y"})
    assert tree.entry(made.repository, oid, "a").oid == commit
    with pytest.raises(tree.PathNotFound, match="has no “b”"):
        tree.entry(made.repository, oid, "b")
    oid = made.commit({"a": ("160000", commit), "b": ("100755", file)})
    assert tree.entry(made.repository, oid, "b").oid == file
    assert tree.entry(made.repository, oid, "b").mode == "100755"


def test_a_missing_path_says_which_folder_lacks_which_name(made):
    oid = made.commit({"src/app.py": "x"})
    with pytest.raises(tree.PathNotFound) as caught:
        tree.entries(made.repository, oid, "src/lib/x")
    assert caught.value.message == (
        "No file or folder “src/lib/x” exists at this commit: the folder “src” has no “lib”."
    )
    assert caught.value.code == "PathDoesNotExistException"


def test_a_path_through_a_file_says_that_it_is_no_folder(made):
    oid = made.commit({"src/app.py": "x"})
    with pytest.raises(tree.PathNotFound, match=r"“src/app\.py” is a file, not a folder"):
        tree.entries(made.repository, oid, "src/app.py/deeper")
    with pytest.raises(tree.PathNotFound, match=r"“src/app\.py” is a file, not a folder"):
        tree.entries(made.repository, oid, "src/app.py")


def test_a_tag_of_a_tree_is_browsed_and_a_tag_of_a_blob_says_what_it_is(made):
    tree_oid = made.tree({"a": "1"})
    blob_oid = made.blob("alone")
    tags = {}
    for name, kind, oid in (("t", "tree", tree_oid), ("b", "blob", blob_oid)):
        tags[name] = made.raw("tag", f"object {oid}\ntype {kind}\ntag {name}\n\nno date\n".encode())
    assert [one.name for one in tree.entries(made.repository, tags["t"])] == ["a"]
    with pytest.raises(NotFound, match="a single file without a name"):
        tree.entries(made.repository, tags["b"])


def test_an_empty_tree_has_no_entries_and_an_unknown_object_is_not_found(made):
    assert tree.entries(made.repository, made.commit({})) == []
    assert tree.entries(made.repository, "4b825dc642cb6eb9a060e54bf8d69288fbee4904") == []
    with pytest.raises(NotFound, match="No object 2222"):
        tree.entries(made.repository, "2" * 40)
    with pytest.raises(NotFound, match="no object id"):
        tree.entries(made.repository, "--upload-pack=x")


def test_a_damaged_tree_is_told_in_a_sentence(made):
    oid = made.commit(made.raw("tree", b"100644 cut off here"))
    with pytest.raises(NotFound, match="damaged"):
        tree.entries(made.repository, oid)


def test_folders_with_nothing_but_a_folder_are_one_step(made):
    oid = made.commit(
        {"src/main/java/App.java": "x", "lib/one/x": "x", "lib/two": "x", "deep/link": ("120000", made.blob("x"))}
    )
    found = {one.name: tree.sole_path(made.repository, one) for one in tree.entries(made.repository, oid)}
    assert found == {"src": "src/main/java", "lib": "lib", "deep": "deep"}
