"""Many objects from one git process."""

from __future__ import annotations

import pytest

from repos.git import cat_file, program


def test_answers_come_in_the_order_of_the_questions(made):
    oid = made.commit({"dir/new\nline": "one", "b": ""})
    names = [oid, f"{oid}:b", "1" * 40, f"{oid}:dir/new\nline", f"{oid}:no such\nfile", f"{oid}:"]
    with cat_file.opened(made.repository, timeout_seconds=30) as objects:
        for name in names:
            objects.ask(name.encode())
        answers = [objects.answer() for _ in names]
        objects.ask(f"{oid}:b".encode())
        assert objects.answer() == (b"blob", b"")
    assert [answer and answer[0] for answer in answers] == [b"commit", b"blob", None, b"blob", None, b"tree"]
    assert answers[3] == (b"blob", b"one")


def test_questions_fill_up_and_answers_make_room(made):
    oid = made.blob("x" * 100_000)
    with cat_file.opened(made.repository, timeout_seconds=30) as objects:
        asked = 0
        while not objects.is_full:
            objects.ask(oid.encode())
            asked += 1
        assert {objects.answer() for _ in range(asked)} == {(b"blob", b"x" * 100_000)}
        assert not objects.is_full


def test_it_ends_when_its_time_is_over(made):
    with cat_file.opened(made.repository, timeout_seconds=0) as objects, pytest.raises(program.GitTimeout):
        objects.ask(b"1" * 40)
        objects.answer()
