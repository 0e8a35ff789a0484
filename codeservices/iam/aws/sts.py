"""STS operations: who am I."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation


@operation("sts", "GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    """Needs no permission and can't be denied."""
    principal = call.principal
    return {"UserId": principal.principal_id, "Account": principal.account_id, "Arn": principal.arn}
