"""Comments on commits and on comparisons of two: what API and console share.

Policies decide who may comment on what is in a repository; beyond that a comment is its author's alone to change or to
delete.

Source: AWS CodeCommit API Reference, the operations of comments; User Guide, "Quotas" and "Comment on a commit".
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from codeservices.errors import AccessDenied, Conflict, InvalidInput, NotFound, ServiceError
from codeservices.iam import arn
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from repos import oids
from repos.access import check_writable, repository_for
from repos.git import blob, log, refs, specifier, tree
from repos.git.store import BareRepository
from repos.models import Comment, FileVersion, Repository

POST = "codecommit:PostCommentForComparedCommit"
REPLY = "codecommit:PostCommentReply"
UPDATE = "codecommit:UpdateComment"
DELETE = "codecommit:DeleteCommentContent"
GET = "codecommit:GetComment"
LIST = "codecommit:GetCommentsForComparedCommit"

MAX_CONTENT_CHARACTERS = 10_240
MAX_TOKEN_CHARACTERS = 128
# Of a longer file no line can be commented on: they would all have to be counted.
MAX_COUNTED_BYTES = 64 * 1024 * 1024
# A UUID, or two with a colon between them.
_COMMENT_ID = re.compile(r"[0-9a-fA-F-]{36}(?::[0-9a-fA-F-]{36})?")


class CommentMissing(NotFound):
    """There is no such comment."""

    code = "CommentDoesNotExistException"


class CommentDeleted(Conflict):
    """Its content was deleted."""

    code = "CommentDeletedException"


class NotTheAuthor(ServiceError):
    """Only who wrote a comment changes or deletes it."""

    code = "CommentNotCreatedByCallerException"
    status = 403


class TokenReused(Conflict):
    """A request's token came before, with another request."""

    code = "IdempotencyParameterMismatchException"


@dataclass(frozen=True)
class Location:
    """What of a comparison is commented on: a file, or a line of it.

    Attributes:
        line: From 1, in the version of the file that is meant; None for the whole file.
        version: The file's, "AFTER" being the commit's own.
    """

    file_path: str
    line: int | None = None
    version: str = FileVersion.AFTER


def post(
    principal: Principal,
    repository_name: str,
    after_oid: str,
    content: str,
    *,
    before_oid: str = "",
    location: Location | None = None,
    token: str = "",
) -> Comment:
    """Comment on a commit, or on what it has otherwise than another; or on a file there.

    Args:
        token: The caller's own mark of this request: the same request sent again gives the comment it made.

    Raises:
        InvalidInput: The content is empty or too long; an id, the location or the token breaks a rule.
        NotFound: A commit or the file is not there.
        TokenReused: The token came with another request.
        RepositoryArchived.
    """
    check_content(content)
    oids.check(after_oid)
    if before_oid:
        oids.check(before_oid)
    if before_oid == after_oid:
        raise InvalidInput(
            f"A comparison has two commits; both are {after_oid}.",
            code="BeforeCommitIdAndAfterCommitIdAreSameException",
        )
    repository = repository_for(principal, POST, repository_name)
    check_writable(repository)
    comment = Comment(repository=repository, after_oid=after_oid, before_oid=before_oid, content=content)
    with repository.git as git:
        for oid in filter(None, (before_oid, after_oid)):
            check_commit(repository, oid)
        if location is not None:
            _locate(git, comment, location)
    asked = [POST, str(repository.repository_id), before_oid, after_oid, comment.file_path, comment.file_position]
    return _save(principal, comment, token, [*asked, comment.relative_file_version, content])


def reply(principal: Principal, comment_id: str, content: str, *, token: str = "") -> Comment:
    """Reply to a comment, deleted or not; the reply lies where that lies. Raises as `post`, and CommentMissing."""
    check_content(content)
    first = comment_for(principal, REPLY, comment_id)
    check_writable(first.repository)
    comment = Comment(
        repository=first.repository,
        before_oid=first.before_oid,
        after_oid=first.after_oid,
        file_path=first.file_path,
        file_position=first.file_position,
        relative_file_version=first.relative_file_version,
        before_blob_oid=first.before_blob_oid,
        after_blob_oid=first.after_blob_oid,
        in_reply_to=first,
        content=content,
    )
    return _save(principal, comment, token, [REPLY, str(first.comment_id), content])


