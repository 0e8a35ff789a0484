"""Users in the quick search."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse

from codeservices import registry
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import User
from codeservices.iam.principal import Principal


def register() -> None:
    """Called once when the app is ready."""
    registry.register_search_source(registry.SearchSource("users", find))


def find(principal: Principal, text: str, limit: int) -> Iterable[registry.SearchResult]:
    """Users whose name contains the text, for those who may list users."""
    if not is_allowed(principal, "iam:ListUsers", "*"):
        return
    for user in User.objects.filter(name__icontains=text)[:limit]:
        yield registry.SearchResult("User", user.name, reverse("iam:user", args=[user.name]), user.email)
