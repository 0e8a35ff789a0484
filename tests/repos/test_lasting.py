"""What is true for ever about a commit is kept on disk, for each repository by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.cache import caches

from repos.git.ref_answers import key_of
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


@pytest.mark.parametrize(
    "raw",
    [b"crepos.lasting\nGone\n.", b"crepos.gone\nGone\n.", b"cdatetime\ndate\n(S'x'\ntR.", b"garbled"],
    ids=["class", "module", "members", "garbled"],
)
def test_what_another_version_has_written_is_made_again(db, raw):
    repository = factories.repository("demo")
    caches["answers"].set(key_of(str(repository.repository_id), "test", "d").hex(), raw)
    assert lasting(repository, "test", "d", make=lambda: "new") == "new"
    assert lasting(repository, "test", "d", make=lambda: "newer") == "new"


def test_nobody_else_on_the_machine_reads_or_writes_what_is_kept(db):
    lasting(factories.repository("demo"), "test", "e", make=lambda: "value")
    folder = Path(caches["answers"]._dir)
    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
