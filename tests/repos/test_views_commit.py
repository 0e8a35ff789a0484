"""The page of a commit and its text: from what works down to the wrong method."""

from __future__ import annotations

import email
import re

import pytest

from repos.diff.changes import FileChange
from repos.templatetags.difference import changed_tree
from tests import factories

HX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>"


def text(answer):
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode()


def commit_url(oid: str) -> str:
    return f"/repositories/demo/commit/{oid}"


def test_a_commit_shows_message_people_parents_and_changes(alice_client, stored):
    first = stored.commit({"a": "old name\nsame\n", "gone": "x\n"}, "First")
    second = stored.commit({"a": f"new name\nsame\n{HOSTILE}\n"}, f"Second {HOSTILE}\n\nWhy & how", [first])
    page = text(alice_client.get(commit_url(second)))
    assert "Why &amp; how" in page
    assert f'href="{commit_url(first)}"' in page
    assert "2 files changed" in page
    assert "<del>old</del> name" in page
    assert "<ins>new</ins> name" in page
    assert HOSTILE not in page
    assert "this is a first commit" in text(alice_client.get(commit_url(first)))


def test_split_or_unified_is_remembered(alice_client, stored):
    first = stored.commit({"a": "1\n"})
    second = stored.commit({"a": "2\n"}, parents=[first])
    assert 'data-view="unified"' in text(alice_client.get(commit_url(second)))
    answer = alice_client.get(commit_url(second), {"view": "split"})
    assert 'data-view="split"' in text(answer)
    assert (answer.cookies["diff_view"]["httponly"], answer.cookies["diff_view"]["samesite"]) == (True, "Lax")
    assert 'data-view="split"' in text(alice_client.get(commit_url(first)))
    assert 'data-view="split"' in text(alice_client.get(commit_url(first), {"view": "<bad>"}))


def test_white_space_can_be_left_out(alice_client, stored):
    first = stored.commit({"a": "x y\n"})
    second = stored.commit({"a": "x  y\n"}, parents=[first])
    assert "Only white space changed." in text(alice_client.get(commit_url(second), {"w": "1"}))
    assert "Only white space changed." not in text(alice_client.get(commit_url(second)))


def test_files_beyond_the_first_come_when_asked_for(alice_client, stored, monkeypatch):
    monkeypatch.setattr("repos.diff.pages.BATCH_FILES", 10)
    oid = stored.commit({f"f{number:02}": f"text {number}\n" for number in range(25)})
    page = text(alice_client.get(commit_url(oid)))
    assert "text 9" in page
    assert "text 10" not in page
    assert "Show the next files: 15 more" in page
    assert 'href="#file-9"' in page
    assert f'href="{commit_url(oid)}?view=unified&amp;file=10#file-10"' in page
    assert f'hx-get="{commit_url(oid)}?view=unified&amp;files=10"' in page
    batch = text(alice_client.get(commit_url(oid), {"files": "10"}, headers=HX))
    assert batch.count("<section") == 10
    assert "text 19" in batch
    assert "?view=unified&amp;files=20" in batch
    last = text(alice_client.get(commit_url(oid), {"files": "20"}, headers=HX))
    assert "text 24" in last
    assert "files=" not in last
    without_scripts = text(alice_client.get(commit_url(oid), {"file": "12"}))
    assert "text 12" in without_scripts
    assert "text 21" in without_scripts
    assert "text 11" not in without_scripts
    assert f'{commit_url(oid)}?view=unified&amp;file=2">Show earlier files' in without_scripts


def test_a_page_begins_with_fewer_rows_than_follow(alice_client, stored, monkeypatch):
    monkeypatch.setattr("repos.diff.pages.FIRST_ROWS", 20)
    oid = stored.commit({f"f{number}": "".join(f"{number}-{line}\n" for line in range(10)) for number in range(6)})
    page = text(alice_client.get(commit_url(oid)))
    assert page.count('<section class="diff-file"') == 2
    assert "Show the next files: 4 more" in page
    assert text(alice_client.get(commit_url(oid), {"files": "2"}, headers=HX)).count("<section") == 4


