"""The IAM actions that exist here: the operations of the AWS API that are served, and what other doors ask for."""

from __future__ import annotations

from codeservices import registry
from codeservices.aws import dispatch


def known_actions() -> dict[str, list[str]]:
    """Names of actions without their prefix, sorted, by service prefix ("codecommit")."""
    found: dict[str, set[str]] = {}
    for service, operation in dispatch.registered():
        found.setdefault(service, set()).add(operation)
    for action in registry.console_actions:
        service, _, name = action.partition(":")
        found.setdefault(service, set()).add(name)
    return {service: sorted(found[service]) for service in sorted(found)}
