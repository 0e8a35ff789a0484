"""Unfinished uploads in parts: who began them, how much of them there is, and how to let go of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Sum
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from codeservices.http import ConsoleRequest
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from codeservices.objects import access, multipart
from codeservices.objects.models import MultipartUpload
from codeservices.objects.names import MAX_KEY_BYTES

UPLOADS_A_PAGE = 50


@dataclass(frozen=True)
class Row:
    """An upload, and what there is of it."""

    upload: MultipartUpload
    part_count: int
    size_bytes: int
    aborted_at: datetime
    may_abort: bool


@require_GET
def upload_list(request: ConsoleRequest, name: str) -> HttpResponse:
    """A bucket's uploads that are neither completed nor aborted, by key."""
    after_key, after_id = request.GET.get("after", "")[:MAX_KEY_BYTES], request.GET.get("after-id", "")
    found = multipart.list_uploads(
        request.principal, name, after_key=after_key, after_id=after_id, limit=UPLOADS_A_PAGE + 1
    )
    shown = found[:UPLOADS_A_PAGE]
    rows = [_row(request.principal, name, one) for one in shown]
    context = {
        "bucket": access.bucket_for(request.principal, "s3:ListBucketMultipartUploads", name),
        "rows": rows,
        "after": after_key,
        "following": shown[-1] if len(found) > UPLOADS_A_PAGE else None,
        "days": settings.OBJECT_UPLOAD_DAYS,
    }
    return render(request, "objects/upload_list.html", context)


@require_POST
def upload_abort(request: ConsoleRequest, name: str) -> HttpResponse:
    """Let go of an upload and its parts."""
    key = request.POST.get("key", "")
    multipart.abort(request.principal, name, key, request.POST.get("upload_id", ""))
    messages.success(request, f"The upload of {key} is aborted.")
    return redirect("objects:upload_list", name)


def _row(principal: Principal, bucket_name: str, upload: MultipartUpload) -> Row:
    parts = upload.parts.aggregate(count=Count("pk"), size=Sum("size_bytes"))
    return Row(
        upload,
        part_count=parts["count"],
        size_bytes=parts["size"] or 0,
        aborted_at=multipart.aborted_at(upload),
        may_abort=is_allowed(principal, "s3:AbortMultipartUpload", access.object_arn(bucket_name, upload.key)),
    )
