"""Buckets and objects, as an operator sees them. They change through the product alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from codeservices.admin import columns
from codeservices.admin.base import ActionAdmin
from codeservices.http import ConsoleRequest
from codeservices.iam.authorize import is_allowed
from codeservices.objects import buckets, multipart, services
from codeservices.objects.models import Bucket, MultipartUpload, Piece, StoredObject


class OfBucket(ActionAdmin):
    """Rows of buckets: those that one may list."""

    list_action = "s3:ListAllMyBuckets"
    # From a row to its bucket, as lookups say it.
    bucket_field = "bucket"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        hidden = [
            one.pk
            for one in Bucket.objects.only("name")
            if not is_allowed(request.principal, "s3:ListBucket", one.arn)  # type: ignore[attr-defined]
        ]
        return found.exclude(**{f"{self.bucket_field}__in": hidden}) if hidden else found

    @admin.display(description="bucket")
    def bucket_link(self, obj: Any) -> str:
        return columns.link(obj.bucket)


@admin.register(Bucket)
class BucketAdmin(OfBucket):
    """Buckets and how much is in them; an empty one can be deleted."""

    view_action, delete_action = "s3:ListBucket", "s3:DeleteBucket"
    bucket_field = "pk"
    list_display = ("name", "object_count", "size_bytes", "objects_link", "created_at")
    search_fields = ("name",)
    search_help_text = "Name"
    fields = ("name", "row_arn", "object_count", "size_bytes", "tags", "objects_link", "created_by", "created_at")

    def remove(self, request: ConsoleRequest, obj: Bucket) -> None:
        buckets.delete_bucket(request.principal, obj.name)

    @admin.display(description="objects")
    def objects_link(self, obj: Bucket) -> str:
        return columns.list_link(StoredObject, "Objects", bucket__id__exact=obj.pk)

    @admin.display(description="ARN")
    def row_arn(self, obj: Bucket) -> str:
        return obj.arn


@admin.register(StoredObject)
class StoredObjectAdmin(OfBucket):
    """Objects, and where their bytes lie; they can be deleted."""

    view_action, delete_action = "s3:GetObject", "s3:DeleteObject"
    list_display = ("key", "bucket_link", "size_bytes", "content_type", "modified_at")
    list_select_related = ("bucket",)
    filter_links = ("bucket",)
    search_fields = ("key",)
    search_help_text = "Key"
    fields = (
        "key",
        "bucket_link",
        "row_arn",
        "size_bytes",
        "etag",
        "sha256",
        "checksums",
        "content_type",
        "headers",
        "metadata",
        "tags",
        "modified_at",
        "storage_keys",
    )

    def remove(self, request: ConsoleRequest, obj: StoredObject) -> None:
        services.delete_object(request.principal, obj.bucket.name, obj.key)

    @admin.display(description="ARN")
    def row_arn(self, obj: StoredObject) -> str:
        return obj.arn

    @admin.display(description="bytes lie under")
    def storage_keys(self, obj: StoredObject) -> str:
        return ", ".join(piece.storage_key for piece in obj.pieces.all()[:20])


@admin.register(MultipartUpload)
class MultipartUploadAdmin(OfBucket):
    """Uploads in parts that are neither completed nor aborted; they can be aborted."""

    view_action, delete_action = "s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload"
    list_display = ("key", "bucket_link", "started_by", "started_at")
    list_select_related = ("bucket",)
    filter_links = ("bucket",)
    search_fields = ("key",)
    search_help_text = "Key"
    fields = ("key", "bucket_link", "upload_id", "content_type", "metadata", "started_by", "started_at")

    def resource_of(self, obj: MultipartUpload) -> str:
        return obj.bucket.arn

    def remove(self, request: ConsoleRequest, obj: MultipartUpload) -> None:
        multipart.abort(request.principal, obj.bucket.name, obj.key, obj.upload_id.hex)


@admin.register(Piece)
class PieceAdmin(ActionAdmin):
    """Bytes in the store and what they belong to; those of nothing are removed by the sweep."""

    list_action = view_action = "s3:ListAllMyBuckets"
    list_display = ("storage_key", "stored_object", "upload", "number", "size_bytes", "created_at", "discarded_at")
    list_select_related = ("stored_object__bucket", "upload__bucket")
    search_fields = ("storage_key",)
    search_help_text = "Storage key"
    fields = ("storage_key", "stored_object", "upload", "number", "size_bytes", "md5", "created_at", "discarded_at")

    def resource_of(self, obj: Piece) -> str:
        return "*"