@pytest.mark.parametrize(
    ("name", "beginning", "has_colours"),
    [("a.adoc", "= Guide", False), ("script", "#!/bin/sh", True), ("script", "#!/opt/own", False), ("a.py", "", True)],
)
def test_colours_are_asked_for_where_there_may_be_some(alice_client, stored, name, beginning, has_colours):
    """A script is known by its first line, which need not be among those that are shown."""
    lines = [beginning, *(f"line {number}" for number in range(40))]
    stored.commit({name: "\n".join(lines)})
    oid = stored.commit({name: "\n".join([*lines, "changed"])})
    assert ("&amp;colours=1" in text(alice_client.get(commit_url(oid)))) == has_colours
    first = stored.commit({f"other-{name}": "\n".join(lines)})
    assert ("&amp;colours=1" in text(alice_client.get(commit_url(first)))) == has_colours


def test_one_file_comes_alone_to_htmx(alice_client, stored):
    oid = stored.commit({"a": "one\n", "b": "two\n"})
    fragment = text(alice_client.get(commit_url(oid), {"file": "1"}, headers=HX))
    assert fragment.strip().startswith('<section class="diff-file" id="file-1"')
    assert "two" in fragment
    assert "<html" not in fragment


def test_a_long_file_comes_in_windows(alice_client, stored):
    oid = stored.commit({"long": "".join(f"row {number}.\n" for number in range(1600))})
    page = text(alice_client.get(commit_url(oid)))
    assert "row 1499." in page
    assert "row 1500." not in page
    assert '<span class="added-count">+1600</span>' in page
    address = re.search(r'hx-get="([^"]*from=1500)"', page)[1].replace("&amp;", "&")
    rows = text(alice_client.get(address, headers=HX))
    assert rows.strip().startswith("<tr")
    assert "row 1599." in rows
    assert "from=" not in rows
    assert "@@" not in rows
    assert "row 1599." in text(alice_client.get(address))  # without scripts


def test_long_lines_are_cut_and_can_be_had(alice_client, stored):
    oid = stored.commit({"long": f"{'x' * 9000}end\n"})
    page = text(alice_client.get(commit_url(oid)))
    assert "the rest of this line is not shown" in page
    assert "xend" not in page
    assert "xend" in text(alice_client.get(commit_url(oid), {"file": "0", "long": "1"}, headers=HX))
    assert "xend" in text(alice_client.get(commit_url(oid), {"file": "0", "long": "1"}))


@pytest.mark.parametrize("file", ["", "1", "-1", "x", "9" * 30])
@pytest.mark.parametrize("key", ["file", "files"])
def test_a_file_that_the_commit_does_not_have_is_not_found(alice_client, stored, key, file):
    oid = stored.commit({"a": "1"})
    answer = alice_client.get(commit_url(oid), {key: file}, headers=HX)
    assert answer.status_code == 404
    assert "no changed file" in text(answer)


def test_kinds_of_change_are_named(alice_client, stored):
    body = "".join(f"line {number}\n" for number in range(20))
    script = stored.blob("#!/bin/sh\n")
    first = stored.commit(
        {"old": body, "run": ("100644", script), "bin": b"\0\1", "kind": "x\n", "sub": ("160000", "1" * 40)}
    )
    second = stored.commit(
        {
            "new": body,
            "run": ("100755", script),
            "bin": b"\0\2",
            "kind": ("120000", stored.blob("run")),
            "sub": ("160000", "2" * 40),
            "empty": "",
        },
        parents=[first],
    )
    page = text(alice_client.get(commit_url(second)))
    for words in (
        "Only its name changed.",
        "Only its mode changed, from 100644 to 100755: it became executable.",
        "This file is not text.",
        "type changed",
        f"Subproject commit <ins>{'2' * 40}</ins>",
        "An empty file.",
        "no newline at end of file",
        "A symbolic link:",
        "it moved from commit",
        "a file became a symbolic link",
    ):
        assert words in page, words


