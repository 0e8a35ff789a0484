"""Buckets in the console: list, make one, look into one folder by folder, delete an empty one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal
from codeservices.iam.views.shared import tell
from codeservices.objects import access, buckets
from codeservices.objects.forms import BucketForm
from codeservices.objects.listing import list_objects
from codeservices.objects.models import Bucket, StoredObject
from codeservices.objects.names import MAX_KEY_BYTES
from codeservices.objects.views import shared

BUCKETS_A_PAGE = 50
KEYS_A_PAGE = 100


@dataclass(frozen=True)
class Row:
    """A bucket on the list; its figures are told to those who may look into it."""

    bucket: Bucket
    may_list: bool


@dataclass(frozen=True)
class Key:
    """An object in its folder."""

    stored: StoredObject
    name: str
    may_get: bool


@require_GET
def bucket_list(request: ConsoleRequest) -> HttpResponse:
    """All buckets by name."""
    query = request.GET.get("q", "")[:63]
    page = Paginator(buckets.list_buckets(request.principal).filter(name__icontains=query), BUCKETS_A_PAGE).get_page(
        request.GET.get("page")
    )
    may_list = [is_allowed(request.principal, access.LIST, one.arn) for one in page.object_list]
    context = {
        "page": page,
        "rows": [Row(one, may) for one, may in zip(page.object_list, may_list, strict=True)],
        "query": query,
        "may_create": is_allowed(request.principal, "s3:CreateBucket", access.bucket_arn("*")),
    }
    return render(request, "objects/bucket_list.html", context)


@require_http_methods(["GET", "POST"])
def bucket_create(request: ConsoleRequest) -> HttpResponse:
    """The form of a new bucket."""
    # Whoever may make none is told so, whatever is in the form.
    authorize(request.principal, "s3:CreateBucket", access.bucket_arn(request.POST.get("name", "").strip()[:63] or "*"))
    form = BucketForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = buckets.create_bucket(request.principal, form.cleaned_data["name"])
        except ServiceError as error:
            tell(form, error)
        else:
            messages.success(request, f"The bucket {made.name} is made.")
            return redirect("objects:bucket", made.name)
    return render(request, "objects/bucket_create.html", {"form": form}, status=400 if form.errors else 200)


@require_GET
def bucket(request: ConsoleRequest, name: str) -> HttpResponse:
    """One folder of a bucket, a page at a time: the cost of a page does not depend on how much is before it."""
    prefix, after = (request.GET.get(one, "")[:MAX_KEY_BYTES] for one in ("prefix", "after"))
    who = request.principal
    found = list_objects(who, name, prefix=prefix, delimiter=shared.DELIMITER, after=after, max_keys=KEYS_A_PAGE)
    context = {
        "bucket": found.bucket,
        "prefix": prefix,
        "folder": _folder(prefix),
        "crumbs": shared.crumbs(prefix),
        "folders": [(one, one[len(_folder(prefix)) :]) for one in found.prefixes],
        "keys": [_key(who, one, prefix) for one in found.objects],
        "after": after,
        "following": found.last,
        "may": _may(who, found.bucket, prefix),
    }
    return render(request, "objects/bucket.html", context)


@require_POST
def bucket_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete an empty bucket."""
    found = access.bucket_for(request.principal, "s3:DeleteBucket", name)
    confirmed(request, found.name)
    buckets.delete_bucket(request.principal, found.name)
    messages.success(request, f"The bucket {found.name} is deleted.")
    return redirect("objects:bucket_list")


def _folder(prefix: str) -> str:
    """The part of a typed prefix that is a folder, which names in it are shown without."""
    return prefix[: prefix.rfind(shared.DELIMITER) + 1]


def _key(principal: Principal, stored: StoredObject, prefix: str) -> Key:
    return Key(stored, stored.key[len(_folder(prefix)) :], is_allowed(principal, "s3:GetObject", stored.arn))


def _may(principal: Principal, found: Bucket, prefix: str) -> dict[str, Any]:
    return {
        "upload": is_allowed(principal, "s3:PutObject", access.object_arn(found.name, f"{_folder(prefix)}*")),
        "delete": is_allowed(principal, "s3:DeleteBucket", found.arn),
        "uploads": is_allowed(principal, "s3:ListBucketMultipartUploads", found.arn),
    }
