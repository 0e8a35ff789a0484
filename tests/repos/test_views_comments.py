"""Comments under a commit, in the browser."""

from __future__ import annotations

import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from repos import comments, reactions
from repos.comments import Location
from repos.models import Comment
from repos.text import markup
from repos.text.child_pool import Stopped
from tests import factories, gitrepo
from tests.fixtures.people import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def oids(stored) -> tuple[str, str]:
    """Two commits of “demo”."""
    git = stored.repository
    return gitrepo.commit(git, {"a.txt": "1\n2\n", "b": "x"}), gitrepo.commit(git, {"a.txt": "1\nzwei\n"})


def place(oid: str, *rest: str) -> str:
    return "/".join(["/repositories/demo/commit", oid, *rest])


def page_of(client, oid: str) -> str:
    return client.get(place(oid)).content.decode()


def test_a_comment_is_posted_and_shown_as_the_text_that_it_is(alice, alice_client, oids):
    assert "Nobody has commented" in page_of(alice_client, oids[1])
    content = "<script>alert(1)</script>\r\n& so"
    answer = alice_client.post(place(oids[1], "comments"), {"content": content})
    comment = Comment.objects.get()
    assert answer["Location"] == f"{place(oids[1])}?comment={comment.comment_id}#comment-{comment.comment_id}"
    assert (comment.content, comment.before_oid) == ("<script>alert(1)</script>\n& so", oids[0])
    page = page_of(alice_client, oids[1])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\n&amp; so" in page and "<script>alert" not in page
    assert f'title="{alice.arn}"' in page
    first = alice_client.post(place(oids[0], "comments"), {"content": "First"})
    assert first.status_code == 302
    assert Comment.objects.get(content="First").before_oid == ""


def test_replies_stand_under_what_they_reply_to(alice, alice_client, oids):
    first = comments.post(alice.principal, "demo", oids[1], "Question", before_oid=oids[0])
    comments.post(alice.principal, "demo", oids[1], "Other thread")
    alice_client.post(place(oids[1], "comments", str(first.comment_id), "reply"), {"content": "Answer"})
    reply = Comment.objects.get(content="Answer")
    comments.reply(alice.principal, str(reply.comment_id), "Thanks")
    threads = page_of(alice_client, oids[1]).split('<article class="thread">')[1:]
    assert [[word in thread for word in ("Question", "Answer", "Thanks", "Other")] for thread in threads] == [
        [True, True, True, False],
        [False, False, False, True],
    ]


def test_one_changes_and_deletes_ones_own_alone(alice, alice_client, oids):
    paula = factories.user("paula", "AWSCodeCommitFullAccess")
    mine = comments.post(alice.principal, "demo", oids[1], "Mine")
    theirs = comments.post(paula.principal, "demo", oids[1], "Theirs")
    page = page_of(alice_client, oids[1])
    for act in ("edit", "delete"):
        assert place(oids[1], "comments", str(mine.comment_id), act) in page
        assert place(oids[1], "comments", str(theirs.comment_id), act) not in page
        answer = alice_client.post(place(oids[1], "comments", str(theirs.comment_id), act), {"content": "x"})
        assert answer.status_code == 403
    alice_client.post(place(oids[1], "comments", str(mine.comment_id), "edit"), {"content": "Better"})
    page = page_of(alice_client, oids[1])
    assert "Better" in page and "edited" in page and "Theirs" in page
    alice_client.post(place(oids[1], "comments", str(mine.comment_id), "delete"))
    page = page_of(alice_client, oids[1])
    assert "Better" not in page and "This comment was deleted." in page
    again = alice_client.post(place(oids[1], "comments", str(mine.comment_id), "edit"), {"content": "x"})
    assert again.status_code == 409