def update(principal: Principal, comment_id: str, content: str) -> Comment:
    """Give one's own comment another content.

    Raises:
        CommentMissing, CommentDeleted, NotTheAuthor, RepositoryArchived.
        InvalidInput: The content is empty or too long.
    """
    check_content(content)
    return _change(principal, UPDATE, comment_id, lambda now: {"content": content, "updated_at": now})


def delete(principal: Principal, comment_id: str) -> Comment:
    """Delete the content of one's own comment for good; that there was one stays. Raises as `update`."""
    return _change(principal, DELETE, comment_id, lambda now: {"content": "", "deleted_at": now, "updated_at": now})


def get(principal: Principal, comment_id: str) -> Comment:
    """One comment; raises CommentMissing, CommentDeleted."""
    return check_not_deleted(comment_for(principal, GET, comment_id))


def listed(
    principal: Principal, repository_name: str, after_oid: str, before_oid: str, *, behind: int, limit: int
) -> list[Comment]:
    """Comments on a commit, deleted ones too, as they were posted.

    Args:
        before_oid: Only those on the comparison with this commit; "" for all.
        behind: The key of the last one told before, 0 for the first page.
        limit: The most to give.

    Raises:
        InvalidInput: An id is none.
        NotFound: There is no such commit.
    """
    for oid in (after_oid, *filter(None, [before_oid])):
        oids.check(oid)
    repository = repository_for(principal, LIST, repository_name)
    with repository.git:
        for oid in filter(None, (before_oid, after_oid)):
            check_commit(repository, oid)
    found = Comment.objects.filter(repository=repository, after_oid=after_oid, pk__gt=behind).select_related(
        "repository", "in_reply_to"
    )
    if before_oid:
        found = found.filter(before_oid=before_oid)
    return list(found.order_by("pk")[:limit])


def comment_for(principal: Principal, action: str, comment_id: str) -> Comment:
    """The comment with this id, for one act on the repository that it lies in.

    An id names no repository: what a denial says tells neither which one it is, nor whether there is such a comment.

    Raises:
        InvalidInput: The id is empty or none.
        AccessDenied: The principal may not do `action` there.
        CommentMissing: There is no such comment.
    """
    if not comment_id:
        raise InvalidInput("The id of a comment is required.", code="CommentIdRequiredException")
    if not _COMMENT_ID.fullmatch(comment_id):
        raise InvalidInput(f"“{comment_id[:100]}” is no id of a comment.", code="InvalidCommentIdException")
    try:
        wanted = uuid.UUID(comment_id)
    except ValueError:
        comment = None
    else:
        live = Comment.objects.filter(repository__deleted_at=None).select_related("repository", "in_reply_to")
        comment = live.filter(comment_id=wanted).first()
    anywhere = arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, "*")
    try:
        authorize(principal, action, comment.repository.arn if comment is not None else anywhere)
    except AccessDenied as denied:
        raise denied.about(anywhere) from None
    if comment is None:
        raise CommentMissing(f"There is no comment {comment_id}.")
    return comment


def check_not_deleted(comment: Comment) -> Comment:
    """The comment itself; raises CommentDeleted."""
    if comment.is_deleted:
        raise CommentDeleted(f"The comment {comment.comment_id} was deleted.")
    return comment


def check_content(content: str) -> None:
    """That a comment says something and is none too long."""
    if not content.strip():
        raise InvalidInput("A comment says something.", code="CommentContentRequiredException")
    if len(content) > MAX_CONTENT_CHARACTERS:
        raise InvalidInput(
            f"A comment has at most {MAX_CONTENT_CHARACTERS:,} characters, not {len(content):,}.",
            code="CommentContentSizeLimitExceededException",
        )


def check_commit(repository: Repository, oid: str) -> log.Commit:
    """The commit with this id; raises NotFound with CodeCommit's code where there is none."""
    try:
        return log.commit(repository.git, oid)
    except NotFound as missing:
        raise NotFound(f"{repository.name} has no commit {oid}.", code="CommitDoesNotExistException") from missing


