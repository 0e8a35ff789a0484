"""Comments under a commit: what its page shows of them, and the forms that change them."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST

from codeservices.http import ConsoleRequest
from codeservices.iam.authorize import is_allowed
from codeservices.statements import Parameter, Statement
from repos import comments, reactions
from repos.git import refs
from repos.git.log import Commit
from repos.models import Comment, FileVersion, Repository
from repos.reactions import EMOJIS, Emoji, Tally
from repos.remembered import remembered
from repos.templatetags.repository import code_address
from repos.text import markup
from repos.text.child_pool import Stopped
from repos.views import kept
from repos.views.shared import may, opened

# Of a longer discussion a page has a part. The numbers of all its comments are read for it.
PAGE_COMMENTS = 100
# For drawing what they say, of which a page that was seen before needs nothing; then the others stand as written.
MARKDOWN_SECONDS = 1.0

_BEGINNINGS = Statement(
    lambda: (
        Comment.objects.filter(repository=Parameter(), after_oid=Parameter(1))
        .order_by("pk")
        .values_list("pk", "in_reply_to_id")
    )
)


@dataclass(frozen=True)
class Shown:
    """A comment as the page has it.

    Attributes:
        html: What it says, as Markdown; None where it is to be shown as it is written.
        revision, path: Of the file that it is about, for a link to it.
        others: The reactions that nobody has given yet, to choose from.
    """

    comment: Comment
    html: str | None
    tallies: list[Tally]
    others: list[Emoji]
    is_mine: bool
    revision: str
    path: str


@dataclass(frozen=True)
class Thread:
    """A comment, and what was said in reply to it or to one of its replies, as it was posted.

    Attributes:
        first: Where the thread began on an earlier page, the first of its replies on this one.
    """

    first: Shown
    replies: list[Shown]


def context(request: ConsoleRequest, repository: Repository, found: Commit) -> dict[str, Any]:
    """What _comments.html needs: the threads under a commit, and what the person may do there."""
    if not may(request, repository, comments.LIST):
        return {"may_read_comments": False}
    rows = Comment.objects.filter(repository=repository, after_oid=found.oid)
    order = _in_threads(_BEGINNINGS.rows(repository.pk, found.oid))
    page = Paginator(order, PAGE_COMMENTS).get_page(_page_number(request, rows, order))
    by_key = rows.select_related("repository").in_bulk(list(page))
    listed = [by_key[key] for key in page if key in by_key]
    if listed:  # they are edited, reacted to, and drawn as long as there is time
        kept.not_final(request)
    is_open = repository.archived_at is None

    def allowed(action: str) -> bool:
        return is_open and is_allowed(request.principal, action, repository.arn)

    return {
        "may_read_comments": True,
        "threads": _threads(request, repository, listed) if listed else [],
        "comment_count": rows.filter(deleted_at=None).count() if listed else 0,
        "comment_page": page,
        "may_comment": allowed(comments.POST),
        "may_reply": allowed(comments.REPLY),
        "may_edit_comments": allowed(comments.UPDATE),
        "may_delete_comments": allowed(comments.DELETE),
        "may_react": allowed(reactions.PUT),
        "max_comment_characters": comments.MAX_CONTENT_CHARACTERS,
    }


def number_between(request: ConsoleRequest, repository: Repository, before_oid: str, after_oid: str) -> int:
    """How many comments there are on what differs between two commits; 0 for those who may not read them."""
    if not may(request, repository, comments.LIST):
        return 0
    rows = Comment.objects.filter(repository=repository, before_oid=before_oid, after_oid=after_oid)
    return rows.filter(deleted_at=None).count()


@require_POST
def post(request: ConsoleRequest, name: str, oid: str) -> HttpResponse:
    """Comment on a commit against its first parent."""
    with opened(request, comments.POST, name, commitId=oid) as repository:
        parents = comments.check_commit(repository, oid).parent_oids
    content = _content(request)
    comment = comments.post(request.principal, name, oid, content, before_oid=parents[0] if parents else "")
    return _to(comment)


@require_POST
def reply(request: ConsoleRequest, name: str, oid: str, comment_id: str) -> HttpResponse:
    """Reply to a comment."""
    return _changed(
        request,
        name,
        oid,
        comment_id,
        comments.REPLY,
        lambda: comments.reply(request.principal, comment_id, _content(request)),
    )


@require_POST
def edit(request: ConsoleRequest, name: str, oid: str, comment_id: str) -> HttpResponse:
    """Change one's own comment."""
    return _changed(
        request,
        name,
        oid,
        comment_id,
        comments.UPDATE,
        lambda: comments.update(request.principal, comment_id, _content(request)),
    )


