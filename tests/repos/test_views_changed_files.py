"""Which files the page of a commit shows, and when: the list, batches, one file alone, names that are hostile."""

from __future__ import annotations

import pytest

from repos.diff.changes import FileChange
from repos.templatetags.difference import changed_tree
from tests.repos.commit_pages import HOSTILE, HX, commit_url, text


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


def test_one_file_comes_alone_to_htmx(alice_client, stored):
    oid = stored.commit({"a": "one\n", "b": "two\n"})
    fragment = text(alice_client.get(commit_url(oid), {"file": "1"}, headers=HX))
    assert fragment.strip().startswith('<section class="diff-file" id="file-1"')
    assert "two" in fragment
    assert "<html" not in fragment


@pytest.mark.parametrize("file", ["", "1", "-1", "x", "9" * 30])
@pytest.mark.parametrize("key", ["file", "files"])
def test_a_file_that_the_commit_does_not_have_is_not_found(alice_client, stored, key, file):
    oid = stored.commit({"a": "1"})
    answer = alice_client.get(commit_url(oid), {key: file}, headers=HX)
    assert answer.status_code == 404
    assert "no changed file" in text(answer)


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


def test_an_address_by_path_begins_with_that_file(alice_client, stored):
    oid = stored.commit({"a": "1\n", "b c": "2\n"})
    page = text(alice_client.get(commit_url(oid), {"path": "b c", "find": "a"}))
    assert (page.count('data-path="b c" aria-label'), page.count('data-path="a" aria-label')) == (1, 0)
    answer = alice_client.get(commit_url(oid), {"path": "<gone>"})
    assert (answer.status_code, "is not among the files that differ here" in text(answer)) == (404, True)
    assert "<gone>" not in text(answer)


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


def test_a_large_commit_stays_below_two_megabytes(alice_client, stored):
    brackets = "".join(f"{'<' * 120}{number}\n" for number in range(5_000))
    oid = stored.commit(dict.fromkeys("abc", brackets))
    answer = alice_client.get(commit_url(oid))
    assert len(answer.content) < 2_000_000
    assert "Show the next 1,500 rows" in text(answer)
    for query in ({"files": "1"}, {"file": "0", "context": "all"}, {"file": "1", "from": "1500", "view": "split"}):
        assert len(alice_client.get(commit_url(oid), query, headers=HX).content) < 2_000_000


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
