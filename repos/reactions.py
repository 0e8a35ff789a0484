"""Reactions to comments: one emoji of each person.

Source: AWS CodeCommit API Reference, PutCommentReaction, GetCommentReactions; User Guide, "Comment on a commit".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from codeservices.errors import InvalidInput
from codeservices.iam import arn
from codeservices.iam.models import User
from codeservices.iam.principal import Principal
from repos import comments
from repos.access import check_writable
from repos.models import Comment, CommentReaction

PUT = "codecommit:PutCommentReaction"
GET = "codecommit:GetCommentReactions"


class Emoji(NamedTuple):
    """One of the reactions there are."""

    short_code: str
    character: str

    @property
    def unicode(self) -> str:
        """The code point, "U+1F44D"."""
        return f"U+{ord(self.character[0]):X}"

    @property
    def name(self) -> str:
        """What counts call it, "THUMBSUP"."""
        return self.short_code.upper()


EMOJIS: Final = (
    Emoji("thumbsup", "👍"),
    Emoji("thumbsdown", "👎"),
    Emoji("smile", "😄"),
    Emoji("heart", "❤️"),
    Emoji("clap", "👏"),
    Emoji("confused", "😕"),
    Emoji("relieved", "😌"),
    Emoji("scared", "😨"),
    Emoji("angry", "😠"),
)
# An emoji may come with or without the mark that asks for its coloured form.
_VARIATION: Final = "\ufe0f"


@dataclass(frozen=True)
class Reactions:
    """Those who reacted to a comment with one emoji.

    Attributes:
        user_arns: In the order in which they did.
        deleted_count: How many more did who are no users any more.
    """

    emoji: Emoji
    user_arns: tuple[str, ...]
    deleted_count: int


class Tally(NamedTuple):
    """How many reacted with an emoji, and whether the person that looks did."""

    emoji: Emoji
    number: int
    is_mine: bool


def react(principal: Principal, comment_id: str, value: str) -> Comment:
    """Set one's reaction to a comment, in place of the one before.

    Args:
        value: An emoji, ":shortcode:" or "U+1F44D"; "" or "none" takes the reaction away.

    Raises:
        InvalidInput: There is no such reaction.
        CommentMissing, CommentDeleted, RepositoryArchived.
    """
    emoji = parse(value)
    comment = comments.comment_for(principal, PUT, comment_id)
    comments.check_not_deleted(comment)
    check_writable(comment.repository)
    who = comments.author_id(principal)
    if emoji is None:
        comment.reactions.filter(user_id=who).delete()
    else:
        values = {"short_code": emoji.short_code, "user_arn": principal.arn}
        comment.reactions.update_or_create(user_id=who, defaults=values)
    return comment


def parse(value: str) -> Emoji | None:
    """The emoji that a value stands for, None where it stands for no reaction; raises InvalidInput."""
    if value.lower() in ("", "none"):
        return None
    for emoji in EMOJIS:
        forms = (emoji.character.rstrip(_VARIATION), f":{emoji.short_code}:", emoji.short_code, emoji.unicode)
        if value.rstrip(_VARIATION).casefold() in [form.casefold() for form in forms]:
            return emoji
    known = " ".join(f":{one.short_code}:" for one in EMOJIS)
    raise InvalidInput(
        f"“{value[:50]}” is no reaction there is.", code="InvalidReactionValueException", hint=f"There are {known}."
    )


def reactions(principal: Principal, comment_id: str, user_arn: str | None = None) -> list[Reactions]:
    """The reactions to a comment, in the order of EMOJIS.

    Args:
        user_arn: Only this user's.

    Raises:
        InvalidInput: The ARN is none.
        CommentMissing, CommentDeleted.
    """
    if user_arn is not None and not arn.is_arn(user_arn):
        raise InvalidInput(f"“{user_arn[:200]}” is no ARN.", code="InvalidReactionUserArnException")
    comment = comments.check_not_deleted(comments.comment_for(principal, GET, comment_id))
    found = comment.reactions.all() if user_arn is None else comment.reactions.filter(user_arn=user_arn)
    rows = list(found)
    gone = _deleted_users(rows)
    made = []
    for emoji in EMOJIS:
        given = [one for one in rows if one.short_code == emoji.short_code]
        arns = tuple(one.user_arn for one in given if one.user_id not in gone)
        if given:
            made.append(Reactions(emoji, arns, len(given) - len(arns)))
    return made


def tallies(principal: Principal, commented: Iterable[Comment]) -> dict[int, list[Tally]]:
    """By the key of each comment how often it was reacted to, in the order of EMOJIS."""
    mine = comments.author_id(principal)
    by_comment: dict[int, dict[str, list[str]]] = {}
    keys = [comment.pk for comment in commented]
    for one in CommentReaction.objects.filter(comment__in=keys):
        by_comment.setdefault(one.comment_id, {}).setdefault(one.short_code, []).append(one.user_id)
    return {
        key: [
            Tally(emoji, len(given), mine in given)
            for emoji in EMOJIS
            if (given := by_comment.get(key, {}).get(emoji.short_code, []))
        ]
        for key in keys
    }


def _deleted_users(rows: Iterable[CommentReaction]) -> set[str]:
    """The ids of users that are no more; a role's sessions come and go, and are none."""
    ids = {one.user_id for one in rows if ":user/" in one.user_arn}
    return ids - set(User.objects.filter(user_id__in=ids).values_list("user_id", flat=True))
