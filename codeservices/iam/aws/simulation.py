"""IAM's operations that simulate policies."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput
from codeservices.iam import arn, simulate
from codeservices.iam.aws.lists import listed
from codeservices.iam.policy import Statement
from codeservices.iam.simulate import ContextEntry, Result, Simulation

_NOT_HERE = {
    "ResourcePolicy": "No resource of this server has a policy of its own",
    "ResourceHandlingOption": "There are no EC2 scenarios",
    "PolicyExclusionList": "Policies can't be left out; simulate the others with SimulateCustomPolicy",
    "OrderedOrganizationPolicyInputList": "This server is one account and has no organization",
}


@operation("iam", "SimulatePrincipalPolicy")
def simulate_principal_policy(call: Call) -> dict[str, Any]:
    simulation = simulate.simulate_principal(
        call.principal,
        call.params["PolicySourceArn"],
        extra_policies=call.params.get("PolicyInputList", ()),
        **_request(call),
    )
    return _answer(call, simulation)


@operation("iam", "SimulateCustomPolicy")
def simulate_custom_policy(call: Call) -> dict[str, Any]:
    simulation = simulate.simulate_custom(call.principal, call.params["PolicyInputList"], **_request(call))
    return _answer(call, simulation)


@operation("iam", "GetContextKeysForPrincipalPolicy")
def get_context_keys_for_principal_policy(call: Call) -> dict[str, Any]:
    documents = call.params.get("PolicyInputList", ())
    return {"ContextKeyNames": simulate.principal_keys(call.principal, call.params["PolicySourceArn"], documents)}


@operation("iam", "GetContextKeysForCustomPolicy")
def get_context_keys_for_custom_policy(call: Call) -> dict[str, Any]:
    return {"ContextKeyNames": simulate.custom_keys(call.principal, call.params["PolicyInputList"])}


def _request(call: Call) -> dict[str, Any]:
    """What both operations ask about."""
    for member, reason in _NOT_HERE.items():
        if call.params.get(member):
            raise InvalidInput(f"{member} is not available: {reason}.", code="InvalidInput")
    owner = call.params.get("ResourceOwner", settings.ACCOUNT_ID)
    if (arn.parse(owner).account_id if arn.is_arn(owner) else owner) != settings.ACCOUNT_ID:
        raise InvalidInput(f"ResourceOwner must be this account, {settings.ACCOUNT_ID}.", code="InvalidInput")
    return {
        "actions": call.params["ActionNames"],
        "resources": call.params.get("ResourceArns", ()),
        "context_entries": [_entry(entry) for entry in call.params.get("ContextEntries", ())],
        "boundaries": call.params.get("PermissionsBoundaryPolicyInputList", ()),
        "caller_arn": call.params.get("CallerArn", ""),
    }


def _entry(entry: dict[str, Any]) -> ContextEntry:
    if "ContextKeyName" not in entry:
        raise InvalidInput("A context entry needs a ContextKeyName.", code="InvalidInput")
    values = tuple(value or "" for value in entry.get("ContextKeyValues", ()))
    return ContextEntry(entry["ContextKeyName"], values, entry.get("ContextKeyType", "string"))


# ---- shapes ----------------------------------------------------------------------------------------------------------


def _answer(call: Call, simulation: Simulation) -> dict[str, Any]:
    return listed(
        call,
        "EvaluationResults",
        enumerate(simulation.cases),
        lambda row: f"{row[0]:06}",
        lambda row: _result(simulation.result(*row[1])),
    )


def _result(result: Result) -> dict[str, Any]:
    if result.decision.is_allowed:
        decision = "allowed"
    else:
        decision = "explicitDeny" if result.decision.is_explicit_deny else "implicitDeny"
    details: dict[str, Any] = {
        "MatchedStatements": [_statement(one) for one in result.matched],
        "MissingContextValues": list(result.missing),
    }
    if result.allowed_by_boundary is not None:
        details["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": result.allowed_by_boundary}
    answer = {
        "EvalActionName": result.action,
        "EvalResourceName": result.resource,
        "EvalDecision": decision,
        **details,
    }
    if result.resource != "*":
        # Within one account AWS leaves these details empty, where there is a resource.
        details["EvalDecisionDetails"] = answer["EvalDecisionDetails"] = {}
        specific = {"EvalResourceName": result.resource, "EvalResourceDecision": decision, **details}
        answer["ResourceSpecificResults"] = [specific]
    return answer


def _statement(statement: Statement) -> dict[str, Any]:
    """AWS counts the columns behind the braces: the one that opens the statement, and the one that closes it."""
    name, kind = _source(statement.source)
    return {
        "SourcePolicyId": name,
        "SourcePolicyType": kind,
        "StartPosition": {"Line": statement.start.line, "Column": statement.start.column + 1},
        "EndPosition": {"Line": statement.end.line, "Column": statement.end.column},
    }


def _source(source: str) -> tuple[str, str]:
    """How AWS names the policy that a statement stands in, and what kind it is."""
    if arn.is_arn(source):
        parsed = arn.parse(source)
        return parsed.resource.rpartition("/")[2], "aws-managed" if parsed.account_id == "aws" else "user-managed"
    owner, _, name = source.partition("/")
    # An inline policy is called user/NAME/POLICY, group/… or role/…; a document of the request by its place there.
    return (name.rpartition("/")[2], owner) if name else (source, "none")
