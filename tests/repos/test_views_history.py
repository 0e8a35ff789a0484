"""Commits, branches and tags in the console: each page from what works down to the wrong method."""

from __future__ import annotations

import pytest

from codeservices import registry
from repos.git import log, program
from tests.repos.doors import over_asgi

HX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>"


def text(answer):
    return answer.content.decode()


@pytest.fixture
def history(stored):
    """demo with 65 commits on main, one a minute, of which every fifth changes the folder."""
    oids: list[str] = []
    for number in range(65):
        files = {"a": str(number), "dir/x": str(number // 5)}
        oids.append(stored.commit(files, f"Change {number}", oids[-1:]))
    return oids


def commit_url(oid: str) -> str:
    return f"/repositories/demo/commit/{oid}"


def test_the_commit_that_deleted_a_file_says_so_and_leads_to_what_was_left(alice_client, stored):
    first = stored.commit({"a": "1", "b/c": "2"}, "Both")
    gone = stored.commit({"a": "1"}, "One", [first])
    page = text(alice_client.get(f"/repositories/demo/commits/{gone}/b/c"))
    assert page.count('<span class="tag">deleted</span>') == 1
    assert f'href="/repositories/demo/browse/{gone}" aria-label="Browse the code at' in page
    assert f'href="/repositories/demo/browse/{first}/b/c" aria-label="Browse the code at' in page


def test_commits_come_by_day_newest_first_in_pages(alice_client, history):
    page = alice_client.get("/repositories/demo/commits/main")
    seen: list[str] = []
    while True:
        seen += [entry.commit.oid for _, entries in page.context["days"] for entry in entries]
        cursor = page.context["page"].next_cursor
        if cursor is None:
            break
        assert f"?after={cursor}" in text(page)
        page = alice_client.get("/repositories/demo/commits/main", {"after": cursor})
    assert seen == history[::-1]
    assert "Newest" in text(page)


def test_commits_of_a_path_are_those_that_changed_it(alice_client, history):
    page = alice_client.get("/repositories/demo/commits/main/dir")
    subjects = [entry.commit.subject for _, entries in page.context["days"] for entry in entries]
    assert subjects == [f"Change {number}" for number in range(60, -1, -5)]


def test_a_row_has_author_mail_id_and_the_way_to_its_code(alice_client, stored):
    oid = stored.commit({"a": "1"}, f"{HOSTILE}\n\nBody", author=f"{HOSTILE.replace('<', '').replace('>', '')} <a@x>")
    page = text(alice_client.get("/repositories/demo/commits/main"))
    assert 'title="a@x"' in page
    assert f'data-copy="{oid}"' in page
    assert f'href="/repositories/demo/browse/{oid}"' in page
    assert HOSTILE not in page


def subjects(page) -> list[str]:
    return [entry.commit.subject for _, entries in page.context["days"] for entry in entries]


def test_commits_are_searched_by_message_author_and_day(alice_client, history):
    url = "/repositories/demo/commits/main"
    page = alice_client.get(url, {"message": "CHANGE 6"})
    assert subjects(page) == [f"Change {number}" for number in (64, 63, 62, 61, 60, 6)]
    assert 'name="message" value="CHANGE 6"' in text(page)
    assert subjects(alice_client.get(url, {"message": "change .*"})) == []
    assert len(subjects(alice_client.get(url, {"author": "ada"}))) == 30
    page = alice_client.get(url, {"author": "nobody"})
    assert subjects(page) == [] and "No commit here is like that." in text(page)
    assert len(subjects(alice_client.get(url, {"since": "2020-09-13", "until": "2020-09-13"}))) == 30
    assert subjects(alice_client.get(url, {"since": "2020-09-14"})) == []
    assert "Enter a valid date" in text(alice_client.get(url, {"since": "soon"}))
    assert subjects(alice_client.get(f"{url}/dir", {"message": "change 6"})) == ["Change 60"]
    for odd in ("--all", "--output=x", "$(id)", "a\nb", "é" * 150):
        assert alice_client.get(url, {"message": odd, "author": odd}).status_code == 200, odd


def test_a_search_keeps_what_was_searched_for_on_the_next_page(alice_client, history):
    page = alice_client.get("/repositories/demo/commits/main", {"message": "change"})
    assert "message=change&amp;after=" in text(page)


def test_a_search_that_ran_out_of_time_says_how_far_it_came(alice_client, history, monkeypatch):
    monkeypatch.setattr("repos.git.log.FIRST_BATCH", 10)
    monkeypatch.setattr("repos.git.log.MAX_BATCH", 10)
    real, calls = log._matching, []

    def slow(*args):
        calls.append(args)
        if len(calls) > 1:
            raise program.GitTimeout("rev-list", 1)
        return real(*args)

    monkeypatch.setattr(log, "_matching", slow)
    page = text(alice_client.get("/repositories/demo/commits/main", {"message": "change 1"}))
    assert "Nothing was found among 10 commits, back to 13 September 2020." in page
    assert "Look further" in page and "No commit here" not in page


def test_a_file_is_followed_over_its_rename_and_browsed_under_the_old_name(alice_client, stored):
    body = "".join(f"line {number}\n" for number in range(30))
    first = stored.commit({"old.txt": body}, "Born")
    second = stored.commit({"new.txt": body}, "Moved", [first])
    page = alice_client.get("/repositories/demo/commits/main/new.txt")
    assert subjects(page) == ["Moved", "Born"]
    assert "moved here from" in text(page)
    assert f'href="/repositories/demo/browse/{first}/old.txt"' in text(page)
    assert f'href="/repositories/demo/browse/{second}/new.txt"' in text(page)


def test_an_author_who_did_not_commit_is_told_from_the_committer(alice_client, stored):
    people = b"author Ada <ada@x> 1 +0000\ncommitter Bo <bo@x> 1 +0000\n"
    oid = stored.raw("commit", f"tree {stored.tree({'a': '1'})}\n".encode() + people + b"\nText\n")
    stored.git("update-ref", "refs/heads/main", oid)
    page = text(alice_client.get("/repositories/demo/commits/main"))
    assert 'title="ada@x">Ada</span>, committed by <span title="bo@x">Bo</span>' in page


def test_rows_show_signatures_and_builds(alice_client, stored, monkeypatch):
    plain = stored.commit({"a": "1"})
    head = f"tree {stored.tree({'a': '1'})}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n"
    signed = stored.raw("commit", f"{head}gpgsig -----BEGIN PGP SIGNATURE-----\n abc\n\nSigned\n".encode())
    stored.git("update-ref", "refs/heads/main", signed)
    status = registry.CommitStatus("FAILED", "Failed", "/projects/x/builds/1/")
    found = (lambda principal, name, oids: dict.fromkeys(oids, status), lambda: 0)
    monkeypatch.setattr(registry, "commit_status_sources", [found])
    page = text(alice_client.get("/repositories/demo/commits/main"))
    assert "Signed (GPG)" in page
    assert 'data-status="FAILED" href="/projects/x/builds/1/"' in page
    assert 'class="signature"' not in text(alice_client.get(f"/repositories/demo/commits/{plain}"))


def test_a_cursor_that_nobody_gave_is_refused(alice_client, history):
    answer = alice_client.get("/repositories/demo/commits/main", {"after": "nonsense"})
    assert answer.status_code == 400
    assert "cursor is not one that this server gave" in text(answer)


def test_the_history_of_what_never_was_says_so(alice_client, history):
    answer = alice_client.get("/repositories/demo/commits/main/gone")
    assert answer.status_code == 404
    assert "No commit of “main” ever touched “gone”." in text(answer)
    assert alice_client.get("/repositories/demo/commits/nope").status_code == 404


def test_odd_commits_are_listed_and_shown(alice_client, stored):
    tree = stored.tree({"a": "1"})
    oid = ""
    for headers in (
        b"",
        b"author A\ncommitter B\n",
        b"author A <a@x> 0 +0000\ncommitter A <a@x> 0 +0000\n",
        b"author A <a@x> 4294967295 +9999\ncommitter A <a@x> 4294967295 +0000\n",
        b"author A <a@x> 99999999999999 +0000\ncommitter A <a@x> 99999999999999 +0000\n",
        b"author \xff <\xff> 1 +0000\ncommitter A <a@x> 1 +0000\nencoding klingon\n",
    ):
        parent = f"parent {oid}\n" if oid else ""
        oid = stored.raw("commit", f"tree {tree}\n{parent}".encode() + headers + b"\nodd \xff\n")
        assert alice_client.get(commit_url(oid)).status_code == 200
    stored.git("update-ref", "refs/heads/main", oid)
    page = text(alice_client.get("/repositories/demo/commits/main"))
    assert "Without a date" in page
    assert "no author" in page
    for path in ("", "branches", "browse/main?last_commits"):
        assert alice_client.get(f"/repositories/demo/{path}").status_code == 200


def test_branches_show_the_default_first_and_are_filtered(alice_client, history, stored):
    stored.git("update-ref", "refs/heads/a-branch", history[3])
    stored.git("update-ref", b"refs/heads/caf\xe9", history[4])
    page = alice_client.get("/repositories/demo/branches")
    assert [row.name for row in page.context["rows"]] == ["main", "caf\udce9", "a-branch"]
    for order, expected in {"oldest": ["a-branch", "caf\udce9"], "name": ["a-branch", "caf\udce9"], "x": None}.items():
        rows = alice_client.get("/repositories/demo/branches", {"sort": order}).context["rows"]
        assert [row.name for row in rows] == ["main", *(expected or ["caf\udce9", "a-branch"])], order
    assert r"caf\xe9" in text(page)
    assert 'href="/repositories/demo/browse/caf%E9"' in text(page)
    assert over_asgi(alice_client, b"/repositories/demo/browse/caf%E9")[0] == 200
    rows = alice_client.get("/repositories/demo/branches", {"q": "A-B"}, headers=HX)
    assert [row.name for row in rows.context["rows"]] == ["a-branch"]
    assert "<html" not in text(rows)


def test_tags_are_in_order_of_version_and_may_be_of_anything(alice_client, history, stored):
    tree, blob = stored.tree({"a": "1"}), stored.blob("alone")
    inner = stored.raw("tag", f"object {blob}\ntype blob\ntag x\n\nInner\n".encode())
    for name, oid in {
        "v1.9": history[0],
        "v1.10": history[1],
        "v1.10-rc1": history[1],
        "v1.10.1": history[2],
        "a-tree": tree,
        "a-blob": blob,
        "undated": stored.raw("tag", f"object {history[5]}\ntype commit\ntag undated\n\nNo tagger\n".encode()),
        "tag-of-tag": stored.raw("tag", f"object {inner}\ntype tag\ntag y\n\nNested\n".encode()),
    }.items():
        stored.git("update-ref", f"refs/tags/{name}", oid)
    page = alice_client.get("/repositories/demo/tags")
    assert [name for name, _, _ in page.context["rows"]] == [
        "v1.10.1",
        "v1.10",
        "v1.10-rc1",
        "v1.9",
        "undated",
        "tag-of-tag",
        "a-tree",
        "a-blob",
    ]
    assert "a single file" in text(page)
    assert "a folder" in text(page)
    assert "No tagger" in text(page)
    rows = alice_client.get("/repositories/demo/tags", {"q": "v1.10"}, headers=HX)
    assert len(rows.context["rows"]) == 3


def test_empty_lists_say_how_to_fill_them(alice_client, stored):
    assert "No branches yet" in text(alice_client.get("/repositories/demo/branches"))
    assert "git tag -a v1.0" in text(alice_client.get("/repositories/demo/tags"))
    answer = alice_client.get("/repositories/demo/commits/main")
    assert answer.status_code == 404


@pytest.mark.parametrize("page", ["commits/main", "branches", "tags"])
def test_a_reader_reads_an_outsider_does_not_and_the_anonymous_sign_in(
    bob_client, carol_client, client, alice_client, history, page
):
    path = f"/repositories/demo/{page}"
    assert bob_client.get(path).status_code == 200
    answer = carol_client.get(path)
    assert answer.status_code == 403
    assert "Change 64" not in text(answer)
    answer = client.get(path)
    assert (answer.status_code, answer.url) == (302, f"/sign-in/?next={path}")
    assert alice_client.post(path).status_code == 405
    assert alice_client.get(path.replace("/demo/", "/absent/")).status_code == 404