def is_author(principal: Principal, comment: Comment) -> bool:
    """Whether the comment is theirs."""
    return bool(comment.author_id) and comment.author_id == author_id(principal)


def author_id(principal: Principal) -> str:
    """What tells one author from another, whatever they are called by now."""
    return principal.principal_id or principal.arn


def _locate(git: BareRepository, comment: Comment, location: Location) -> None:
    """Say in the comment where it lies; raises where there is no such file or line."""
    path = specifier.file_path(location.file_path)
    versions = [FileVersion.BEFORE, FileVersion.AFTER] if comment.before_oid else [FileVersion.AFTER]
    if location.version not in versions:
        raise InvalidInput(
            f"The version of a file is {' or '.join(versions)} here, not “{location.version[:20]}”.",
            code="InvalidRelativeFileVersionEnumException",
        )
    comment.before_blob_oid = _blob_oid(git, comment.before_oid, path) if comment.before_oid else ""
    comment.after_blob_oid = _blob_oid(git, comment.after_oid, path)
    if not comment.before_blob_oid and not comment.after_blob_oid:
        raise NotFound(f"Neither commit has a file “{refs.shown(path)}”.", code="PathDoesNotExistException")
    comment.file_path = refs.escaped(path)
    comment.relative_file_version = location.version
    if location.line is not None:
        is_before = location.version == FileVersion.BEFORE
        _check_line(git, comment.before_blob_oid if is_before else comment.after_blob_oid, location.line)
        comment.file_position = location.line


def _blob_oid(git: BareRepository, oid: str, path: str) -> str:
    try:
        return blob.locate(git, oid, path).oid
    except tree.PathNotFound:
        return ""


def _check_line(git: BareRepository, oid: str, line: int) -> None:
    count = 0
    if oid and blob.size_bytes(git, oid) <= MAX_COUNTED_BYTES:
        last = b"\n"
        for piece in blob.stream(git, oid):
            count += piece.count(b"\n")
            last = piece[-1:]
        count += last != b"\n"
    if not 1 <= line <= count:
        raise InvalidInput(
            f"That version of the file has {count:,} lines to comment on, from 1; there is no line {line:,}.",
            code="InvalidFilePositionException",
        )


def _save(principal: Principal, comment: Comment, token: str, asked: Sequence[Any]) -> Comment:
    """Store a new comment once, however often its token comes."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise InvalidInput(
            f"A token of a request has at most {MAX_TOKEN_CHARACTERS} characters, not {len(token)}.",
            code="InvalidClientRequestTokenException",
        )
    comment.author_id, comment.author_arn = author_id(principal), principal.arn
    comment.author_name = principal.name
    comment.updated_at = comment.created_at
    comment.client_request_token = token
    comment.request_digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    if token and (earlier := _with_token(comment)) is not None:
        return earlier
    try:
        with transaction.atomic():
            comment.save()
    except IntegrityError:  # the same request, sent twice at once
        found = _with_token(comment) if token else None
        if found is None:
            raise
        return found
    return comment


def _with_token(comment: Comment) -> Comment | None:
    """What the same request made before; raises TokenReused where it was another request."""
    mine = Comment.objects.filter(author_id=comment.author_id, client_request_token=comment.client_request_token)
    found = mine.select_related("repository", "in_reply_to").first()
    if found is not None and found.request_digest != comment.request_digest:
        raise TokenReused("This token came with another request before; give each request its own.")
    return found


def _change(principal: Principal, action: str, comment_id: str, changes: Callable[[Any], dict[str, Any]]) -> Comment:
    comment = comment_for(principal, action, comment_id)
    check_writable(comment.repository)
    if not is_author(principal, comment):
        raise NotTheAuthor(f"The comment {comment.comment_id} is {comment.author_name}'s: nobody else changes it.")
    check_not_deleted(comment)
    values = changes(timezone.now())
    # What is deleted meanwhile stays deleted.
    if not Comment.objects.filter(pk=comment.pk, deleted_at=None).update(**values):
        raise CommentDeleted(f"The comment {comment.comment_id} was deleted.")
    for name, value in values.items():
        setattr(comment, name, value)
    return comment
