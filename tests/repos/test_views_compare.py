"""The page of a comparison: from what works down to the wrong method."""

from __future__ import annotations

import pytest

from tests.repos.commit_pages import text
from tests.repos.doors import over_asgi

HX = {"HX-Request": "true"}


def compare(spec: str) -> str:
    return f"/repositories/demo/compare/{spec}"


@pytest.fixture
def parted(stored) -> dict[str, str]:
    """main and feature/x, each with commits of its own since they parted."""
    base = stored.commit({"a": "1\n", "same": "1\n"}, "Base")
    main = stored.commit({"a": "1\n", "same": "1\n", "only-main": "1\n"}, "On main", [base])
    middle = stored.commit({"a": "2\n", "same": "1\n"}, "First of feature", [base], branch="feature/x")
    feature = stored.commit({"a": "3\n", "same": "1\n"}, "Second of feature", [middle], branch="feature/x")
    stored.git("update-ref", "refs/tags/v1.0", base)
    return {"base": base, "main": main, "middle": middle, "feature": feature}


def test_three_dots_show_what_the_head_changed_since_they_parted(alice_client, parted):
    page = text(alice_client.get(compare("main...feature/x")))
    assert "1 file changed" in page
    assert "<ins>3</ins>" in page or "3</td>" in page
    assert "only-main" not in page
    assert f'They parted at <a href="/repositories/demo/commit/{parted["base"]}">' in page
    assert "“feature/x” is 2 commits ahead of “main” and 1 behind." in page
    assert "Second of feature" in page
    assert "First of feature" in page
    assert "On main" not in page


def test_two_dots_show_every_difference_between_the_two(alice_client, parted):
    page = text(alice_client.get(compare("main..feature/x")))
    assert "2 files changed" in page
    assert "only-main" in page


def test_the_sides_can_be_swapped_and_the_dots_changed(alice_client, parted):
    page = text(alice_client.get(compare("main...feature/x")))
    assert f'href="{compare("feature/x...main")}" aria-label="Swap the two sides"' in page
    assert f'href="{compare("main..feature/x")}"' in page
    assert f'href="{compare("main...feature/x.patch")}"' in page


@pytest.mark.parametrize("spec", ["v1.0...main", "refs/tags/v1.0...refs/heads/main", "BASE...HEAD", "BASE...MAIN"])
def test_tags_ids_and_full_names_can_be_compared(alice_client, parted, spec):
    page = text(alice_client.get(compare(spec.replace("BASE", parted["base"]).replace("MAIN", parted["main"]))))
    assert "only-main" in page


def test_the_beginning_of_an_id_does_as_well_unless_a_branch_is_called_so(alice_client, stored, parted):
    beginning = parted["main"][:10]
    assert "only-main" in text(alice_client.get(compare(f"{parted['base'][:10].upper()}...{beginning}")))
    stored.git("update-ref", f"refs/heads/{beginning}", parted["base"])
    assert "There is nothing to compare" in text(alice_client.get(compare(f"{parted['base']}...{beginning}")))
    assert "id begins with “0123456”" in text(alice_client.get(compare("main...0123456")))


def test_an_empty_side_is_the_default_branch_or_still_to_be_chosen(alice_client, parted):
    assert "Second of feature" in text(alice_client.get(compare("...feature/x")))
    for spec in ("", "main...", f"{parted['base']}..."):
        page = alice_client.get(compare(spec))
        assert page.status_code == 200
        assert "Choose two branches or tags" in text(page)


def test_an_empty_repository_has_nothing_to_compare_and_says_so(alice_client, stored):
    page = text(alice_client.get("/repositories/demo/compare/"))
    assert "Nothing to compare yet" in page
    assert 'href="/repositories/demo/">code page</a>' in page


def test_equal_sides_and_a_head_without_commits_of_its_own_are_told(alice_client, parted):
    assert "There is nothing to compare" in text(alice_client.get(compare("main...main")))
    page = text(alice_client.get(compare("main...v1.0")))
    assert "“v1.0” has no commit that “main” lacks." in page
    page = text(alice_client.get(compare("main..v1.0")))
    assert "only-main" in page
    assert "0 commits ahead" in page


def test_unrelated_histories_are_told_and_compared_whole(alice_client, stored, parted):
    stored.commit({"alone": "1\n"}, "Orphan", branch="orphan")
    page = text(alice_client.get(compare("main...orphan")))
    assert "no commit in common" in page
    assert "alone" in page
    assert "only-main" in page
    assert "Orphan" in page


def test_commits_come_in_pages(alice_client, stored, parted):
    tip = parted["main"]
    for number in range(45):
        tip = stored.commit({"a": str(number)}, f"Change {number}.", [tip], branch="long")
    page = text(alice_client.get(compare("main...long")))
    assert "Change 44." in page
    assert "Change 24." not in page
    assert f'hx-get="{compare("main...long")}?commits=2"' in page
    rows = text(alice_client.get(compare("main...long"), {"commits": "3"}, headers=HX))
    assert "Change 0." in rows
    assert "<html" not in rows
    assert "commits=4" not in rows
    assert "commits=2" in rows
    assert "Change 0." in text(alice_client.get(compare("main...long"), {"commits": "3"}))
    assert alice_client.get(compare("main...long"), {"commits": "²"}).status_code == 200