@require_POST
def delete(request: ConsoleRequest, name: str, oid: str, comment_id: str) -> HttpResponse:
    """Delete one's own comment."""
    answer = _changed(
        request, name, oid, comment_id, comments.DELETE, lambda: comments.delete(request.principal, comment_id)
    )
    messages.success(request, "The comment is deleted.")
    return answer


@require_POST
def react(request: ConsoleRequest, name: str, oid: str, comment_id: str) -> HttpResponse:
    """Set or take away one's reaction to a comment."""
    value = request.POST.get("value", "")
    return _changed(
        request, name, oid, comment_id, reactions.PUT, lambda: reactions.react(request.principal, comment_id, value)
    )


def _changed(
    request: ConsoleRequest, name: str, oid: str, comment_id: str, action: str, change: Callable[[], Comment]
) -> HttpResponse:
    """Do something to a comment of exactly this commit of this repository, and show it there."""
    with _opened(request, action, name, oid, comment_id):
        return _to(change())


@contextmanager
def _opened(request: ConsoleRequest, action: str, name: str, oid: str, comment_id: str) -> Iterator[Comment]:
    with opened(request, action, name, commitId=oid, commentId=comment_id) as repository:
        comment = comments.comment_for(request.principal, action, comment_id)
        if (comment.repository_id, comment.after_oid) != (repository.pk, oid):
            raise comments.CommentMissing(f"Commit {oid[:100]} has no comment {comment_id[:100]}.")
        yield comment


def _content(request: ConsoleRequest) -> str:
    """Browsers send line ends of their own."""
    return request.POST.get("content", "").replace("\r\n", "\n")


def _to(comment: Comment) -> HttpResponse:
    page = reverse("repos:commit", args=[comment.repository.name, comment.after_oid])
    return redirect(f"{page}?comment={comment.comment_id}#comment-{comment.comment_id}")


def _in_threads(rows: Iterable[tuple[int, int | None]]) -> list[int]:
    """The keys of comments as they are read: each thread from its first comment on, the threads as they were begun.

    Args:
        rows: (key, key of what it replies to), oldest first.
    """
    first_of: dict[int, int] = {}
    threads: dict[int, list[int]] = {}
    for key, replied_to in rows:
        first = first_of.get(replied_to or 0, key)
        first_of[key] = first
        threads.setdefault(first, []).append(key)
    return [key for thread in threads.values() for key in thread]


def _page_number(request: ConsoleRequest, rows: QuerySet[Comment], order: Sequence[int]) -> str | int:
    """The page that is asked for: by its number, or by a comment on it."""
    with contextlib.suppress(ValueError):
        wanted = uuid.UUID(request.GET.get("comment", ""))
        key = rows.filter(comment_id=wanted).values_list("pk", flat=True).first()
        if key is not None:
            return order.index(key) // PAGE_COMMENTS + 1
    return request.GET.get("comments", "1")


def _threads(request: ConsoleRequest, repository: Repository, listed: list[Comment]) -> list[Thread]:
    deadline = time.monotonic() + MARKDOWN_SECONDS
    tallies = reactions.tallies(request.principal, listed)
    threads: list[Thread] = []
    for comment in listed:
        given = tallies[comment.pk]
        used = {one.emoji for one in given}
        is_before = comment.relative_file_version == FileVersion.BEFORE
        shown = Shown(
            comment,
            _html(repository, comment) if time.monotonic() < deadline else None,
            given,
            [one for one in EMOJIS if one not in used],
            comments.is_author(request.principal, comment),
            comment.before_oid if is_before else comment.after_oid,
            refs.unescaped(comment.file_path),
        )
        if comment.in_reply_to_id is None or not threads:
            threads.append(Thread(shown, []))
        else:
            threads[-1].replies.append(shown)
    return threads


def _html(repository: Repository, comment: Comment) -> str | None:
    """What a comment says, for a page; links into the repository lead to the commit that it is about."""
    if comment.is_deleted:
        return None
    oid = comment.after_oid
    addresses = markup.Addresses(
        browse=code_address(repository.name, "browse", oid),
        raw=code_address(repository.name, "raw", oid),
        id_prefix=f"{markup.ID_PREFIX}{comment.pk}-",  # two comments may have the same headings
    )
    digest = hashlib.sha256(comment.content.encode("utf-8", "surrogatepass")).digest()
    key = ("comment", digest, addresses.browse, addresses.id_prefix)
    try:
        html = remembered(repository, *key, make=lambda: markup.render(comment.content, addresses))
    except Stopped:
        return None
    return mark_safe(html) if html is not None else None  # noqa: S308  sanitised by markup