def test_a_merge_is_compared_with_its_first_parent_or_the_one_that_is_chosen(alice_client, stored):
    base = stored.commit({"a": "1"})
    sides = [stored.commit({"a": "1", f"s{n}": "1"}, parents=[base], branch=f"s{n}") for n in range(3)]
    merge = stored.commit({"a": "1", "s0": "1", "s1": "1", "s2": "1"}, "Octopus", sides)
    page = text(alice_client.get(commit_url(merge)))
    assert "against its first parent" in page
    assert "2 files changed" in page
    assert all(f'href="{commit_url(oid)}"' in page for oid in sides)
    page = text(alice_client.get(commit_url(merge), {"parent": "3"}))
    assert "against its parent 3" in page
    assert f'href="{commit_url(merge)}?parent=3&amp;view=split"' in page
    assert [f"<span>{path}</span></a>" in page for path in ("s0", "s1", "s2")] == [True, True, False]
    for wrong in ("0", "4", "x", "-1", "9" * 40, "²"):
        answer = alice_client.get(commit_url(merge), {"parent": wrong})
        assert answer.status_code == 404
        assert "This commit has no parent" in text(answer)


@pytest.mark.parametrize(
    ("oid", "sentence"),
    [
        ("main", "“main” is no commit id."),
        ("abc", "“abc” is no commit id."),
        ("1" * 40, "No object 1111"),
        ("--output=x", "is no commit id."),
    ],
)
def test_what_is_no_commit_is_told_in_a_sentence(alice_client, stored, oid, sentence):
    answer = alice_client.get(commit_url(oid))
    assert answer.status_code == 404
    assert sentence in text(answer)


def test_a_blob_is_no_commit(alice_client, stored):
    answer = alice_client.get(commit_url(stored.blob("x")))
    assert answer.status_code == 404
    assert "is a blob, not a commit." in text(answer)


def lines_of(fragment: str) -> list[str]:
    """The new side's line numbers of a unified difference."""
    return re.findall(r"<tr data-kind=.(?:context|added).><th>\d*</th><th>(\d+)</th>", fragment)


def far_apart(stored) -> str:
    """A commit that changes line 50 and line 100 of a file of 150."""
    lines = [f"line {number}\n" for number in range(1, 151)]
    first = stored.commit({"a.txt": "".join(lines)})
    lines[49], lines[99] = "fifty\n", "hundred\n"
    return stored.commit({"a.txt": "".join(lines)}, parents=[first])


def test_lines_between_hunks_can_be_shown_until_the_hunks_join(alice_client, stored):
    page = text(alice_client.get(commit_url(far_apart(stored))))
    assert lines_of(page) == [*map(str, range(47, 54)), *map(str, range(97, 104))]
    gaps = re.findall(r'hx-get="([^"]*gap=([\d,]*)&amp;show=(\w+))"', page)
    assert [(gap, show) for _, gap, show in gaps] == [
        ("1,1,46", "up"),
        ("1,1,46", "all"),
        ("54,54,43", "down"),
        ("54,54,43", "up"),
        ("54,54,43", "all"),
        ("104,104,", "down"),
        ("104,104,", "all"),
    ]

    def ask(number: int) -> str:
        return text(alice_client.get(gaps[number][0].replace("&amp;", "&"), headers=HX))

    assert lines_of(ask(0)) == [*map(str, range(27, 47))]
    assert "gap=1,1,26&amp;show=up" in ask(0)
    assert lines_of(ask(2)) == [*map(str, range(54, 74))]
    assert "gap=74,74,23&amp;show=" in ask(2)
    assert lines_of(ask(4)) == [*map(str, range(54, 97))]
    assert "gap=" not in ask(4)
    assert lines_of(ask(6)) == [*map(str, range(104, 151))]
    assert lines_of(ask(5)) == [*map(str, range(104, 124))]
    assert "gap=124,124,&amp;show=down" in ask(5)


def test_a_gap_is_shown_in_a_split_view_too(alice_client, stored):
    query = {"file": "0", "gap": "54,54,43", "show": "all", "view": "split"}
    rows = text(alice_client.get(commit_url(far_apart(stored)), query, headers=HX))
    assert rows.count("<tr>") == 43
    assert rows.count("line 60") == 2


def test_without_scripts_a_gap_leads_to_more_context_and_to_the_whole_file(alice_client, stored):
    oid = far_apart(stored)
    page = text(alice_client.get(commit_url(oid)))
    assert f'href="{commit_url(oid)}?view=unified&amp;file=0&amp;context=23#file-0"' in page
    wider = text(alice_client.get(commit_url(oid), {"file": "0", "context": "23"}))
    assert lines_of(wider) == [*map(str, range(27, 74)), *map(str, range(77, 124))]
    whole = text(alice_client.get(commit_url(oid), {"file": "0", "context": "all"}))
    assert lines_of(whole) == [*map(str, range(1, 151))]
    assert "Changes only" in whole