def test_files_come_in_fragments_as_on_the_page_of_a_commit(alice_client, parted):
    fragment = text(alice_client.get(compare("main..feature/x"), {"file": "1"}, headers=HX))
    assert fragment.strip().startswith('<section class="diff-file" id="file-1"')
    answer = alice_client.get(compare("main..feature/x"), {"view": "split"})
    assert 'data-view="split"' in text(answer)
    assert answer.cookies["diff_view"].value == "split"


def test_a_side_is_chosen_in_a_menu_that_is_filtered(alice_client, parted):
    options = text(alice_client.get(compare("main...feature/x"), {"pick": "head"}, headers=HX))
    assert f'href="{compare("main...main")}"' in options
    assert f'href="{compare("main...v1.0")}"' in options
    assert f'href="{compare("main...feature/x")}" aria-current="true"' in options
    options = text(alice_client.get(compare("main...feature/x"), {"pick": "base", "base": "FEAT"}, headers=HX))
    assert f'href="{compare("feature/x...feature/x")}"' in options
    assert compare("main...feature/x") not in options
    options = text(alice_client.get(compare("gone...main"), {"pick": "base", "base": "zzz"}, headers=HX))
    assert "No branch or tag has that in its name." in options


def test_without_scripts_a_form_leads_to_the_comparison(alice_client, parted):
    answer = alice_client.get(compare(""), {"base": "v1.0", "head": " feature/x ", "dots": ".."})
    assert (answer.status_code, answer.url) == (302, compare("v1.0..feature/x"))
    answer = alice_client.get(compare(""), {"base": "v1.0", "head": "feature/x", "dots": "x"})
    assert answer.url == compare("v1.0...feature/x")
    answer = alice_client.get(compare(""), {"base": "a..b", "head": "c"})
    assert answer.status_code == 400
    assert "A revision has no two dots in its name" in text(answer)


def test_a_comparison_is_had_as_patches_and_as_a_diff(alice_client, stored, parted):
    answer = alice_client.get(compare("main...feature/x.patch"))
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    patches = text(answer)
    assert "Subject: [PATCH 1/2] First of feature" in patches
    assert "Subject: [PATCH 2/2] Second of feature" in patches
    assert text(alice_client.get(compare("main...feature/x.diff"))).count("diff --git") == 1
    assert text(alice_client.get(compare("main..feature/x.diff"))).count("diff --git") == 2
    stored.git("update-ref", "refs/heads/odd.diff", parted["feature"])
    assert "<html" in text(alice_client.get(compare("main...odd.diff")))  # a branch is called so
    assert text(alice_client.get(compare("main...odd.diff.diff"))).startswith("diff --git")


def test_names_of_any_bytes_and_hostile_ones_can_be_compared(alice_client, stored, parted):
    stored.git("update-ref", b"refs/heads/caf\xe9", parted["feature"])
    stored.git("update-ref", "refs/heads/-x", parted["feature"])
    stored.git("update-ref", "refs/heads/<b>$(id)", parted["feature"])
    status, page = over_asgi(alice_client, b"/repositories/demo/compare/main...caf%E9")
    assert status == 200
    assert r"caf\xe9" in page
    assert "main...caf%E9" in page
    assert "Second of feature" in text(alice_client.get(compare("main...-x")))
    page = text(alice_client.get(compare("main...%3Cb%3E$(id)")))
    assert "<b>$(id)" not in page
    assert "Second of feature" in page


@pytest.mark.parametrize(
    ("spec", "status", "sentence"),
    [
        ("main...gone", 404, "No branch, tag or commit is called “gone”"),
        ("gone...main", 404, "No branch, tag or commit is called “gone”"),
        ("main", 404, "“main” does not say what to compare."),
        ("main....feature/x", 404, "No branch, tag or commit is called"),
        ("main...--output=x", 404, "No branch, tag or commit is called"),
        (f"main...{'1' * 40}", 404, "names no commit"),
    ],
)
def test_what_can_not_be_compared_is_told(alice_client, parted, spec, status, sentence):
    answer = alice_client.get(compare(spec))
    assert answer.status_code == status
    assert sentence in text(answer)


@pytest.mark.parametrize("page", ["", ".patch", ".diff"])
def test_a_reader_reads_an_outsider_does_not_and_the_anonymous_sign_in(
    bob_client, carol_client, client, alice_client, parted, page
):
    path = compare("main...feature/x") + page
    assert bob_client.get(path).status_code == 200
    answer = carol_client.get(path)
    assert answer.status_code == 403
    assert "Second of feature" not in text(answer)
    answer = client.get(path)
    assert (answer.status_code, answer.url) == (302, f"/sign-in/?next={path}")
    assert alice_client.post(path).status_code == 405
    assert alice_client.get(path.replace("/demo/", "/absent/")).status_code == 404
