"""Searching a log: what matches, how it is counted and paged, and that no pattern takes the server with it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest

from builds.logs import patterns, search, turns
from builds.logs.format import Block, encode_chunk
from builds.logs.patterns import PatternError, compile_expression, compile_text
from builds.logs.reader import LogReader
from tests import factories
from tests.builds import logged
from tests.endless import ends
from tests.fixtures.installation import wait_for


class NoRedis:
    """A live tail that has nothing."""

    def xrevrange(self, *_: object, **__: object) -> list[object]:
        return []

    xrange = xrevrange


def reader_of(lines: list[str], lines_a_chunk: int = 7) -> LogReader:
    chunks = []
    for first in range(0, len(lines), lines_a_chunk):
        part = lines[first : first + lines_a_chunk]
        text = "".join(f"{line}\n" for line in part).encode()
        chunks.append(encode_chunk([Block(first, len(part), [[1000 + first, len(part)]], text)]))

    def find(first: int, count: int):
        return [one for one in chunks if one.first_line < first + count and first < one.first_line + one.line_count]

    return LogReader("key", NoRedis(), find, lambda chunk: chunk.data)  # type: ignore[arg-type]


def found(lines: list[str], pattern: patterns.Pattern, **options) -> search.Found:
    return search.search(reader_of(lines), pattern, **{"seconds": 600, **options})


def numbers(lines: list[str], pattern: patterns.Pattern) -> list[int]:
    return [match.number for match in found(lines, pattern).matches]


LINES = [
    "Compiling main.c",
    "warning: unused variable",
    "\x1b[31merror\x1b[0m: no such file",
    "10%\r50%\r100% done",
    "äußerst ERROR Ä",
    "a.b",
    "axb",
    "",
    "x" * 300,
    "two errors: error, error",
]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        (compile_text("error"), [2, 9]),
        (compile_text("error", is_case_ignored=True), [2, 4, 9]),
        (compile_text("error: no"), [2]),  # the escapes between are not read
        (compile_text("50%"), []),  # drawn over
        (compile_text("100%"), [3]),
        (compile_text("a.b"), [5]),
        (compile_text("ÄUSSERST", is_case_ignored=True), []),
        (compile_text("ÄUßERST", is_case_ignored=True), [4]),
        (compile_expression("a.b"), [5, 6]),
        (compile_expression("^$"), [7]),
        (compile_expression("^error"), [2]),
        (compile_expression("error$"), [9]),
        (compile_expression("ERROR|done$", is_case_ignored=True), [2, 3, 4, 9]),
        (compile_expression(r"\w+\s+\w+\s+\w+"), [2]),  # no match reaches over a line's end
        (compile_expression("[^qx]{31}"), []),
        (compile_expression("x{300}"), [8]),
    ],
)
def test_lines_are_found_by_what_is_read(pattern, wanted):
    assert numbers(LINES, pattern) == wanted


def test_a_match_has_its_place_its_time_and_the_lines_around_it():
    result = found(LINES, compile_text("error", is_case_ignored=True), context=2)
    assert [(match.number, match.text, match.spans) for match in result.matches] == [
        (2, "error: no such file", [(0, 5)]),
        (4, "äußerst ERROR Ä", [(8, 13)]),
        (9, "two errors: error, error", [(4, 9), (12, 17), (19, 24)]),
    ]
    assert result.matches[0].before == LINES[:2] and result.matches[0].after == ["100% done", LINES[4]]
    assert result.matches[2].after == [] and result.matches[2].time_ms == 1007


def test_pages_follow_each_other_and_every_page_knows_them_all():
    lines = [f"line {number}" if number % 3 else f"hit {number}" for number in range(100)]
    seen: list[int] = []
    first: int | None = 0
    while first is not None:
        result = found(lines, compile_text("hit"), first=first, limit=5)
        assert (result.total, result.is_complete, result.before_count) == (34, True, len(seen))
        seen += [match.number for match in result.matches]
        first = result.next_line
    assert seen == [number for number in range(100) if number % 3 == 0]


def test_a_search_that_runs_out_of_time_says_so_and_where_to_go_on(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(search.time, "monotonic", lambda: next(clock))
    lines = [f"hit {number}" for number in range(100)]
    result = search.search(reader_of(lines), compile_text("hit"), limit=50, seconds=4)
    assert not result.is_complete and result.next_line == 28
    assert [match.number for match in result.matches] == list(range(28))


def test_a_found_page_that_leaves_no_time_for_counting_is_still_a_page(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(search.time, "monotonic", lambda: next(clock))
    lines = [f"hit {number}" for number in range(100)]
    result = search.search(reader_of(lines), compile_text("hit"), limit=5, seconds=4)
    assert not result.is_complete and result.next_line == 5 and len(result.matches) == 5 and 5 < result.total < 100


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Say what to look for"),
        ("x" * 1001, "at most 1,000 characters"),
        ("a\nb", "one line"),
        ("(", "no regular expression: missing )"),
        ("a)|(?:b", "no regular expression"),  # would close a bracket of ours
        (r"(a)\1", "no regular expression"),
        ("a(?=b)", "no regular expression"),
        (r"[\pL ]{0,1000}[\pN ]{0,900}", "too large"),
        (r"(\pL{0,10}\pN{0,10} ){10}", "too large"),
    ],
)
def test_what_is_no_pattern_is_refused_in_words(text, sentence):
    with pytest.raises(PatternError, match=re.escape(sentence)):
        compile_expression(text)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*)(.*)(.*)(.*)(.*)[^a]z", "(x+x+)+y"])
def test_no_pattern_is_catastrophic(pattern):
    """Each would keep a backtracking engine busy for longer than the universe lasts."""
    lines = ["a" * 60_000 + "!"] * 20
    with ends():
        found(lines, compile_expression(pattern))


class Slow:
    """A pattern that finds something at every byte, which takes a second each time."""

    piece_bytes = 4096

    def __init__(self) -> None:
        self.now = 0.0

    def lines(self, text: bytes, start: int, end: int) -> Iterator[int]:
        while start < end:
            yield start
            start = text.index(b"\n", start) + 1

    def count(self, text: bytes, start: int, end: int) -> int:
        return text.count(b"\n", start, end)

    def spans(self, line: bytes) -> Iterator[tuple[int, int]]:
        for position in range(len(line)):
            self.now += 1
            yield position, position + 1


def test_marks_are_made_as_long_as_there_is_time_and_lines_without_are_shown_too(monkeypatch):
    """The worst pattern takes a second for each mark; a page has 500 lines with 100 marks each."""
    slow = Slow()
    monkeypatch.setattr(search.time, "monotonic", lambda: slow.now)
    result = search.search(reader_of(["a" * 1000] * 300), slow, limit=200)
    assert slow.now <= 2
    assert [match.text for match in result.matches] == ["a" * 1000] * 200
    assert result.matches[0].spans[:1] == [(0, 1)] and result.matches[-1].spans == []


def test_of_very_long_lines_a_part_is_kept_around_the_match_and_at_the_start_of_neighbours():
    lines = ["ä" * 30_000, "ö" * 20_000 + "needle needle" + "ü" * 10_000, "x" * 65_000]
    for pattern in (compile_text("needle"), compile_expression("n[e]edle")):
        (match,) = found(lines, pattern, context=5).matches
        assert [match.text[begin:end] for begin, end in match.spans] == ["needle", "needle"]
        assert match.text.startswith("…öööö") and match.text.endswith("üüüü…") and len(match.text) < 2_000
        assert [len(text.encode()) for text in (*match.before, *match.after)] == [2_003, 2_003]


def test_a_mark_ends_where_the_part_of_the_line_does():
    (match,) = found(["a" * 10_000], compile_expression("a+")).matches
    assert match.spans == [(0, 2_000)] and match.text == "a" * 2_000 + "…"


def test_an_empty_match_counts_each_line_once():
    assert numbers(["", "abc", "x"], compile_expression("x*")) == [0, 1, 2]
    assert found(["", "abc", "x"], compile_expression("x*")).matches[2].spans == [(0, 1)]


def test_random_logs_are_searched_like_line_by_line():
    """The same lines as Python's own engine finds, in chunks of any size and pieces of any length."""
    import random

    chance = random.Random(3)
    for _ in range(40):
        lines = ["".join(chance.choice("ab \u00e4") for _ in range(chance.randint(0, 9))) for _ in range(60)]
        for text in ("a", "ab", "^a", "b$", "a b", "ä.", "^$", "a*b|ä{2}"):
            pattern = compile_expression(text)
            pattern.piece_bytes = chance.choice([1, 10, 64, 4096])
            result = search.search(reader_of(lines, chance.randint(1, 30)), pattern, limit=7, seconds=600)
            wanted = [number for number, line in enumerate(lines) if re.search(text, line)]
            assert [match.number for match in result.matches] == wanted[:7], (text, lines)
            assert result.total == len(wanted)