@pytest.mark.parametrize(
    ("gap", "show"),
    [
        ("1,1", "up"),
        ("a,b,c", "up"),
        ("1,1,5", "sideways"),
        ("0,1,5", "up"),
        ("1,-1,5", "up"),
        ("1,1,-5", "up"),
        ("1,1," + "9" * 5000, "up"),
        ("9" * 12 + ",1,5", "up"),
    ],
    ids=range(8),
)
def test_an_address_that_names_no_lines_is_refused(alice_client, stored, gap, show):
    oid = far_apart(stored)
    answer = alice_client.get(commit_url(oid), {"file": "0", "gap": gap, "show": show}, headers=HX)
    assert answer.status_code == 400
    assert "These lines can&#x27;t be shown" in text(answer)


def test_lines_beyond_the_end_of_a_file_are_none(alice_client, stored):
    query = {"file": "0", "gap": "900,900,", "show": "down"}
    answer = alice_client.get(commit_url(far_apart(stored)), query, headers=HX)
    assert (answer.status_code, lines_of(text(answer))) == (200, [])


def test_white_space_at_line_ends_can_be_left_out_alone(alice_client, stored):
    first = stored.commit({"a": "x\ny z\n"})
    second = stored.commit({"a": "x \ny  z\n"}, parents=[first])
    assert "Only white space changed." in text(alice_client.get(commit_url(second), {"w": "1"}))
    page = text(alice_client.get(commit_url(second), {"w": "eol"}))
    assert page.count('data-kind="removed"') == 1
    assert lines_of(page) == ["1", "2"]


def test_line_ends_that_alone_changed_are_told(alice_client, stored):
    first = stored.commit({"a": "x\ny\n"})
    second = stored.commit({"a": "x\r\ny\r\n"}, parents=[first])
    assert "line ends LF → CRLF" in text(alice_client.get(commit_url(second)))


def test_changed_files_are_a_tree_with_counts(alice_client, stored):
    oid = stored.commit({"src/deep/er/a.py": "1\n2\n", "src/deep/b.py": "1\n", "top <b>": "1\n"})
    page = text(alice_client.get(commit_url(oid)))
    assert "<span>src/deep</span>" in page
    assert "<span>er</span>" in page
    assert "<span>top &lt;b&gt;</span>" in page
    assert '<span class="added-count">+2</span>' in page


def test_files_are_found_by_a_part_of_their_path(alice_client, stored):
    oid = stored.commit({f"{name}/{number}": f"{name} {number}\n" for name in ("lib", "docs") for number in range(6)})
    page = text(alice_client.get(commit_url(oid), {"find": "DOCS/"}))
    assert "6 of 12 files" in page
    assert "docs 5" in page
    assert "lib 5" not in page
    assert "No changed file has “&lt;b&gt;” in its path" in text(alice_client.get(commit_url(oid), {"find": "<b>"}))


def test_a_list_of_many_files_is_paged_and_counted_after_the_page(alice_client, stored, monkeypatch):
    monkeypatch.setattr("repos.views.differences.PAGE_FILES", 8)
    monkeypatch.setattr("repos.views.differences.COUNTED_FILES", 4)
    monkeypatch.setattr("repos.diff.pages.BATCH_FILES", 3)
    oid = stored.commit({f"f{number:02}": f"text {number}\n" for number in range(20)})
    page = text(alice_client.get(commit_url(oid)))
    assert "20 files changed" in page
    assert page.count("<li data-row data-path") == 8
    address = f"{commit_url(oid)}?view=unified&amp;counts=1&amp;page=1"
    assert f'hx-get="{address}" hx-trigger="load"' in page
    count = '<span><span class="added-count">+1</span> </span></li>'
    assert count not in page
    counted = text(alice_client.get(address.replace("&amp;", "&"), headers=HX))
    assert counted.count(count) == 8
    last = text(alice_client.get(commit_url(oid), {"page": "3"}))
    assert last.count("<li data-row data-path") == 4
    assert "text 16" in last
    assert "text 16" in text(alice_client.get(commit_url(oid), {"page": "99"}))
    # Scrolling goes on over the end of a page of the list.
    assert "text 8" in text(alice_client.get(commit_url(oid), {"files": "6"}, headers=HX))


