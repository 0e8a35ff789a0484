"""What is shown of one changed file: its kind, its lines, those between hunks, and what is no text."""

from __future__ import annotations

import re

import pytest

from tests.repos.commit_pages import HX, commit_url, text


def lines_of(fragment: str) -> list[str]:
    """The new side's line numbers of a unified difference."""
    return re.findall(r"<tr data-kind=.(?:context|added).><th>\d*</th><th>(\d+)</th>", fragment)


def far_apart(stored) -> str:
    """A commit that changes line 50 and line 100 of a file of 150."""
    lines = [f"line {number}\n" for number in range(1, 151)]
    first = stored.commit({"a.txt": "".join(lines)})
    lines[49], lines[99] = "fifty\n", "hundred\n"
    return stored.commit({"a.txt": "".join(lines)}, parents=[first])


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


def test_white_space_can_be_left_out(alice_client, stored):
    first = stored.commit({"a": "x y\n"})
    second = stored.commit({"a": "x  y\n"}, parents=[first])
    assert "Only white space changed." in text(alice_client.get(commit_url(second), {"w": "1"}))
    assert "Only white space changed." not in text(alice_client.get(commit_url(second)))


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
