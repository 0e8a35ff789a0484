"""What is true for ever about a commit is kept on disk, for each repository by itself."""

from __future__ import annotations

from pathlib import Path

from django.core.cache import caches

from repos.lasting import lasting
from tests import factories


def test_a_value_outlives_the_process_unless_it_is_not_whole(db):
    repository, other = factories.repository("demo"), factories.repository("other")
    assert lasting(repository, "test", "a", make=lambda: None) is None
    assert lasting(repository, "test", "a", make=lambda: "made again") is None
    assert lasting(other, "test", "a", make=lambda: "its own") == "its own"
    assert lasting(repository, "test", "b", make=lambda: "half", is_whole=lambda value: value == "whole") == "half"
    assert lasting(repository, "test", "b", make=lambda: "whole") == "whole"


def test_a_damaged_file_is_made_again(db):
    repository = factories.repository("demo")
    lasting(repository, "test", "c", make=lambda: "first")
    for file in Path(caches["answers"]._dir).iterdir():
        file.write_bytes(b"damaged")
    assert lasting(repository, "test", "c", make=lambda: "second") == "second"