def test_images_are_shown_side_by_side(alice_client, stored):
    first = stored.commit({"a b.png": b"\x89PNG\0old"})
    second = stored.commit({"a b.png": b"\x89PNG\0newer", "only.gif": b"GIF89a\0"}, parents=[first])
    page = text(alice_client.get(commit_url(second)))
    assert f'<img src="/repositories/demo/raw/{first}/a%20b.png" alt="Before"' in page
    assert f'<img src="/repositories/demo/raw/{second}/a%20b.png" alt="After"' in page
    assert "It did not exist before." in page
    assert 'title="8 bytes"' in page


def test_a_binary_file_is_told_with_its_sizes(alice_client, stored):
    first = stored.commit({"x.bin": b"\0" * 10, "gone": b"\0" * 20})
    second = stored.commit({"x.bin": b"\0" * 30}, parents=[first])
    page = text(alice_client.get(commit_url(second)))
    for size in (10, 20, 30):
        assert f'title="{size} bytes"' in page
    assert f"/repositories/demo/raw/{first}/gone?download" in page


def test_a_text_in_utf_16_is_shown_and_told(alice_client, stored):
    lines = [f"z\xe4hle {number}\n" for number in range(1, 31)]
    first = stored.commit({"wide": "".join(lines).encode("utf-16"), "same": "x\n"})
    second = stored.commit(
        {"wide": "".join([*lines[:-1], "neu\n"]).encode("utf-16"), "same": "x\n".encode("utf-16")}, parents=[first]
    )
    page = text(alice_client.get(commit_url(second)))
    assert "Text in UTF-16, little-endian. Git takes UTF-16 for binary" in page
    assert "<td>neu</td>" in page
    assert "Its text is the same. Before it was written in UTF-8; now UTF-16, little-endian." in page
    above = text(alice_client.get(commit_url(second), {"file": 1, "gap": "1,1,26", "show": "down"}, headers=HX))
    assert "z\xe4hle 1<" in above.replace("</span>", "<")
    assert "GIT binary patch" in text(alice_client.get(f"{commit_url(second)}.diff"))


def test_an_address_by_path_begins_with_that_file(alice_client, stored):
    oid = stored.commit({"a": "1\n", "b c": "2\n"})
    page = text(alice_client.get(commit_url(oid), {"path": "b c", "find": "a"}))
    assert (page.count('data-path="b c" aria-label'), page.count('data-path="a" aria-label')) == (1, 0)
    answer = alice_client.get(commit_url(oid), {"path": "<gone>"})
    assert (answer.status_code, "is not among the files that differ here" in text(answer)) == (404, True)
    assert "<gone>" not in text(answer)


def test_an_lfs_pointer_is_told(alice_client, stored):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
    first = stored.commit({"big": pointer.format("a" * 64, 1000)})
    second = stored.commit({"big": pointer.format("b" * 64, 3000)}, parents=[first])
    page = text(alice_client.get(commit_url(second)))
    assert "kept by git LFS" in page
    assert 'before <span title="1,000 bytes">' in page
    assert 'now <span title="3,000 bytes">' in page
    told = text(alice_client.get(commit_url(first))).partition("kept by git LFS")[2].partition("</p>")[0]
    assert "now" in told
    assert "before" not in told


def test_an_object_that_is_missing_is_told_and_the_other_files_are_shown(alice_client, stored):
    oid = stored.commit({"a": "one\n", "b": ("100644", "1" * 40), "c": "three\n"})
    page = text(alice_client.get(commit_url(oid)))
    assert "This file can&#x27;t be compared" in page
    assert "files=2" in page
    assert "three" in text(alice_client.get(commit_url(oid), {"files": "2"}, headers=HX))


def test_hostile_names_are_shown_and_lead_to_their_files(alice_client, stored):
    names = [b"caf\xe9", b"li\nne", b"--output=x", HOSTILE.replace("/", "").encode(), b"q?#%&"]
    oid = stored.commit(dict.fromkeys(names, "1\n"))
    page = text(alice_client.get(commit_url(oid)))
    assert "<script>alert" not in page
    assert r"caf\xe9" in page
    assert f'href="/repositories/demo/browse/{oid}/caf%E9"' in page
    assert f'href="/repositories/demo/browse/{oid}/q%3F%23%25&amp;"' in page


