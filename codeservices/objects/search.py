"""Buckets in the quick search, by their names."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse

from codeservices import registry
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from codeservices.objects.models import Bucket


def register() -> None:
    """Called once when the app is ready."""
    registry.register_search_source(registry.SearchSource("buckets", find_buckets))


def find_buckets(principal: Principal, text: str, limit: int) -> Iterable[registry.SearchResult]:
    """Buckets whose name contains the text, for those who may list buckets."""
    if not is_allowed(principal, "s3:ListAllMyBuckets", "*"):
        return
    for bucket in Bucket.objects.filter(name__icontains=text)[:limit]:
        yield registry.SearchResult("Bucket", bucket.name, reverse("objects:bucket", args=[bucket.name]))
