"""The account as a whole, and the lists of what it can't have."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.iam import account, users
from codeservices.iam.authorize import authorize
from codeservices.iam.aws.lists import user_name_of

_NONE = {"IsTruncated": False}


@operation("iam", "GetAccountSummary")
def get_account_summary(call: Call) -> dict[str, Any]:
    return {"SummaryMap": account.summary(call.principal)}


@operation("iam", "ListAccountAliases")
def list_account_aliases(call: Call) -> dict[str, Any]:
    """An installation has its own address, so its account needs no alias."""
    authorize(call.principal, "iam:ListAccountAliases", "*")
    return {"AccountAliases": [], **_NONE}


@operation("iam", "ListSigningCertificates")
def list_signing_certificates(call: Call) -> dict[str, Any]:
    """Requests are signed with access keys alone; clients ask before they delete a user."""
    users.user_for(call.principal, "iam:ListSigningCertificates", user_name_of(call))
    return {"Certificates": [], **_NONE}