def test_a_commit_as_a_patch_is_a_mail_that_git_am_takes(alice_client, stored):
    first = stored.commit({"a": "1\n"}, "First")
    second = stored.commit({"a": "2\n", "b": b"\0bin"}, "Second\n\nWhy.", [first])
    answer = alice_client.get(f"{commit_url(second)}.patch")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    mail = email.message_from_string(text(answer))
    assert (mail["Subject"], mail["From"]) == ("[PATCH] Second", "Ada Lovelace <ada@example.org>")
    assert "GIT binary patch" in mail.get_payload()
    again = alice_client.get(f"{commit_url(second)}.patch", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    assert "+++ b/a" in text(alice_client.get(f"{commit_url(first)}.patch"))


def test_a_commit_as_a_diff_is_what_git_apply_takes(alice_client, stored):
    first = stored.commit({"a": "1\n"}, "First")
    second = stored.commit({"a": "2\n"}, "Second", [first])
    side = stored.commit({"a": "1\n", "s": "1\n"}, "Side", [first], branch="side")
    merge = stored.commit({"a": "2\n", "s": "1\n"}, "Merge", [second, side])
    assert text(alice_client.get(f"{commit_url(second)}.diff")).startswith("diff --git a/a b/a\n")
    assert "+++ b/a" in text(alice_client.get(f"{commit_url(first)}.diff"))
    assert "+++ b/s" in text(alice_client.get(f"{commit_url(merge)}.diff"))
    merge_patch = text(alice_client.get(f"{commit_url(merge)}.patch"))
    assert "Subject: [PATCH] Merge" in merge_patch
    assert "+++ b/s" in merge_patch
    assert alice_client.get(f"{commit_url('1' * 40)}.patch").status_code == 404


def test_a_large_commit_stays_below_two_megabytes(alice_client, stored):
    brackets = "".join(f"{'<' * 120}{number}\n" for number in range(5_000))
    oid = stored.commit(dict.fromkeys("abc", brackets))
    answer = alice_client.get(commit_url(oid))
    assert len(answer.content) < 2_000_000
    assert "Show the next 1,500 rows" in text(answer)
    for query in ({"files": "1"}, {"file": "0", "context": "all"}, {"file": "1", "from": "1500", "view": "split"}):
        assert len(alice_client.get(commit_url(oid), query, headers=HX).content) < 2_000_000


@pytest.mark.parametrize("page", ["", ".patch", ".diff"])
def test_a_reader_reads_an_outsider_does_not_and_the_anonymous_sign_in(
    bob_client, carol_client, client, alice_client, stored, page
):
    path = commit_url(stored.commit({"a": "the content\n"}, "Visible subject")) + page
    assert bob_client.get(path).status_code == 200
    answer = carol_client.get(path)
    assert answer.status_code == 403
    assert "Visible subject" not in text(answer)
    answer = client.get(path)
    assert (answer.status_code, answer.url) == (302, f"/sign-in/?next={path}")
    assert alice_client.post(path).status_code == 405
    assert alice_client.get(path.replace("/demo/", "/absent/")).status_code == 404


def test_a_commit_shows_no_content_to_who_may_only_see_the_commit(client, stored):
    oid = stored.commit({"a": "the content\n"}, "Visible subject")
    erin = factories.user("erin", document=factories.allow("codecommit:GetCommit"))
    client.force_login(erin, backend="codeservices.iam.backends.SessionBackend")
    page = text(client.get(commit_url(oid)))
    assert "Visible subject" in page
    assert "the content" not in page
    assert "codecommit:GetDifferences" in page
    assert client.get(commit_url(oid), {"file": "0"}, headers=HX).status_code == 403
    assert client.get(f"{commit_url(oid)}.patch").status_code == 403


def test_changed_files_in_folders_two_thousand_deep():
    """Each folder has a file beside the next one, so that none is one with it: the deepest that a push may be."""

    class Page:
        def link(self):
            return "?"

    paths = ["a/" * depth + "f" for depth in range(2000)]
    changes = [FileChange("A", path, path, "000000", "100644", "", "1" * 40) for path in paths]
    tree = changed_tree([(index, one, None) for index, one in enumerate(changes)], [], Page())
    assert tree.count("<details open>") == tree.count("</ul></details>") == 1999
    assert tree.endswith("</li>" + "</ul></details></li>" * 1999)