# ---- the page and its JSON -------------------------------------------------------------------------------------------


SEARCH = "/projects/demo/builds/1/log/search"


@pytest.fixture
def project(db, alice):
    factories.repository("demo")
    return factories.project("demo")


pytest_page = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]


class TestPage:
    pytestmark = pytest_page

    def test_the_page_marks_what_was_found_and_leads_to_the_line(self, alice_client, project):
        logged.logged_build(project, [f"line {number}" for number in range(40)] + ["<b>boom</b> boom", "after"])
        page = alice_client.get(f"{SEARCH}?q=BOOM").content.decode()
        assert "1 line matches." in page
        assert "&lt;b&gt;<mark>boom</mark>&lt;/b&gt; <mark>boom</mark>" in page
        assert 'href="/projects/demo/builds/1/?from=21#L41"' in page
        assert "line 38" in page and "line 37" not in page and "after" in page

    def test_without_a_question_there_is_a_form_and_with_a_bad_one_a_sentence(self, alice_client, project):
        logged.logged_build(project, ["one"])
        assert 'role="search"' in alice_client.get(SEARCH).content.decode()
        answer = alice_client.get(f"{SEARCH}?q=(&regex=1")
        assert answer.status_code == 400 and "missing )" in answer.content.decode()

    def test_results_come_in_pages_that_link_to_each_other(self, alice_client, project):
        logged.logged_build(project, [f"line {number}" for number in range(250)])
        first = alice_client.get(f"{SEARCH}?q=line&case=1&context=0").content.decode()
        assert "250 lines match. Shown here: 1 to 100." in first and "from=100" in first
        last = alice_client.get(f"{SEARCH}?q=line&case=1&from=200").content.decode()
        assert "Shown here: 201 to 250." in last and "Next results" not in last and "First results" in last

    def test_json_has_numbers_and_places_as_scripts_count(self, alice_client, project):
        logged.logged_build(project, ["a", "\U0001f600 needle", "b"])
        answer = alice_client.get(f"{SEARCH}?q=needle&context=1&format=json")
        body = answer.json()
        assert (body["total"], body["is_complete"], body["next"], body["before"]) == (1, True, None, 0)
        match = body["matches"][0]
        assert match["line"] == 1 and match["spans"] == [[3, 9]]
        assert (match["before"], match["after"]) == (["a"], ["b"])
        assert "no-store" in answer["Cache-Control"]

    def test_a_running_build_is_searched_as_far_as_it_has_come(self, alice_client, project):
        build = logged.running_build(project)
        writer = logged.writer_of(build)
        writer.write("".join(f"line {number}\n" for number in range(9000)).encode() + b"needle\n")

        def answered() -> dict | None:
            body = alice_client.get(f"{SEARCH}?q=needle&format=json").json()
            return body if body["total"] else None

        body = wait_for(answered)
        assert body["matches"][0]["line"] == 9000 and not body["is_log_complete"]
        logged.end(build, writer)

    @pytest.mark.parametrize("query", ["q=a&from=-1", "q=a&limit=0", "q=a&limit=501", "q=a&context=11", "format=json"])
    def test_bad_questions_are_refused_in_words(self, alice_client, project, query):
        logged.logged_build(project, ["one"])
        answer = alice_client.get(f"{SEARCH}?{query}")
        assert answer.status_code == 400 and (
            "must be" in answer.content.decode() or "Say what" in answer.content.decode()
        )

    def test_a_very_long_line_is_shown_around_its_match(self, alice_client, project):
        logged.logged_build(project, ["x" * 30_000 + "needle" + "y" * 30_000])
        page = alice_client.get(f"{SEARCH}?q=needle").content.decode()
        assert "<mark>needle</mark>" in page and "x" * 201 not in page and "y" * 2_000 not in page

    def test_only_as_many_searches_run_and_wait_as_there_are_turns_and_places(self, alice_client, project, monkeypatch):
        logged.logged_build(project, ["one"])
        with turns.turn(), turns.turn():
            with monkeypatch.context() as patched:
                patched.setattr(turns, "SECONDS", 0)
                answer = alice_client.get(f"{SEARCH}?q=one")
                assert answer.status_code == 503 and "Too many logs are being searched" in answer.content.decode()
            # With as many waiting as may, nobody waits any more: the time would be ten seconds.
            monkeypatch.setattr(turns, "_waiting", threading.BoundedSemaphore(1))
            with turns._waiting:
                assert alice_client.get(f"{SEARCH}?q=one").status_code == 503
        assert alice_client.get(f"{SEARCH}?q=one").status_code == 200
