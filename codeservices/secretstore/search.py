"""Parameters and secrets in the quick search, by their names."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse

from codeservices import registry
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from codeservices.secretstore.models import Parameter, Secret
from codeservices.secretstore.parameters.listing import list_resource


def register() -> None:
    """Called once when the app is ready."""
    registry.register_search_source(registry.SearchSource("parameters", find_parameters))
    registry.register_search_source(registry.SearchSource("secrets", find_secrets))


def find_parameters(principal: Principal, text: str, limit: int) -> Iterable[registry.SearchResult]:
    """Parameters whose name contains the text, for those who may list parameters."""
    if not is_allowed(principal, "ssm:DescribeParameters", list_resource()):
        return
    for parameter in Parameter.objects.filter(name__icontains=text)[:limit]:
        url = reverse("secretstore:parameter", args=[parameter.resource_name])
        yield registry.SearchResult("Parameter", parameter.name, url)


def find_secrets(principal: Principal, text: str, limit: int) -> Iterable[registry.SearchResult]:
    """Secrets whose name contains the text, for those who may list secrets."""
    if not is_allowed(principal, "secretsmanager:ListSecrets", "*"):
        return
    for secret in Secret.objects.filter(name__icontains=text, purge_at=None)[:limit]:
        url = reverse("secretstore:secret", args=[secret.name])
        yield registry.SearchResult("Secret", secret.name, url, secret.description)
