"""Comments and the reactions to them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from repos.admin.shared import OfRepository
from repos.models import Comment, CommentReaction, Repository


@admin.register(Comment)
class CommentAdmin(OfRepository):
    """What was said of which commit, newest first."""

    view_action = "codecommit:GetComment"
    list_display = (
        "comment_id",
        "repository_link",
        "author_name",
        "after_oid",
        "file_path",
        "created_at",
        "deleted_at",
    )
    list_select_related = ("repository",)
    filter_links = ("repository",)
    search_fields = ("comment_id", "repository__name", "author_name", "after_oid")
    search_help_text = "Comment id, repository, author or commit"
    date_hierarchy = "created_at"
    fields = (
        "comment_id",
        "repository_link",
        "author_name",
        "author_arn",
        "before_oid",
        "after_oid",
        "file_path",
        "file_position",
        "relative_file_version",
        "in_reply_to",
        "content",
        "created_at",
        "updated_at",
        "deleted_at",
    )


@admin.register(CommentReaction)
class CommentReactionAdmin(OfRepository):
    """Who reacted to which comment."""

    view_action = "codecommit:GetCommentReactions"
    repository_field = "comment__repository"
    list_display = ("comment", "short_code", "user_arn", "reacted_at")
    list_filter = ("short_code",)
    list_select_related = ("comment__repository",)
    search_fields = ("comment__comment_id", "user_arn")
    search_help_text = "Comment id or ARN"
    fields = ("comment", "short_code", "user_arn", "reacted_at")

    def owner_of(self, obj: Any) -> Repository:
        repository: Repository = obj.comment.repository
        return repository
