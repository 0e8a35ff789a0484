"""Comments on commits and comparisons, and reactions to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codeservices.aws import paging
from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput
from codeservices.iam.principal import Principal
from repos import comments, reactions
from repos.aws.shapes import bad_token, limit_of
from repos.comments import Location
from repos.models import Comment, FileVersion
from repos.reactions import Tally

# AWS CodeCommit API Reference, GetCommentsForComparedCommit and GetCommentReactions.
COMMENTS_PAGE = 100
MAX_COMMENTS_PAGE = 500
MAX_REACTIONS_PAGE = 1000


@operation("codecommit", "PostCommentForComparedCommit")
def post_comment_for_compared_commit(call: Call) -> dict[str, Any]:
    params = call.params
    comment = comments.post(
        call.principal,
        params["repositoryName"],
        params["afterCommitId"],
        params["content"],
        before_oid=params.get("beforeCommitId", ""),
        location=_location(params.get("location") or {}),
        token=_token(params),
    )
    return {**_group(comment), "comment": _comment(call.principal, comment)}


@operation("codecommit", "PostCommentReply")
def post_comment_reply(call: Call) -> dict[str, Any]:
    params = call.params
    comment = comments.reply(call.principal, params["inReplyTo"], params["content"], token=_token(params))
    return {"comment": _comment(call.principal, comment)}


@operation("codecommit", "UpdateComment")
def update_comment(call: Call) -> dict[str, Any]:
    comment = comments.update(call.principal, call.params["commentId"], call.params["content"])
    return {"comment": _comment(call.principal, comment)}


@operation("codecommit", "DeleteCommentContent")
def delete_comment_content(call: Call) -> dict[str, Any]:
    comment = comments.delete(call.principal, call.params["commentId"])
    return {"comment": _comment(call.principal, comment)}


@operation("codecommit", "GetComment")
def get_comment(call: Call) -> dict[str, Any]:
    return {"comment": _comment(call.principal, comments.get(call.principal, call.params["commentId"]))}


@operation("codecommit", "GetCommentsForComparedCommit")
def get_comments_for_compared_commit(call: Call) -> dict[str, Any]:
    """Grouped by where they lie; a place with many comments may go on in the next page.

    Without a commit before, those on every comparison that the commit is the later one of.
    """
    params = call.params
    limit = limit_of(params, "maxResults", MAX_COMMENTS_PAGE, COMMENTS_PAGE)
    kind, token = "comments", params.get("nextToken")
    behind = _number(paging.decode(kind, token, bad_token())) if token else 0
    found = comments.listed(
        call.principal,
        params["repositoryName"],
        params["afterCommitId"],
        params.get("beforeCommitId", ""),
        behind=behind,
        limit=limit + 1,
    )
    shown = found[:limit]
    tallies = reactions.tallies(call.principal, shown)
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for comment in shown:
        where = (comment.before_oid, comment.file_path, comment.file_position, comment.relative_file_version)
        group = groups.setdefault(where, {**_group(comment), "comments": []})
        group["comments"].append(_shape(comment, tallies[comment.pk]))
    more = len(found) > limit
    return {
        "commentsForComparedCommitData": list(groups.values()),
        "nextToken": paging.encode(kind, str(shown[-1].pk)) if more else None,
    }


@operation("codecommit", "PutCommentReaction")
def put_comment_reaction(call: Call) -> None:
    reactions.react(call.principal, call.params["commentId"], call.params["reactionValue"])


@operation("codecommit", "GetCommentReactions")
def get_comment_reactions(call: Call) -> dict[str, Any]:
    params = call.params
    limit = limit_of(params, "maxResults", MAX_REACTIONS_PAGE, MAX_REACTIONS_PAGE)
    comment_id = params["commentId"]
    shown, token = paging.page(
        reactions.reactions(call.principal, comment_id, params.get("reactionUserArn")),
        key=lambda one: f"{reactions.EMOJIS.index(one.emoji):03}",
        kind=f"reactions-{comment_id.lower()}",
        token=params.get("nextToken"),
        limit=limit,
        refusal=bad_token(),
    )
    rows = [
        {
            "reaction": {
                "emoji": one.emoji.character,
                "shortCode": one.emoji.short_code,
                "unicode": one.emoji.unicode,
            },
            "reactionUsers": list(one.user_arns),
            "reactionsFromDeletedUsersCount": one.deleted_count,
        }
        for one in shown
    ]
    return {"reactionsForComment": rows, "nextToken": token}


def _token(params: Mapping[str, Any]) -> str:
    """A request may have no token, but no empty one."""
    token: str = params.get("clientRequestToken", "")
    if not token and "clientRequestToken" in params:
        raise InvalidInput("A token of a request is not empty.", code="ClientRequestTokenRequiredException")
    return token


def _location(given: Mapping[str, Any]) -> Location | None:
    if not given:
        return None
    if "filePath" not in given:
        raise InvalidInput("A location names the file.", code="InvalidFileLocationException")
    version = given.get("relativeFileVersion", FileVersion.AFTER)
    return Location(given["filePath"], given.get("filePosition"), version)


def _number(key: str) -> int:
    if not key.isascii() or not key.isdigit() or len(key) > 18:
        raise bad_token()
    return int(key)


def _group(comment: Comment) -> dict[str, Any]:
    """Where a comment lies: the comparison, and the file and line of it."""
    location = None
    if comment.file_path:
        location = {
            "filePath": comment.file_path,
            "filePosition": comment.file_position,
            "relativeFileVersion": comment.relative_file_version,
        }
    return {
        "repositoryName": comment.repository.name,
        "beforeCommitId": comment.before_oid or None,
        "afterCommitId": comment.after_oid,
        "beforeBlobId": comment.before_blob_oid or None,
        "afterBlobId": comment.after_blob_oid or None,
        "location": location,
    }


def _comment(principal: Principal, comment: Comment) -> dict[str, Any]:
    return _shape(comment, reactions.tallies(principal, [comment])[comment.pk])


def _shape(comment: Comment, tallies: list[Tally]) -> dict[str, Any]:
    """Comment; a deleted one tells no content."""
    return {
        "commentId": str(comment.comment_id),
        "content": None if comment.is_deleted else comment.content,
        "inReplyTo": str(comment.in_reply_to.comment_id) if comment.in_reply_to is not None else None,
        "creationDate": comment.created_at,
        "lastModifiedDate": comment.updated_at,
        "authorArn": comment.author_arn,
        "deleted": comment.is_deleted,
        "clientRequestToken": comment.client_request_token or None,
        "callerReactions": [one.emoji.name for one in tallies if one.is_mine],
        "reactionCounts": {one.emoji.name: one.number for one in tallies},
    }
