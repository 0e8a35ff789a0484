"""Where .gitmodules says that a submodule is."""

from __future__ import annotations

import pytest

from repos.git import submodules

TWO = """[submodule "first"]
\tpath = vendor/first
\turl = https://example.org/first.git
[submodule "second name"]
\turl = ../second
\tpath = "vendor/se cond"
"""


@pytest.mark.parametrize(
    ("path", "url"),
    [("vendor/first", "https://example.org/first.git"), ("vendor/se cond", "../second"), ("vendor/third", "")],
)
def test_the_url_is_that_of_the_section_with_the_path(made, path, url):
    oid = made.commit({".gitmodules": TWO})
    assert submodules.url(made.repository, oid, path) == url


@pytest.mark.parametrize(
    "files",
    [
        {"a": "no such file"},
        {".gitmodules/a": "a folder"},
        {".gitmodules": "[submodule\nnot = closed"},
        {".gitmodules": "[include]\n\tpath = /etc/passwd\n"},
        {".gitmodules": '[submodule "x"]\n\tpath = vendor/first\n'},
        {".gitmodules": b"\xff\xfe\0"},
        {".gitmodules": TWO + "#" * submodules.MAX_BYTES},
    ],
    ids=["none", "folder", "damaged", "include", "no url", "binary", "huge"],
)
def test_without_a_section_there_is_no_url(made, files):
    assert submodules.url(made.repository, made.commit(files), "vendor/first") == ""
