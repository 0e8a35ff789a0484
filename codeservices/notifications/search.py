"""Topics in the quick search."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse

from codeservices import registry
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from codeservices.notifications.models import Topic


def register() -> None:
    """Called once when the app is ready."""
    registry.register_search_source(registry.SearchSource("topics", find))


def find(principal: Principal, text: str, limit: int) -> Iterable[registry.SearchResult]:
    """Topics whose name contains the text, for those who may list topics."""
    if not is_allowed(principal, "sns:ListTopics", "*"):
        return
    for topic in Topic.objects.filter(name__icontains=text, managed_by="")[:limit]:
        url = reverse("notifications:topic", args=[topic.name])
        yield registry.SearchResult("Topic", topic.name, url, topic.display_name)
