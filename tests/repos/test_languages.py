"""The languages of a tree by the bytes of its files."""

from __future__ import annotations

import pytest

from repos.git import languages


@pytest.mark.parametrize(
    ("path", "language"),
    [
        (b"a.PY", "Python"),
        (b"src/x.h", "C"),
        (b"Makefile", "Makefile"),
        (b"docker/Dockerfile", "Dockerfile"),
        (b"x.min.js", ""),
        (b"node_modules/a/b.js", ""),
        (b"web/vendor/b.js", ""),
        (b"api_pb2.py", ""),
        (b"vendors/b.js", "JavaScript"),
        (b".py", ""),
        (b"py", ""),
        (b"README.md", ""),
        (b"data.json", ""),
        (b"caf\xe9.c", "C"),
    ],
)
def test_a_file_has_the_language_of_its_name(path, language):
    assert languages.language_of(path) == language


def test_shares_are_by_bytes_the_greatest_first_and_the_small_ones_together(made):
    endings = ["adb", "awk", "go", "rs", "lua", "java", "rb", "php", "py"]
    files = {f"f.{ending}": "x" * size for size, ending in enumerate(endings, start=1)}
    oid = made.commit({**files, "link.py": ("120000", made.blob("f.go")), "sub.py": ("160000", "1" * 40)})
    found = languages.shares(made.repository, oid)
    assert [(one.language, one.size_bytes) for one in found] == [
        ("Python", 9),
        ("PHP", 8),
        ("Ruby", 7),
        ("Java", 6),
        ("Lua", 5),
        ("Rust", 4),
        ("Other", 6),
    ]
    assert found[1].start_percent == found[0].percent == 20
    assert sum(one.percent for one in found) == pytest.approx(100)


def test_a_file_whose_object_is_missing_is_left_out(made):
    oid = made.commit({"a.py": "1234", "b.py": ("100644", "1" * 40), "c.rs": ("100644", "2" * 40)})
    assert [(one.language, one.size_bytes) for one in languages.shares(made.repository, oid)] == [("Python", 4)]


def test_a_tree_without_source_has_none_and_a_huge_one_is_not_counted(made, monkeypatch):
    assert languages.shares(made.repository, made.commit({"a.txt": "x", "empty.py": ""})) == []
    monkeypatch.setattr(languages, "MAX_FILES", 1)
    assert languages.shares(made.repository, made.commit({"a.py": "x", "b.py": "x"})) is None