def test_a_reaction_is_given_and_taken_back(alice, alice_client, oids):
    comment = comments.post(alice.principal, "demo", oids[1], "Well")
    reactions.react(factories.user("paula", "AWSCodeCommitFullAccess").principal, str(comment.comment_id), "👍")
    react = place(oids[1], "comments", str(comment.comment_id), "react")
    alice_client.post(react, {"value": ":thumbsup:"})
    [button] = re.findall(r'<button[^>]*value="none"[^>]*>', page_of(alice_client, oids[1]))
    assert 'aria-label="thumbsup, 2"' in button and 'aria-pressed="true"' in button
    alice_client.post(react, {"value": "none"})
    assert 'aria-label="thumbsup, 1"' in page_of(alice_client, oids[1])
    assert alice_client.post(react, {"value": ":snail:"}).status_code == 400


def test_a_comment_on_a_line_links_to_it(alice, alice_client, oids):
    for line, version in ((2, "AFTER"), (1, "BEFORE")):
        comments.post(
            alice.principal, "demo", oids[1], "Here", before_oid=oids[0], location=Location("a.txt", line, version)
        )
    page = page_of(alice_client, oids[1])
    assert f'href="/repositories/demo/browse/{oids[1]}/a.txt#L2">a.txt, line 2</a>' in page
    assert f'href="/repositories/demo/browse/{oids[0]}/a.txt#L1">a.txt, line 1</a> as it was before' in page


def test_readers_see_comments_and_change_none(alice, bob_client, oids):
    comment = comments.post(alice.principal, "demo", oids[1], "Well")
    reactions.react(alice.principal, str(comment.comment_id), ":clap:")
    page = page_of(bob_client, oids[1])
    assert "Well" in page and "👏" in page
    assert f"{place(oids[1])}/comments" not in page
    for act in ((), (str(comment.comment_id), "reply"), (str(comment.comment_id), "react")):
        answer = bob_client.post(place(oids[1], "comments", *act), {"content": "x", "value": ":clap:"})
        assert answer.status_code == 403


def test_whoever_may_not_list_comments_sees_none(alice, oids):
    comments.post(alice.principal, "demo", oids[1], "Hidden words")
    document = factories.allow("codecommit:GetCommit")
    page = page_of(signed_in(factories.user("dora", document=document)), oids[1])
    assert "Hidden words" not in page and 'id="comments"' not in page


def test_a_comment_is_found_under_its_own_commit_and_repository_alone(alice, alice_client, oids):
    comment = comments.post(alice.principal, "demo", oids[1], "Well")
    factories.repository("other")
    one = str(comment.comment_id)
    for address in (
        place(oids[0], "comments", one, "edit"),
        place(oids[1], "comments", one, "edit").replace("demo", "other"),
        place(oids[1], "comments", "0" * 8 + one[8:], "edit"),
    ):
        assert alice_client.post(address, {"content": "x"}).status_code == 404
    assert Comment.objects.get().content == "Well"


def test_empty_and_endless_comments_are_refused_in_words(alice_client, oids):
    for content in ("", " \r\n", "x" * 10_241):
        answer = alice_client.post(place(oids[1], "comments"), {"content": content})
        assert answer.status_code == 400
        assert "comment" in answer.content.decode().lower()
    assert alice_client.get(place(oids[1], "comments")).status_code == 405
    assert alice_client.post(place("1" * 40, "comments"), {"content": "x"}).status_code == 404
    assert not Comment.objects.exists()


def test_an_archived_repository_shows_its_comments_and_no_forms(alice, alice_client, oids):
    comment = comments.post(alice.principal, "demo", oids[1], "Well")
    comment.repository.archived_at = comment.created_at
    comment.repository.save()
    page = page_of(alice_client, oids[1])
    assert "Well" in page and f"{place(oids[1])}/comments" not in page and "is archived" in page
    assert alice_client.post(place(oids[1], "comments"), {"content": "x"}).status_code == 409


