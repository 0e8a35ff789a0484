"""Every operation of the AWS endpoint, and the action that opens it: one without a line in CALLS fails here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from django.conf import settings
from django.test import Client

from codeservices import registry
from codeservices.audit.acts import is_read
from codeservices.audit.models import Event
from codeservices.aws import dispatch, model
from codeservices.aws.json11 import CONTENT_TYPE as JSON
from codeservices.iam import credentials
from codeservices.iam.models import AccessKey
from tests.codeservices.behind_doors import (
    DOCUMENT,
    READ_ONLY,
    TRUST,
    body,
    changed,
    is_refusal,
    may,
    state,
)
from tests.codeservices.worlds import LastingWorld, World
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

SIGNED_IN = "signed in"
LOCATION = "https://127.0.0.1:8443/v1/repos/hush"


@dataclass(frozen=True)
class Call:
    """The action that decides an operation, and parameters that are right; values are looked up in `World.names`.

    `refusal` is the error of one that is answered so to everybody who may ask.
    """

    action: str
    params: dict[str, Any] = field(default_factory=dict)
    refusal: str = ""

    def check(self, answer: Any) -> None:
        """Whether it is what somebody is answered who may."""
        assert answer.status_code == (400 if self.refusal else 200) and self.refusal in body(answer), body(answer)


HUSH, HUSH_BUILD = {"repositoryName": "hush"}, {"projectName": "hush-build"}
HUSH_LOGS = {"logGroupName": "log_group"}
DORA, CREW, KEPT = {"UserName": "dora"}, {"GroupName": "crew"}, {"PolicyArn": "kept_arn"}
WATCH = {"RoleName": "watch"}
INLINE = {"PolicyName": "inline"}
TAG = {"Tags.member.1.Key": "colour", "Tags.member.1.Value": "quiet"}  # lists as the Query protocol writes them
CODES = {"AuthenticationCode1": "mfa_code", "AuthenticationCode2": "mfa_next_code"}
MAIN = {"Name": "main"}
BELL, LISTENER = {"TopicArn": "topic_arn"}, {"SubscriptionArn": "subscription_arn"}
NEW_PROJECT = {
    "name": "made",
    "source": {"type": "CODECOMMIT", "location": LOCATION},
    "artifacts": {"type": "NO_ARTIFACTS"},
    "environment": {
        "type": "LINUX_CONTAINER",
        "image": "codeservices/base",
        "computeType": "BUILD_GENERAL1_SMALL",
    },
    "serviceRole": "role_arn",
}
SIDE_TO_MAIN = {**HUSH, "sourceCommitSpecifier": "side", "destinationCommitSpecifier": "main"}
SQUASHED = {**SIDE_TO_MAIN, "mergeOption": "SQUASH_MERGE"}
RING = {"name": "ring", "destinationArn": "project_arn", "events": ["all"], "branches": []}

WORD, RIDDLE = {"Name": "word"}, {"SecretId": "riddle"}
WORD_TAGGED = {"ResourceType": "Parameter", "ResourceId": "word"}
WISE = {"Key": "colour", "Value": "quiet"}

CALLS = {
    "cloudtrail:AddTags": Call("cloudtrail:AddTags", {"ResourceId": "trail_arn", "TagsList": [{"Key": "a"}]}),
    "cloudtrail:CreateTrail": Call("cloudtrail:CreateTrail", {"Name": "new-trail", "S3BucketName": "logs"}),
    "cloudtrail:DeleteTrail": Call("cloudtrail:DeleteTrail", MAIN),
    "cloudtrail:DescribeTrails": Call("cloudtrail:DescribeTrails"),
    "cloudtrail:GetEventSelectors": Call("cloudtrail:GetEventSelectors", {"TrailName": "main"}),
    "cloudtrail:GetTrail": Call("cloudtrail:GetTrail", MAIN),
    "cloudtrail:GetTrailStatus": Call("cloudtrail:GetTrailStatus", MAIN),
    "cloudtrail:ListTags": Call("cloudtrail:ListTags", {"ResourceIdList": ["trail_arn"]}),
    "cloudtrail:ListTrails": Call("cloudtrail:ListTrails"),
    "cloudtrail:LookupEvents": Call("cloudtrail:LookupEvents"),
    "cloudtrail:PutEventSelectors": Call(
        "cloudtrail:PutEventSelectors", {"TrailName": "main", "EventSelectors": [{"ReadWriteType": "All"}]}
    ),
    "cloudtrail:RemoveTags": Call("cloudtrail:RemoveTags", {"ResourceId": "trail_arn", "TagsList": [{"Key": "a"}]}),
    "cloudtrail:StartLogging": Call("cloudtrail:StartLogging", MAIN),
    "cloudtrail:StopLogging": Call("cloudtrail:StopLogging", MAIN),
    "cloudtrail:UpdateTrail": Call("cloudtrail:UpdateTrail", {**MAIN, "S3KeyPrefix": "p"}),
    "codebuild:BatchDeleteBuilds": Call("codebuild:BatchDeleteBuilds", {"ids": ["build_id"]}),
    "codebuild:BatchGetBuilds": Call("codebuild:BatchGetBuilds", {"ids": ["build_id"]}),
    "codebuild:BatchGetProjects": Call("codebuild:BatchGetProjects", {"names": ["hush-build"]}),
    "codebuild:CreateProject": Call("codebuild:CreateProject", NEW_PROJECT),
    "codebuild:DeleteProject": Call("codebuild:DeleteProject", {"name": "hush-build"}),
    "codebuild:DeleteSourceCredentials": Call("codebuild:DeleteSourceCredentials", {"arn": "source_credential_arn"}),
    "codebuild:ImportSourceCredentials": Call(
        "codebuild:ImportSourceCredentials",
        {"token": "t0ken", "serverType": "GITHUB", "authType": "PERSONAL_ACCESS_TOKEN"},
    ),
    "codebuild:ListSourceCredentials": Call("codebuild:ListSourceCredentials"),
    "codebuild:InvalidateProjectCache": Call("codebuild:InvalidateProjectCache", HUSH_BUILD),
    "codebuild:ListBuilds": Call("codebuild:ListBuilds"),
    "codebuild:ListBuildsForProject": Call("codebuild:ListBuildsForProject", HUSH_BUILD),
    "codebuild:ListCuratedEnvironmentImages": Call("codebuild:ListCuratedEnvironmentImages"),
    "codebuild:ListProjects": Call("codebuild:ListProjects"),
    "codebuild:ListSharedProjects": Call("codebuild:ListSharedProjects"),
    "codebuild:RetryBuild": Call("codebuild:RetryBuild", {"id": "build_id"}),
    "codebuild:StartBuild": Call("codebuild:StartBuild", HUSH_BUILD),
    "codebuild:StopBuild": Call("codebuild:StopBuild", {"id": "build_id"}),
    "codebuild:UpdateProject": Call("codebuild:UpdateProject", {"name": "hush-build", "description": "Quiet."}),
    "codebuild:UpdateProjectVisibility": Call(
        "codebuild:UpdateProjectVisibility", {"projectArn": "project_arn", "projectVisibility": "PRIVATE"}
    ),
    "codecommit:BatchDescribeMergeConflicts": Call("codecommit:BatchDescribeMergeConflicts", SQUASHED),
    "codecommit:BatchGetCommits": Call("codecommit:BatchGetCommits", {**HUSH, "commitIds": ["oid"]}),
    "codecommit:BatchGetRepositories": Call("codecommit:BatchGetRepositories", {"repositoryNames": ["hush"]}),
    "codecommit:CreateBranch": Call("codecommit:CreateBranch", {**HUSH, "branchName": "more", "commitId": "oid"}),
    "codecommit:CreateCommit": Call(
        "codecommit:CreateCommit",
        {**HUSH, "branchName": "main", "parentCommitId": "oid", "deleteFiles": [{"filePath": "src/app.py"}]},
    ),
    "codecommit:CreateRepository": Call("codecommit:CreateRepository", {"repositoryName": "loud"}),
    "codecommit:CreateUnreferencedMergeCommit": Call("codecommit:CreateUnreferencedMergeCommit", SQUASHED),
    "codecommit:DeleteBranch": Call("codecommit:DeleteBranch", {**HUSH, "branchName": "side"}),
    "codecommit:DeleteCommentContent": Call("codecommit:DeleteCommentContent", {"commentId": "comment_id"}),
    "codecommit:DeleteFile": Call(
        "codecommit:DeleteFile",
        {**HUSH, "branchName": "main", "parentCommitId": "oid", "filePath": "src/app.py"},
    ),
    "codecommit:DeleteRepository": Call("codecommit:DeleteRepository", HUSH),
    "codecommit:DescribeMergeConflicts": Call(
        "codecommit:DescribeMergeConflicts", {**SQUASHED, "filePath": "src/app.py"}
    ),
    "codecommit:GetBlob": Call("codecommit:GetBlob", {**HUSH, "blobId": "blob_oid"}),
    "codecommit:GetBlobDifferences": Call("codecommit:GetBlobDifferences", {**HUSH, "afterBlobId": "blob_oid"}),
    "codecommit:GetBranch": Call("codecommit:GetBranch", {**HUSH, "branchName": "main"}),
    "codecommit:GetComment": Call("codecommit:GetComment", {"commentId": "comment_id"}),
    "codecommit:GetCommentReactions": Call("codecommit:GetCommentReactions", {"commentId": "comment_id"}),
    "codecommit:GetCommentsForComparedCommit": Call(
        "codecommit:GetCommentsForComparedCommit", {**HUSH, "afterCommitId": "oid"}
    ),
    "codecommit:GetCommit": Call("codecommit:GetCommit", {**HUSH, "commitId": "oid"}),
    "codecommit:GetDifferences": Call("codecommit:GetDifferences", {**HUSH, "afterCommitSpecifier": "main"}),
    "codecommit:GetFile": Call("codecommit:GetFile", {**HUSH, "filePath": "src/app.py"}),
    "codecommit:GetFolder": Call("codecommit:GetFolder", {**HUSH, "folderPath": "src"}),
    "codecommit:GetMergeCommit": Call("codecommit:GetMergeCommit", SIDE_TO_MAIN),
    "codecommit:GetMergeConflicts": Call("codecommit:GetMergeConflicts", SQUASHED),
    "codecommit:GetMergeOptions": Call("codecommit:GetMergeOptions", SIDE_TO_MAIN),
    "codecommit:GetRepository": Call("codecommit:GetRepository", HUSH),
    "codecommit:GetRepositoryTriggers": Call("codecommit:GetRepositoryTriggers", HUSH),
    "codecommit:ListBranches": Call("codecommit:ListBranches", HUSH),
    "codecommit:ListFileCommitHistory": Call("codecommit:ListFileCommitHistory", {**HUSH, "filePath": "src/app.py"}),
    "codecommit:ListRepositories": Call("codecommit:ListRepositories"),
    "codecommit:ListTagsForResource": Call("codecommit:ListTagsForResource", {"resourceArn": "repository_arn"}),
    "codecommit:MergeBranchesByFastForward": Call("codecommit:MergeBranchesByFastForward", SIDE_TO_MAIN),
    "codecommit:MergeBranchesBySquash": Call("codecommit:MergeBranchesBySquash", SIDE_TO_MAIN),
    "codecommit:MergeBranchesByThreeWay": Call("codecommit:MergeBranchesByThreeWay", SIDE_TO_MAIN),
    "codecommit:PostCommentForComparedCommit": Call(
        "codecommit:PostCommentForComparedCommit", {**HUSH, "afterCommitId": "oid", "content": "Well."}
    ),
    "codecommit:PostCommentReply": Call("codecommit:PostCommentReply", {"inReplyTo": "comment_id", "content": "Well."}),
    "codecommit:PutCommentReaction": Call(
        "codecommit:PutCommentReaction", {"commentId": "comment_id", "reactionValue": ":clap:"}
    ),
    "codecommit:PutFile": Call(
        "codecommit:PutFile",
        {**HUSH, "branchName": "main", "parentCommitId": "oid", "filePath": "a", "fileContent": "MQ=="},
    ),
    "codecommit:PutRepositoryTriggers": Call("codecommit:PutRepositoryTriggers", {**HUSH, "triggers": [RING]}),
    "codecommit:TagResource": Call("codecommit:TagResource", {"resourceArn": "repository_arn", "tags": {"a": "b"}}),
    "codecommit:TestRepositoryTriggers": Call("codecommit:TestRepositoryTriggers", {**HUSH, "triggers": [RING]}),
    "codecommit:UntagResource": Call("codecommit:UntagResource", {"resourceArn": "repository_arn", "tagKeys": ["a"]}),
    "codecommit:UpdateComment": Call("codecommit:UpdateComment", {"commentId": "comment_id", "content": "Better."}),
    "codecommit:UpdateDefaultBranch": Call("codecommit:UpdateDefaultBranch", {**HUSH, "defaultBranchName": "main"}),
    "codecommit:UpdateRepositoryDescription": Call("codecommit:UpdateRepositoryDescription", HUSH),
    "codecommit:UpdateRepositoryEncryptionKey": Call(
        "codecommit:UpdateRepositoryEncryptionKey",
        {**HUSH, "kmsKeyId": "alias/none"},
        "EncryptionKeyNotFoundException",
    ),
    "codecommit:UpdateRepositoryName": Call("codecommit:UpdateRepositoryName", {"oldName": "hush", "newName": "loud"}),
    "iam:AddUserToGroup": Call("iam:AddUserToGroup", {**DORA, "GroupName": "team"}),
    "iam:AttachGroupPolicy": Call("iam:AttachGroupPolicy", {"GroupName": "team", "PolicyArn": READ_ONLY}),
    "iam:AttachRolePolicy": Call("iam:AttachRolePolicy", {**WATCH, "PolicyArn": READ_ONLY}),
    "iam:AttachUserPolicy": Call("iam:AttachUserPolicy", {**DORA, "PolicyArn": READ_ONLY}),
    "iam:ChangePassword": Call(
        "iam:ChangePassword", {"OldPassword": PASSWORD, "NewPassword": "another long passphrase"}
    ),
    "iam:CreateAccessKey": Call("iam:CreateAccessKey", DORA),
    "iam:CreateGroup": Call("iam:CreateGroup", {"GroupName": "fresh"}),
    "iam:CreateLoginProfile": Call(
        "iam:CreateLoginProfile", {"UserName": "erna", "Password": "another long passphrase"}
    ),
    "iam:CreatePolicy": Call("iam:CreatePolicy", {"PolicyName": "fresh", "PolicyDocument": DOCUMENT}),
    "iam:CreatePolicyVersion": Call("iam:CreatePolicyVersion", {**KEPT, "PolicyDocument": DOCUMENT}),
    "iam:CreateRole": Call("iam:CreateRole", {"RoleName": "made", "AssumeRolePolicyDocument": TRUST}),
    "iam:CreateServiceSpecificCredential": Call(
        "iam:CreateServiceSpecificCredential", {**DORA, "ServiceName": "codecommit.amazonaws.com"}
    ),
    "iam:CreateUser": Call("iam:CreateUser", {"UserName": "erin"}),
    "iam:CreateVirtualMFADevice": Call("iam:CreateVirtualMFADevice", {"VirtualMFADeviceName": "phone"}),
    "iam:DeactivateMFADevice": Call("iam:DeactivateMFADevice", {**DORA, "SerialNumber": "mfa_serial"}),
    "iam:DeleteAccountPasswordPolicy": Call("iam:DeleteAccountPasswordPolicy"),
    "iam:DeleteVirtualMFADevice": Call("iam:DeleteVirtualMFADevice", {"SerialNumber": "free_serial"}),
    "iam:EnableMFADevice": Call("iam:EnableMFADevice", {**DORA, "SerialNumber": "free_serial", **CODES}),
    "iam:GetAccountPasswordPolicy": Call("iam:GetAccountPasswordPolicy"),
    "iam:ListMFADevices": Call("iam:ListMFADevices", DORA),
    "iam:ListVirtualMFADevices": Call("iam:ListVirtualMFADevices"),
    "iam:ResyncMFADevice": Call("iam:ResyncMFADevice", {**DORA, "SerialNumber": "mfa_serial", **CODES}),
    "iam:UpdateAccountPasswordPolicy": Call("iam:UpdateAccountPasswordPolicy", {"MinimumPasswordLength": "12"}),
    "iam:DeleteAccessKey": Call("iam:DeleteAccessKey", {**DORA, "AccessKeyId": "key_id"}),
    "iam:DeleteGroup": Call("iam:DeleteGroup", {"GroupName": "team"}),
    "iam:DeleteGroupPolicy": Call("iam:DeleteGroupPolicy", {**CREW, **INLINE}),
    "iam:DeleteLoginProfile": Call("iam:DeleteLoginProfile", DORA),
    "iam:DeletePolicy": Call("iam:DeletePolicy", {"PolicyArn": "ours_arn"}),
    "iam:DeletePolicyVersion": Call("iam:DeletePolicyVersion", {**KEPT, "VersionId": "v1"}),
    "iam:DeleteRole": Call("iam:DeleteRole", {"RoleName": "idle"}),
    "iam:DeleteRolePolicy": Call("iam:DeleteRolePolicy", {**WATCH, **INLINE}),
    "iam:DeleteSSHPublicKey": Call("iam:DeleteSSHPublicKey", {**DORA, "SSHPublicKeyId": "ssh_key_id"}),
    "iam:DeleteServiceSpecificCredential": Call(
        "iam:DeleteServiceSpecificCredential", {**DORA, "ServiceSpecificCredentialId": "credential_id"}
    ),
    "iam:DeleteUser": Call("iam:DeleteUser", {"UserName": "erna"}),
    "iam:DeleteUserPolicy": Call("iam:DeleteUserPolicy", {**DORA, **INLINE}),
    "iam:DetachGroupPolicy": Call("iam:DetachGroupPolicy", {**CREW, **KEPT}),
    "iam:DetachRolePolicy": Call("iam:DetachRolePolicy", {**WATCH, **KEPT}),
    "iam:DetachUserPolicy": Call("iam:DetachUserPolicy", {"UserName": "bob", "PolicyArn": "readers_arn"}),
    "iam:GetAccessKeyLastUsed": Call("iam:GetAccessKeyLastUsed", {"AccessKeyId": "key_id"}),
    "iam:GetAccountAuthorizationDetails": Call("iam:GetAccountAuthorizationDetails"),
    "iam:GetAccountSummary": Call("iam:GetAccountSummary"),
    "iam:GetGroup": Call("iam:GetGroup", CREW),
    "iam:GetGroupPolicy": Call("iam:GetGroupPolicy", {**CREW, **INLINE}),
    "iam:GetLoginProfile": Call("iam:GetLoginProfile", DORA),
    "iam:GetPolicy": Call("iam:GetPolicy", KEPT),
    "iam:GetPolicyVersion": Call("iam:GetPolicyVersion", {**KEPT, "VersionId": "v2"}),
    "iam:GetRole": Call("iam:GetRole", WATCH),
    "iam:GetRolePolicy": Call("iam:GetRolePolicy", {**WATCH, **INLINE}),
    "iam:GetSSHPublicKey": Call("iam:GetSSHPublicKey", {**DORA, "SSHPublicKeyId": "ssh_key_id", "Encoding": "PEM"}),
    "iam:GetContextKeysForCustomPolicy": Call(
        "iam:GetContextKeysForCustomPolicy", {"PolicyInputList.member.1": DOCUMENT}
    ),
    "iam:GetContextKeysForPrincipalPolicy": Call(
        "iam:GetContextKeysForPrincipalPolicy", {"PolicySourceArn": "dora_arn"}
    ),
    "iam:GetUser": Call("iam:GetUser", DORA),
    "iam:GetUserPolicy": Call("iam:GetUserPolicy", {**DORA, **INLINE}),
    "iam:ListAccessKeys": Call("iam:ListAccessKeys", DORA),
    "iam:ListAccountAliases": Call("iam:ListAccountAliases"),
    "iam:ListAttachedGroupPolicies": Call("iam:ListAttachedGroupPolicies", CREW),
    "iam:ListAttachedRolePolicies": Call("iam:ListAttachedRolePolicies", WATCH),
    "iam:ListAttachedUserPolicies": Call("iam:ListAttachedUserPolicies", DORA),
    "iam:ListEntitiesForPolicy": Call("iam:ListEntitiesForPolicy", KEPT),
    "iam:ListGroupPolicies": Call("iam:ListGroupPolicies", CREW),
    "iam:ListGroups": Call("iam:ListGroups"),
    "iam:ListGroupsForUser": Call("iam:ListGroupsForUser", DORA),
    "iam:ListInstanceProfilesForRole": Call("iam:ListInstanceProfilesForRole", WATCH),
    "iam:ListPolicies": Call("iam:ListPolicies"),
    "iam:ListPolicyTags": Call("iam:ListPolicyTags", KEPT),
    "iam:ListPolicyVersions": Call("iam:ListPolicyVersions", KEPT),
    "iam:ListRolePolicies": Call("iam:ListRolePolicies", WATCH),
    "iam:ListRoleTags": Call("iam:ListRoleTags", WATCH),
    "iam:ListRoles": Call("iam:ListRoles"),
    "iam:ListSSHPublicKeys": Call("iam:ListSSHPublicKeys", DORA),
    "iam:ListServiceSpecificCredentials": Call("iam:ListServiceSpecificCredentials", DORA),
    "iam:ListSigningCertificates": Call("iam:ListSigningCertificates", DORA),
    "iam:ListUserPolicies": Call("iam:ListUserPolicies", DORA),
    "iam:ListUserTags": Call("iam:ListUserTags", DORA),
    "iam:ListUsers": Call("iam:ListUsers"),
    "iam:PutGroupPolicy": Call("iam:PutGroupPolicy", {**CREW, **INLINE, "PolicyDocument": DOCUMENT}),
    "iam:PutRolePolicy": Call("iam:PutRolePolicy", {**WATCH, **INLINE, "PolicyDocument": DOCUMENT}),
    "iam:PutUserPolicy": Call("iam:PutUserPolicy", {**DORA, **INLINE, "PolicyDocument": DOCUMENT}),
    "iam:RemoveUserFromGroup": Call("iam:RemoveUserFromGroup", {**DORA, **CREW}),
    "iam:ResetServiceSpecificCredential": Call(
        "iam:ResetServiceSpecificCredential", {**DORA, "ServiceSpecificCredentialId": "credential_id"}
    ),
    "iam:SetDefaultPolicyVersion": Call("iam:SetDefaultPolicyVersion", {**KEPT, "VersionId": "v1"}),
    "iam:TagPolicy": Call("iam:TagPolicy", {**KEPT, **TAG}),
    "iam:TagRole": Call("iam:TagRole", {**WATCH, **TAG}),
    "iam:TagUser": Call("iam:TagUser", {**DORA, **TAG}),
    "iam:UntagPolicy": Call("iam:UntagPolicy", {**KEPT, "TagKeys.member.1": "a"}),
    "iam:UntagRole": Call("iam:UntagRole", {**WATCH, "TagKeys.member.1": "a"}),
    "iam:UntagUser": Call("iam:UntagUser", {**DORA, "TagKeys.member.1": "a"}),
    "iam:SimulateCustomPolicy": Call(
        "iam:SimulateCustomPolicy",
        {"PolicyInputList.member.1": DOCUMENT, "ActionNames.member.1": "codecommit:GitPull"},
    ),
    "iam:SimulatePrincipalPolicy": Call(
        "iam:SimulatePrincipalPolicy", {"PolicySourceArn": "dora_arn", "ActionNames.member.1": "codecommit:GitPull"}
    ),
    "iam:UpdateAccessKey": Call("iam:UpdateAccessKey", {**DORA, "AccessKeyId": "key_id", "Status": "Inactive"}),
    "iam:UpdateAssumeRolePolicy": Call("iam:UpdateAssumeRolePolicy", {**WATCH, "PolicyDocument": TRUST}),
    "iam:UpdateGroup": Call("iam:UpdateGroup", {**CREW, "NewGroupName": "renamed"}),
    "iam:UpdateLoginProfile": Call("iam:UpdateLoginProfile", {**DORA, "PasswordResetRequired": "true"}),
    "iam:UpdateRole": Call("iam:UpdateRole", {**WATCH, "MaxSessionDuration": "7200"}),
    "iam:UpdateRoleDescription": Call("iam:UpdateRoleDescription", {**WATCH, "Description": "Looks on."}),
    "iam:UpdateSSHPublicKey": Call(
        "iam:UpdateSSHPublicKey", {**DORA, "SSHPublicKeyId": "ssh_key_id", "Status": "Inactive"}
    ),
    "iam:UpdateServiceSpecificCredential": Call(
        "iam:UpdateServiceSpecificCredential",
        {**DORA, "ServiceSpecificCredentialId": "credential_id", "Status": "Inactive"},
    ),
    "iam:UpdateUser": Call("iam:UpdateUser", {**DORA, "NewPath": "/moved/"}),
    "iam:UploadSSHPublicKey": Call("iam:UploadSSHPublicKey", {**DORA, "SSHPublicKeyBody": "new_ssh_key"}),
    "secretsmanager:CreateSecret": Call("secretsmanager:CreateSecret", {"Name": "fresh", "SecretString": "said"}),
    "secretsmanager:DeleteSecret": Call("secretsmanager:DeleteSecret", RIDDLE),
    "secretsmanager:DescribeSecret": Call("secretsmanager:DescribeSecret", RIDDLE),
    "secretsmanager:GetRandomPassword": Call("secretsmanager:GetRandomPassword"),
    "secretsmanager:GetResourcePolicy": Call("secretsmanager:GetResourcePolicy", RIDDLE),
    "secretsmanager:GetSecretValue": Call("secretsmanager:GetSecretValue", RIDDLE),
    "secretsmanager:ListSecretVersionIds": Call("secretsmanager:ListSecretVersionIds", RIDDLE),
    "secretsmanager:ListSecrets": Call("secretsmanager:ListSecrets"),
    "secretsmanager:PutSecretValue": Call("secretsmanager:PutSecretValue", {**RIDDLE, "SecretString": "said"}),
    "secretsmanager:RestoreSecret": Call("secretsmanager:RestoreSecret", RIDDLE),
    "secretsmanager:TagResource": Call("secretsmanager:TagResource", {**RIDDLE, "Tags": [WISE]}),
    "secretsmanager:UntagResource": Call("secretsmanager:UntagResource", {**RIDDLE, "TagKeys": ["colour"]}),
    "secretsmanager:UpdateSecret": Call("secretsmanager:UpdateSecret", {**RIDDLE, "Description": "Hm?"}),
    "secretsmanager:UpdateSecretVersionStage": Call(
        "secretsmanager:UpdateSecretVersionStage", {**RIDDLE, "VersionStage": "TRIED", "MoveToVersionId": "1" * 32}
    ),
    "logs:DescribeLogGroups": Call("logs:DescribeLogGroups"),
    "logs:DescribeLogStreams": Call("logs:DescribeLogStreams", HUSH_LOGS),
    "logs:FilterLogEvents": Call("logs:FilterLogEvents", HUSH_LOGS),
    "logs:GetLogEvents": Call("logs:GetLogEvents", {**HUSH_LOGS, "logStreamName": "log_stream"}),
    "logs:ListTagsForResource": Call("logs:ListTagsForResource", {"resourceArn": "log_group_arn"}),
    "sns:ConfirmSubscription": Call("sns:ConfirmSubscription", {**BELL, "Token": "token"}),
    "sns:CreateTopic": Call("sns:CreateTopic", {"Name": "fresh"}),
    "sns:DeleteTopic": Call("sns:DeleteTopic", BELL),
    "sns:GetSubscriptionAttributes": Call("sns:GetSubscriptionAttributes", LISTENER),
    "sns:GetTopicAttributes": Call("sns:GetTopicAttributes", BELL),
    "sns:ListSubscriptions": Call("sns:ListSubscriptions"),
    "sns:ListSubscriptionsByTopic": Call("sns:ListSubscriptionsByTopic", BELL),
    "sns:ListTagsForResource": Call("sns:ListTagsForResource", {"ResourceArn": "topic_arn"}),
    "sns:ListTopics": Call("sns:ListTopics"),
    "sns:Publish": Call("sns:Publish", {**BELL, "Message": "ding"}),
    "sns:PublishBatch": Call(
        "sns:Publish",
        {
            **BELL,
            "PublishBatchRequestEntries.member.1.Id": "a",
            "PublishBatchRequestEntries.member.1.Message": "ding",
        },
    ),
    "sns:SetSubscriptionAttributes": Call(
        "sns:SetSubscriptionAttributes", {**LISTENER, "AttributeName": "RawMessageDelivery", "AttributeValue": "true"}
    ),
    "sns:SetTopicAttributes": Call(
        "sns:SetTopicAttributes", {**BELL, "AttributeName": "DisplayName", "AttributeValue": "Bell"}
    ),
    "sns:Subscribe": Call("sns:Subscribe", {**BELL, "Protocol": "https", "Endpoint": "https://93.184.216.34/a"}),
    "sns:TagResource": Call("sns:TagResource", {"ResourceArn": "topic_arn", **TAG}),
    "sns:Unsubscribe": Call("sns:Unsubscribe", LISTENER),
    "sns:UntagResource": Call("sns:UntagResource", {"ResourceArn": "topic_arn", "TagKeys.member.1": "colour"}),
    "ssm:AddTagsToResource": Call("ssm:AddTagsToResource", {**WORD_TAGGED, "Tags": [WISE]}),
    "ssm:DeleteParameter": Call("ssm:DeleteParameter", WORD),
    "ssm:DeleteParameters": Call("ssm:DeleteParameters", {"Names": ["word"]}),
    "ssm:DescribeParameters": Call("ssm:DescribeParameters"),
    "ssm:GetParameter": Call("ssm:GetParameter", WORD),
    "ssm:GetParameterHistory": Call("ssm:GetParameterHistory", WORD),
    "ssm:GetParameters": Call("ssm:GetParameters", {"Names": ["word"]}),
    "ssm:GetParametersByPath": Call("ssm:GetParametersByPath", {"Path": "/"}),
    "ssm:LabelParameterVersion": Call("ssm:LabelParameterVersion", {**WORD, "Labels": ["said"]}),
    "ssm:ListTagsForResource": Call("ssm:ListTagsForResource", WORD_TAGGED),
    "ssm:PutParameter": Call("ssm:PutParameter", {**WORD, "Value": "said", "Overwrite": True}),
    "ssm:RemoveTagsFromResource": Call("ssm:RemoveTagsFromResource", {**WORD_TAGGED, "TagKeys": ["colour"]}),
    "ssm:UnlabelParameterVersion": Call(
        "ssm:UnlabelParameterVersion", {**WORD, "ParameterVersion": 1, "Labels": ["said"]}
    ),
    "sts:AssumeRole": Call("sts:AssumeRole", {"RoleArn": "watch_arn", "RoleSessionName": "night"}),
    "sts:GetAccessKeyInfo": Call("sts:GetAccessKeyInfo", {"AccessKeyId": "key_id"}),
    "sts:GetCallerIdentity": Call(SIGNED_IN),
    "sts:GetSessionToken": Call(SIGNED_IN),
}


@pytest.fixture
def world(lasting_world: LastingWorld, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(registry, "health_checks", [])
    return lasting_world.begin()


@pytest.fixture(scope="module")
def keys(lasting_world: LastingWorld) -> dict[str, tuple[AccessKey, str]]:
    """An access key of each person."""
    made = {name: credentials.issue_access_key(user) for name, user in lasting_world.world.people.items()}
    lasting_world.rest()
    return made


def test_every_operation_has_its_rule_here():
    assert sorted(f"{service}:{name}" for service, name in dispatch.registered()) == sorted(CALLS)


def filled(value: Any, world: World) -> Any:
    """Parameters with the names in them looked up."""
    if isinstance(value, dict):
        return {key: filled(one, world) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, world) for one in value]
    return world.names.get(value, value)


def called(client: Client, operation: str, params: dict[str, Any], key: tuple[AccessKey, str] | None) -> Any:
    """POST a call as the wire has it, signed with a key or not at all."""
    service_name, _, name = operation.partition(":")
    service = model.SERVICES[service_name]
    if service.protocol == "json":
        kind, data = JSON, json.dumps(params).encode()
        headers = {"X-Amz-Target": f"{service.key}.{name}"}
    else:
        kind, headers = "application/x-www-form-urlencoded; charset=utf-8", {}
        data = urlencode({"Action": name, "Version": service.key, **params}).encode()
    request = AWSRequest("POST", "http://testserver/", headers={**headers, "Host": "testserver"}, data=data)
    request.headers["Content-Type"] = kind
    if key is not None:
        signer = SigV4Auth(Credentials(key[0].access_key_id, key[1]), service_name, settings.REGION)
        signer.add_auth(request)
    return client.post("/", data=data, content_type=kind, headers=dict(request.headers))


@pytest.mark.parametrize("operation", CALLS)
def test_an_operation_answers_those_whom_its_rule_names(
    operation: str, keys: dict[str, tuple[AccessKey, str]], world: World
):
    call = CALLS[operation]
    params = filled(call.params, world)
    before = state()
    # A browser's session counts for nothing here, not even an administrator's.
    unsigned = called(world.browser(world.people["alice"]), operation, params, None)
    assert unsigned.status_code in (400, 403) and "MissingAuthenticationToken" in body(unsigned)
    assert not changed(before)
    for name in ("carol", "bob", "alice"):
        answer = called(Client(), operation, params, keys[name])
        if call.action == SIGNED_IN or may(world.people[name], call.action):
            call.check(answer)
        else:
            assert answer.status_code in (400, 403) and is_refusal(body(answer))
            assert f"is not authorized to perform: {call.action} on resource" in body(answer)
            assert not changed(before)
        event = Event.objects.order_by("pk").last()
        assert (event.event_name, event.principal_name) == (operation.partition(":")[2], name)
    if is_read(operation.partition(":")[2]) and operation != "sts:GetSessionToken":  # it reads by its name alone
        assert not changed(before)
