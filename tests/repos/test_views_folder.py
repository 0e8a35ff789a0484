"""What the page of a folder shows beside its entries: README, languages, links' targets, folders in one step."""

from __future__ import annotations

import pytest

from repos.git import last_commits
from repos.text import child_pool, markup
from tests.repos.doors import over_asgi

HX = {"HX-Request": "true"}


def text(answer):
    return answer.content.decode()


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["readme", "ReadMe.MD", "README.rst"], "ReadMe.MD"),
        (["README", "README.txt"], "README.txt"),
        (["README.rst", "README.fr.md"], "README.rst"),
        ([".github/README.md", "docs/README.md"], ".github/README.md"),
        (["docs/readme.txt", "src/README.md"], "docs/readme.txt"),
        (["README.png", "src/README.md"], None),
    ],
)
def test_the_readme_is_chosen_by_its_ending_whatever_its_case(alice_client, stored, names, chosen):
    stored.commit(dict.fromkeys(names, "Words\n"))
    page = alice_client.get("/repositories/demo/")
    assert page.context.get("readme_path") == chosen
    assert ('class="readme"' in text(page)) == (chosen is not None)


def test_links_and_pictures_of_a_readme_lead_to_the_same_revision(alice_client, stored):
    stored.commit(
        {"docs/README.md": "[up](../LICENSE#x) ![logo](img/a%20b.png) ![away](https://other.example/x.png)\n"}
    )
    page = text(alice_client.get("/repositories/demo/browse/main/docs"))
    assert '<a href="/repositories/demo/browse/main/LICENSE#x"' in page
    assert '<img src="/repositories/demo/raw/main/docs/img/a%20b.png" alt="logo"' in page
    assert '<img src="https' not in page
    assert '<a href="https://other.example/x.png" title="A picture on another server"' in page


def test_a_readme_may_be_a_link_to_a_file_of_the_repository(alice_client, stored):
    link = ("120000", stored.blob("docs/index.md"))
    stored.commit({"README.md": link, "docs/index.md": "# Inside\n\n[next](b.md)\n"})
    page = text(alice_client.get("/repositories/demo/"))
    assert "Inside</h1>" in page
    assert 'href="/repositories/demo/browse/main/docs/b.md"' in page


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "README.md", "gone", "docs"])
def test_a_readme_that_leads_nowhere_is_no_readme(alice_client, stored, target):
    stored.commit({"README.md": ("120000", stored.blob(target)), "docs/a": "x"})
    page = alice_client.get("/repositories/demo/")
    assert (page.status_code, "readme" in page.context) == (200, False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.rst", "*Title*\n=====\n<b>\n"),
        ("README.md", "[" * 100_000),
        ("README.org", "* A\n"),
        ("README", "# B\n"),
    ],
)
def test_what_is_no_markdown_or_takes_too_long_stands_as_it_is_written(
    alice_client, stored, monkeypatch, name, content
):
    monkeypatch.setattr(markup, "CPU_SECONDS", 0.3)
    stored.commit({name: content})
    page = text(alice_client.get("/repositories/demo/"))
    assert '<pre class="readme-text">' in page
    assert "<b>" not in page.partition("readme-text")[2]


def test_a_busy_machine_shows_the_readme_as_text_and_tries_again(alice_client, stored, monkeypatch):
    stored.commit({"README.md": "# Hello\n"})

    def busy(*_, **__):
        raise child_pool.Stopped(is_final=False)

    with monkeypatch.context() as patch:
        patch.setattr(markup, "render", busy)
        assert "# Hello" in text(alice_client.get("/repositories/demo/"))
    assert ">Hello</h1>" in text(alice_client.get("/repositories/demo/"))


def test_without_the_right_to_files_the_readme_is_not_shown(stored):
    from tests import factories
    from tests.fixtures.people import signed_in

    stored.commit({"README.md": "# Hello\n"})
    lister = factories.user("lister", document=factories.allow("codecommit:GetRepository", "codecommit:GetFolder"))
    assert "readme-title" not in text(signed_in(lister).get("/repositories/demo/"))


def test_folders_in_one_step_and_targets_of_links(alice_client, stored):
    stored.commit({"src/main/java/App.java": "x", "here": ("120000", stored.blob("../a\u202e<b>"))})
    page = text(alice_client.get("/repositories/demo/"))
    assert 'href="/repositories/demo/browse/main/src/main/java"' in page
    assert "<span>src/main/java</span>" in page
    assert r"→ ../a\u202e&lt;b&gt;" in page


def test_the_languages_come_after_the_page(alice_client, stored):
    stored.commit({"a.py": "x" * 300, "b.c": "y" * 100, "vendor/c.c": "z" * 9000})
    assert 'hx-get="/repositories/demo/browse/main?languages" hx-trigger="load"' in text(
        alice_client.get("/repositories/demo/")
    )
    bar = text(alice_client.get("/repositories/demo/browse/main?languages", headers=HX))
    assert "<html" not in bar
    assert 'Python <span class="muted">75.0 %' in bar
    assert '<rect data-rank="2" x="75.000%" width="25.000%"' in bar
    assert "style=" not in bar


def test_the_count_of_commits_comes_with_the_last_commits(alice_client, stored):
    stored.commit({"a": "1"}, "Second", [stored.commit({"a": "0"}, "First")])
    fragment = text(alice_client.get("/repositories/demo/browse/main?last_commits", headers=HX))
    assert "2 commits</a>" in fragment


def test_last_commits_are_found_once(alice_client, stored, monkeypatch):
    stored.commit({"a": "1"}, "Only")
    address = "/repositories/demo/browse/main?last_commits"
    first = text(alice_client.get(address, headers=HX))
    monkeypatch.setattr(last_commits._Search, "run", lambda *_: pytest.fail("looked for again"))
    assert text(alice_client.get(address, headers=HX)) == first


def test_a_folder_with_a_name_of_odd_bytes_has_its_last_commits(alice_client, stored):
    stored.commit({b"\xff/a.txt": "x"}, "Odd")
    status, page = over_asgi(alice_client, b"/repositories/demo/browse/main/%FF?last_commits")
    assert (status, "Odd" in page) == (200, True)