def test_a_long_list_asks_no_more_of_the_database(alice, alice_client, oids):
    def queries(count: int) -> int:
        for number in range(count):
            comment = comments.post(alice.principal, "demo", oids[1], f"Number {number}")
            comments.reply(alice.principal, str(comment.comment_id), "So")
            reactions.react(alice.principal, str(comment.comment_id), ":clap:")
        with CaptureQueriesContext(connection) as asked:
            assert f"Number {count - 1}" in page_of(alice_client, oids[1])
        return len(asked)

    queries(2)
    assert queries(1) == queries(10)


def test_a_long_discussion_comes_in_pages_and_each_comment_is_found(alice, alice_client, oids, monkeypatch):
    monkeypatch.setattr("repos.views.comments.PAGE_COMMENTS", 2)
    first = comments.post(alice.principal, "demo", oids[1], "first of all")
    other = comments.post(alice.principal, "demo", oids[1], "another thread")
    replies = [comments.reply(alice.principal, str(first.comment_id), f"reply number {at}") for at in range(2)]

    page = page_of(alice_client, oids[1])
    assert "first of all" in page
    assert "reply number 0" in page
    assert "another thread" not in page
    assert "1–2 of 4" in page
    page = alice_client.get(f"{place(oids[1])}?comment={other.comment_id}").content.decode()
    assert "reply number 1" in page  # the rest of the first thread
    assert f'href="?comment={first.comment_id}#comment-{first.comment_id}"' in page
    assert "another thread" in page
    page = alice_client.get(f"{place(oids[1])}?comment={replies[0].comment_id}").content.decode()
    assert "first of all" in page
    for odd in ("?comments=99", "?comments=x", "?comment=x", f"?comment={uuid.uuid4()}"):
        assert alice_client.get(place(oids[1]) + odd).status_code == 200


def test_the_same_headings_in_two_comments_have_ids_of_their_own(alice, alice_client, oids):
    for _ in range(2):
        comments.post(alice.principal, "demo", oids[1], "# Why\n\nSee [above](#why).")
    page = page_of(alice_client, oids[1])
    ids = re.findall(r'<h1 id="([^"]+)">Why', page)
    assert len(set(ids)) == 2
    assert re.findall(r'href="#([^"]+)" [^>]*>above', page) == ids


def test_a_comment_is_markdown_that_does_no_harm(alice, alice_client, oids):
    text = "See **this**, [a](a.txt), https://example.org\nand <script>alert(1)</script><b onclick='x'>that</b>"
    comments.post(alice.principal, "demo", oids[1], text)
    page = page_of(alice_client, oids[1])
    assert "See <strong>this</strong>" in page and "<b>that</b>" in page
    assert f'<a href="/repositories/demo/browse/{oids[1]}/a.txt"' in page
    assert '<a href="https://example.org" rel="nofollow noopener noreferrer">' in page
    assert "alert(1)" not in page.partition('class="comment-text')[2].partition("</div>")[0]
    assert "onclick" not in page.partition('class="comment-text')[2].partition("</div>")[0]


def test_a_comment_that_takes_too_long_to_draw_stands_as_written(alice, alice_client, oids, monkeypatch):
    def render(*_: object) -> None:
        raise Stopped(is_final=False)

    monkeypatch.setattr(markup, "render", render)
    comments.post(alice.principal, "demo", oids[1], "**this** <b>")
    assert "**this** &lt;b&gt;</p>" in page_of(alice_client, oids[1])


def test_a_comparison_tells_of_its_comments_and_leads_to_them(alice, alice_client, oids):
    comments.post(alice.principal, "demo", oids[1], "On all of it", before_oid=oids[0])
    comments.post(alice.principal, "demo", oids[1], "On it too", before_oid=oids[0])
    page = alice_client.get(f"/repositories/demo/compare/{oids[0]}..{oids[1]}").content.decode()
    assert f'href="/repositories/demo/commit/{oids[1]}#comments">2 comments on this comparison' in page
    assert f"“{oids[1][:8]}” is 1 commit ahead of “{oids[0][:8]}”" in page
    assert (
        "on this comparison"
        not in alice_client.get(f"/repositories/demo/compare/{oids[1]}..{oids[0]}").content.decode()
    )
