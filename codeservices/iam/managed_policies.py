"""The AWS managed policies that this installation knows, and the role that builds have from the start.

Documents follow the versions in the IAM User Guide's "AWS managed policy reference", cut to the services that exist
here. They are written again after each migration, so an upgrade brings their newest text.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from codeservices.iam.models import Policy, Role

_OWN_USER = "arn:aws:iam::*:user/${aws:username}"


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)


def _allow(actions: list[str] | str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


_OWN_KEYS = [
    "iam:ListAccessKeys",
    "iam:ListSSHPublicKeys",
    "iam:ListServiceSpecificCredentials",
    "iam:GetSSHPublicKey",
]
_OWN_KEYS_WRITE = [
    *_OWN_KEYS,
    "iam:CreateServiceSpecificCredential",
    "iam:DeleteServiceSpecificCredential",
    "iam:ResetServiceSpecificCredential",
    "iam:UpdateServiceSpecificCredential",
    "iam:DeleteSSHPublicKey",
    "iam:UpdateSSHPublicKey",
    "iam:UploadSSHPublicKey",
]
_POWER_USER = [
    "AssociateApprovalRuleTemplateWithRepository",
    "BatchAssociateApprovalRuleTemplateWithRepositories",
    "BatchDisassociateApprovalRuleTemplateFromRepositories",
    "BatchGet*",
    "BatchDescribe*",
    "Create*",
    "DeleteBranch",
    "DeleteFile",
    "Describe*",
    "DisassociateApprovalRuleTemplateFromRepository",
    "EvaluatePullRequestApprovalRules",
    "Get*",
    "List*",
    "Merge*",
    "OverridePullRequestApprovalRules",
    "Put*",
    "Post*",
    "TagResource",
    "Test*",
    "UntagResource",
    "Update*",
    "GitPull",
    "GitPush",
]
_READ_ONLY = [
    "BatchGet*",
    "BatchDescribe*",
    "Describe*",
    "EvaluatePullRequestApprovalRules",
    "Get*",
    "List*",
    "GitPull",
]
_BUILD_READ = ["BatchGet*", "GetResourcePolicy", "List*", "DescribeTestCases", "DescribeCodeCoverages"]
_BUILD_DEVELOPER = ["StartBuild", "StopBuild", "StartBuildBatch", "StopBuildBatch", "RetryBuild", "RetryBuildBatch"]
# What triggers of repositories tell: topics whose names begin so.
_TRIGGER_TOPICS = "arn:aws:sns:*:*:codecommit*"
_TOPIC_READ = ["sns:ListTopics", "sns:ListSubscriptionsByTopic", "sns:GetTopicAttributes"]
_TOPIC_OWNER = ["sns:CreateTopic", "sns:DeleteTopic", "sns:Subscribe", "sns:Unsubscribe", "sns:SetTopicAttributes"]
# Where CodeBuild's console keeps what people type into a project as a new parameter.
_BUILD_PARAMETERS = "arn:aws:ssm:*:*:parameter/CodeBuild/*"
_REPOSITORY_LOOKUP = ["codecommit:GetBranch", "codecommit:GetCommit", "codecommit:GetRepository"]

# Name: (number of the version, as AWS counts them; description; document).
MANAGED_POLICIES: dict[str, tuple[int, str, str]] = {
    "AdministratorAccess": (1, "Full access to everything.", _document(_allow("*"))),
    "AWSCodeCommitFullAccess": (
        13,
        "Full access to CodeCommit, and to one's own git credentials.",
        _document(
            _allow("codecommit:*"),
            _allow(_TOPIC_OWNER, _TRIGGER_TOPICS),
            _allow(_TOPIC_READ),
            _allow(_OWN_KEYS_WRITE, _OWN_USER),
            _allow("iam:ListUsers"),
        ),
    ),
    "AWSCodeCommitPowerUser": (
        18,
        "All of CodeCommit but deleting repositories, and one's own git credentials.",
        _document(
            _allow([f"codecommit:{name}" for name in _POWER_USER]),
            _allow(["sns:Subscribe", "sns:Unsubscribe"], _TRIGGER_TOPICS),
            _allow(_TOPIC_READ),
            _allow(_OWN_KEYS_WRITE, _OWN_USER),
            _allow("iam:ListUsers"),
        ),
    ),
    "AWSCodeCommitReadOnly": (
        14,
        "Read and clone every repository.",
        _document(
            _allow([f"codecommit:{name}" for name in _READ_ONLY]),
            _allow(_TOPIC_READ),
            _allow(_OWN_KEYS, _OWN_USER),
            _allow("iam:ListUsers"),
        ),
    ),
    "AWSCodeBuildAdminAccess": (
        20,
        "Full access to CodeBuild.",
        _document(
            _allow(["codebuild:*", *_REPOSITORY_LOOKUP, "codecommit:ListBranches", "codecommit:ListRepositories"]),
            _allow("logs:GetLogEvents"),
            _allow("ssm:PutParameter", _BUILD_PARAMETERS),
        ),
    ),
    "AWSCodeBuildDeveloperAccess": (
        21,
        "Start, stop and read builds, without changing projects.",
        _document(
            _allow(
                [
                    *(f"codebuild:{name}" for name in (*_BUILD_DEVELOPER, *_BUILD_READ)),
                    *_REPOSITORY_LOOKUP,
                    "codecommit:ListBranches",
                ]
            ),
            _allow("logs:GetLogEvents"),
            _allow("ssm:PutParameter", _BUILD_PARAMETERS),
        ),
    ),
    "AWSCodeBuildReadOnlyAccess": (
        15,
        "Read projects, builds and logs.",
        _document(
            _allow([*(f"codebuild:{name}" for name in _BUILD_READ), *_REPOSITORY_LOOKUP]), _allow("logs:GetLogEvents")
        ),
    ),
    "AmazonSSMFullAccess": (
        4,
        "Full access to the parameters of Systems Manager.",
        _document(_allow("ssm:*")),
    ),
    "AmazonSSMReadOnlyAccess": (
        1,
        "Read every parameter, its value included.",
        _document(_allow(["ssm:Describe*", "ssm:Get*", "ssm:List*"])),
    ),
    "SecretsManagerReadWrite": (
        2,
        "Full access to secrets.",
        _document(_allow("secretsmanager:*")),
    ),
    "CloudWatchLogsReadOnlyAccess": (
        6,
        "Read and follow the logs of builds.",
        _document(_allow(["logs:Describe*", "logs:Get*", "logs:List*", "logs:FilterLogEvents"])),
    ),
    "IAMReadOnlyAccess": (
        4,
        "Read users, groups, policies and roles.",
        _document(
            _allow(
                [
                    "iam:GenerateCredentialReport",
                    "iam:GenerateServiceLastAccessedDetails",
                    "iam:Get*",
                    "iam:List*",
                    "iam:SimulateCustomPolicy",
                    "iam:SimulatePrincipalPolicy",
                ]
            )
        ),
    ),
    "IAMSelfManageServiceSpecificCredentials": (
        1,
        "Manage one's own git credentials.",
        _document(_allow([name for name in _OWN_KEYS_WRITE if "ServiceSpecific" in name], _OWN_USER)),
    ),
    "IAMUserSSHKeys": (
        1,
        "Manage one's own SSH keys.",
        _document(_allow([name for name in _OWN_KEYS_WRITE if "SSH" in name], _OWN_USER)),
    ),
    "IAMUserChangePassword": (
        1,
        "Change one's own sign-in password.",
        _document(_allow("iam:ChangePassword", _OWN_USER), _allow("iam:GetAccountPasswordPolicy")),
    ),
}

SERVICE_ROLE_NAME = "codebuild-service-role"
SERVICE_ROLE_POLICY_NAME = "codebuild-service-role-policy"
_TRUST_BUILDS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
_SERVICE_ROLE_DOCUMENT = _document(
    _allow(["codecommit:GitPull", "codebuild:StartBuild"]),
    _allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]),
    _allow(["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:GetBucketLocation"]),
)


def install(**kwargs: Any) -> None:
    """Write the managed policies, and the built-in service role where it is missing. Runs after each migration.

    A migration that stops half-way, at an older schema, leaves them as they are.
    """
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes("iam")):
        return

    for name, (version_number, description, document) in MANAGED_POLICIES.items():
        managed, _ = Policy.objects.update_or_create(
            is_aws_managed=True,
            name=name,
            defaults={"description": description, "last_version_number": version_number},
        )
        managed.versions.exclude(number=version_number).delete()
        managed.versions.update_or_create(number=version_number, defaults={"document": document, "is_default": True})
    role, is_new = Role.objects.get_or_create(
        name=SERVICE_ROLE_NAME,
        defaults={
            "description": "What builds may do unless their project names another role.",
            "trust_policy": _TRUST_BUILDS,
        },
    )
    if is_new:
        found = Policy.objects.filter(is_aws_managed=False, name=SERVICE_ROLE_POLICY_NAME).first()
        role.policies.add(
            found
            or Policy.objects.create_with_document(
                _SERVICE_ROLE_DOCUMENT,
                name=SERVICE_ROLE_POLICY_NAME,
                description="Clone repositories, write logs and artifacts.",
            )
        )
