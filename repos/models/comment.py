"""Comments on commits and comparisons, and the reactions to them."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from repos.models.repository import Repository


class FileVersion(models.TextChoices):
    """Which side of a comparison a comment stands on (relativeFileVersion)."""

    BEFORE = "BEFORE", "Before"
    AFTER = "AFTER", "After"


class Comment(models.Model):
    """What somebody said of a commit against another, or of a file or a line in it; or in reply to such a comment.

    A reply lies where the comment lies that it replies to. A deleted one keeps its row without its content, so that the
    replies to it stay where they are.
    """

    comment_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="comments")
    # The commit compared with; empty where the commit was commented on alone, as a first one can only be.
    before_oid = models.CharField(max_length=40, blank=True)
    after_oid = models.CharField(max_length=40)
    file_path = models.TextField(blank=True)  # escaped; empty for a comment on the whole
    file_position = models.BigIntegerField(null=True)  # a line, from 1
    relative_file_version = models.CharField(max_length=6, choices=FileVersion, blank=True)
    # Of the file on each side, empty where it has none there.
    before_blob_oid = models.CharField(max_length=40, blank=True)
    after_blob_oid = models.CharField(max_length=40, blank=True)
    in_reply_to = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="replies")
    content = models.TextField()
    # The id stays what it is when a user is renamed.
    author_id = models.CharField(max_length=256)
    author_arn = models.CharField(max_length=600)
    author_name = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    # The caller's own mark of a request, and what that asked for: sent again it makes no second comment.
    client_request_token = models.CharField(max_length=128, blank=True)
    request_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["repository", "after_oid", "id"], name="comment_by_commit")]
        constraints = [
            models.UniqueConstraint(
                fields=["author_id", "client_request_token"],
                condition=~models.Q(client_request_token=""),
                name="comment_token_unique",
            )
        ]

    def __str__(self) -> str:
        return f"{self.author_name} on {self.after_oid[:8]}"

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def is_edited(self) -> bool:
        return not self.is_deleted and self.updated_at != self.created_at


class CommentReaction(models.Model):
    """What somebody feels about a comment: one emoji of each person."""

    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="reactions")
    short_code = models.CharField(max_length=32)  # "thumbsup"
    user_id = models.CharField(max_length=256)
    user_arn = models.CharField(max_length=600)
    reacted_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["comment", "user_id"], name="comment_reaction_one_each")]

    def __str__(self) -> str:
        return f"{self.short_code} by {self.user_arn}"
