"""Managed policies, their versions and tags."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.iam import policies
from codeservices.iam.aws.lists import encoded, listed, listed_tags, tag_list, tags_of, under_path
from codeservices.iam.models import Policy, PolicyVersion


@operation("iam", "CreatePolicy")
def create_policy(call: Call) -> dict[str, Any]:
    made = policies.create_policy(
        call.principal,
        call.params["PolicyName"],
        call.params["PolicyDocument"],
        path=call.params.get("Path", "/"),
        description=call.params.get("Description", ""),
        tags=tags_of(call),
    )
    return {"Policy": {**_counted(made), "Tags": tag_list(made.tags) or None}}


@operation("iam", "GetPolicy")
def get_policy(call: Call) -> dict[str, Any]:
    found = policies.policy_for(call.principal, "iam:GetPolicy", call.params["PolicyArn"])
    return {"Policy": {**_counted(found), "Description": found.description, "Tags": tag_list(found.tags)}}


@operation("iam", "ListPolicies")
def list_policies(call: Call) -> dict[str, Any]:
    """No policy is used as a permissions boundary here, so a list of those is empty."""
    found = policies.with_usage(under_path(call, policies.list_policies(call.principal)))
    scope = call.params.get("Scope", "All")
    if scope != "All":
        found = found.filter(is_aws_managed=scope == "AWS")
    if call.params.get("OnlyAttached"):
        found = found.filter(attachment_count__gt=0)
    if call.params.get("PolicyUsageFilter") == "PermissionsBoundary":
        found = found.none()
    return listed(call, "Policies", found, by_name_and_id, policy_shape)


@operation("iam", "DeletePolicy")
def delete_policy(call: Call) -> None:
    policies.delete_policy(call.principal, call.params["PolicyArn"])


# ---- versions --------------------------------------------------------------------------------------------------------


@operation("iam", "CreatePolicyVersion")
def create_policy_version(call: Call) -> dict[str, Any]:
    version = policies.create_version(
        call.principal,
        call.params["PolicyArn"],
        call.params["PolicyDocument"],
        set_as_default=call.params.get("SetAsDefault", False),
    )
    return {"PolicyVersion": version_shape(version)}


@operation("iam", "GetPolicyVersion")
def get_policy_version(call: Call) -> dict[str, Any]:
    version = policies.version_for(call.principal, call.params["PolicyArn"], call.params["VersionId"])
    return {"PolicyVersion": {**version_shape(version), "Document": encoded(version.document)}}


@operation("iam", "ListPolicyVersions")
def list_policy_versions(call: Call) -> dict[str, Any]:
    """The newest first, as AWS lists them: the key of a page falls while the numbers rise."""
    found = policies.list_versions(call.principal, call.params["PolicyArn"])
    return listed(call, "Versions", found, lambda version: f"{10**9 - version.number:010}", version_shape)


@operation("iam", "SetDefaultPolicyVersion")
def set_default_policy_version(call: Call) -> None:
    policies.set_default_version(call.principal, call.params["PolicyArn"], call.params["VersionId"])


@operation("iam", "DeletePolicyVersion")
def delete_policy_version(call: Call) -> None:
    policies.delete_version(call.principal, call.params["PolicyArn"], call.params["VersionId"])


# ---- tags ------------------------------------------------------------------------------------------------------------


@operation("iam", "TagPolicy")
def tag_policy(call: Call) -> None:
    policies.tag_policy(call.principal, call.params["PolicyArn"], tags_of(call))


@operation("iam", "UntagPolicy")
def untag_policy(call: Call) -> None:
    policies.untag_policy(call.principal, call.params["PolicyArn"], call.params["TagKeys"])


@operation("iam", "ListPolicyTags")
def list_policy_tags(call: Call) -> dict[str, Any]:
    return listed_tags(call, policies.policy_for(call.principal, "iam:ListPolicyTags", call.params["PolicyArn"]).tags)


# ---- shapes ----------------------------------------------------------------------------------------------------------


def by_name_and_id(found: Policy) -> str:
    """A key of its own for each policy; one of AWS and one of ours may share a name."""
    return f"{found.name} {found.policy_id}"


def _counted(found: Policy) -> dict[str, Any]:
    return policy_shape(policies.with_usage(Policy.objects.filter(pk=found.pk)).get())


def policy_shape(found: Any) -> dict[str, Any]:
    """A policy that `with_usage` has counted, as lists have it: without description and tags."""
    return {
        "PolicyName": found.name,
        "PolicyId": found.policy_id,
        "Arn": found.arn,
        "Path": found.path,
        "DefaultVersionId": f"v{found.default_number}",
        "AttachmentCount": found.attachment_count,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": found.created_at,
        "UpdateDate": found.updated_at,
    }


def version_shape(version: PolicyVersion) -> dict[str, Any]:
    """A version without its document."""
    return {
        "VersionId": version.version_id,
        "IsDefaultVersion": version.is_default,
        "CreateDate": version.created_at,
    }
