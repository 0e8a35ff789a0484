"""The JSON editor of policies: what it starts from, and the answers it gets while one types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from codeservices.http import ConsoleRequest
from codeservices.iam import attachments, policies, policy
from codeservices.iam.policy import MalformedPolicy, Problem
from codeservices.iam.starting_policies import starting_policies

# IAM and AWS STS quotas, "Length of trust policy".
MAX_TRUST_CHARACTERS = 2048
LIMITS = {
    "managed": policies.MAX_POLICY_CHARACTERS,
    "user-inline": attachments.USER.max_inline_characters,
    "group-inline": attachments.GROUP.max_inline_characters,
    "role-inline": attachments.ROLE.max_inline_characters,
    "trust": MAX_TRUST_CHARACTERS,
}
# Far more than any quota with generous white space; what is longer is not looked at.
MAX_CHECKED_CHARACTERS = 100_000


def editor(kind: str, other_characters: int = 0) -> dict[str, Any]:
    """What the editor's template needs: the kind of document, what counts towards its quota besides, and starts."""
    return {
        "editor_kind": kind,
        "editor_others": other_characters,
        "starts": [] if kind == "trust" else starting_policies(settings.REGION, settings.ACCOUNT_ID),
    }


def start(request: ConsoleRequest) -> dict[str, str]:
    """A form's first values: the starting policy that the address names, if any."""
    key = request.GET.get("start", "")
    found = [each for each in starting_policies(settings.REGION, settings.ACCOUNT_ID) if each.key == key]
    return {"document": found[0].document} if found else {}


@require_POST
def policy_check(request: ConsoleRequest) -> HttpResponse:
    """The faults of a document as it is typed, with its length; nothing is kept."""
    document = request.POST.get("document", "") or request.POST.get("trust_policy", "")
    limit = LIMITS.get(request.GET.get("kind", ""), policies.MAX_POLICY_CHARACTERS)
    others = request.GET.get("others", "0")
    length = policies.policy_characters(document) + (int(others) if re.fullmatch("[0-9]{1,6}", others) else 0)
    context = {
        "faults": faults(document, request.GET.get("kind", "")),
        "length": f"{length:,}",
        "limit": f"{limit:,}",
        "over": f"{length - limit:,}" if length > limit else "",
    }
    return render(request, "codeservices/_policy_check.html", context)


def faults(document: str, kind: str = "managed") -> Sequence[Problem]:
    """Everything that is wrong with a document, each with its line and column."""
    if len(document) > MAX_CHECKED_CHARACTERS:
        return [Problem(1, 1, f"This is longer than {MAX_CHECKED_CHARACTERS:,} characters; no policy is.")]
    try:
        policy.parse_trust(document) if kind == "trust" else policy.parse(document)
    except MalformedPolicy as error:
        return error.problems
    return []
