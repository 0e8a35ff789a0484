"""Every URL of the console, and what opens it.

CONSOLE has a line for each: the IAM action that decides, PUBLIC or SIGNED_IN. A new URL without a line fails here.
Behind each stands the same world (conftest.py): people, the repository “hush”, its project with one build.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from codeservices import registry
from codeservices.aws.json11 import CONTENT_TYPE as JSON
from codeservices.iam.models import User
from tests import factories
from tests.codeservices.behind_doors import (
    DOCUMENT,
    READ_ONLY,
    TOKEN,
    TRUST,
    body,
    changed,
    denied_action,
    may,
    state,
)
from tests.codeservices.worlds import LastingWorld, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]
PUBLIC = "public"
SIGNED_IN = "signed in"
CLOSED = "method not allowed"
API = "the AWS endpoint's: see test_doors_api.py"


@dataclass(frozen=True)
class Door:
    """What a GET and a POST of one URL need; the URL's arguments, looked up in `World.names`; a form that is right.

    Of several actions the first that is missing is told.
    """

    get: str = CLOSED
    post: str = CLOSED
    args: tuple[str, ...] = ()
    form: dict[str, str] = field(default_factory=dict)
    query: str = ""
    statuses: tuple[int, ...] = (200, 302)


PROJECT_FORM = {
    "name": "made",
    "repository": "hush",
    "image": "codeservices/base",
    "compute_type": "BUILD_GENERAL1_SMALL",
    "buildspec_kind": "path",
    "timeout_minutes": "20",
    "queued_timeout_minutes": "60",
    "service_role": "role_arn",
    "variables-TOTAL_FORMS": "0",
    "secondary-TOTAL_FORMS": "0",
    "secondary-INITIAL_FORMS": "0",
    "variables-INITIAL_FORMS": "0",
}
SOURCE_CREDENTIAL_FORM = {"server_type": "GITHUB", "auth_type": "PERSONAL_ACCESS_TOKEN", "token": "t0ken"}
INWARDS = "http://127.0.0.1:1/x"
MIRROR_FORM = {"url": INWARDS, "interval_seconds": "3600", "which": "all"}
TRIGGER_FORM = {"destination": "project_arn", "events": "createReference"}
TRIGGER, DELIVERY = ("hush", "ring"), ("hush", "ring", "told_id")
REPOSITORY, PROJECT, BUILD = ("hush",), ("hush-build",), ("hush-build", "1")
GONE = ("gone", "gone_id")
COMMENT = ("hush", "oid", "comment_id")
USER, GROUP, KEY, CREDENTIAL = ("dora",), ("team",), ("dora", "key_id"), ("dora", "credential_id")
POLICY, ROLE = ("ours",), ("watch",)
ATTACH = {"change": "attach", "policy_arn": READ_ONLY}
TO_DORA = {"change": "attach", "entity": "user/dora"}
INLINE = {"name": "more", "document": DOCUMENT}
TAG = {"tag_key": "site", "tag_value": "Berlin"}
# AWS's policies are no secret, and where several things meet, the form's is what decides.
NOT_ABOUT_THEIR_FIRST_ARGUMENT = (
    "audit:event",
    "iam:policy_aws",
    "iam:policy_aws_entities",
    "iam:policy_customer_entities",
    "iam:user_groups",
)
TRAIL = ("main",)
BUCKET = ("shelf",)
TOPIC = ("bell",)
PARAMETER, SECRET = ("word",), ("riddle",)
NEW_VALUE = {"value": "said"}
CONSOLE = {
    "healthz": Door(PUBLIC),
    "readyz": Door(PUBLIC),
    "metrics": Door(PUBLIC),
    "console:dashboard": Door(SIGNED_IN, API),
    "console:search": Door(SIGNED_IN, query="?q=hu"),
    "console:attention": Door(SIGNED_IN),
    "iam:sign_in": Door(PUBLIC, PUBLIC, form={"username": "alice", "password": "wrong"}),
    "iam:second_factor": Door(PUBLIC, PUBLIC, form={"code": "123456"}),
    "iam:new_password": Door(SIGNED_IN, SIGNED_IN, form={"old_password": "a", "new_password": "b"}),
    "iam:oidc_begin": Door(PUBLIC),
    "iam:oidc_callback": Door(PUBLIC),
    "iam:sign_out": Door(CLOSED, SIGNED_IN),
    "iam:my_credentials": Door(SIGNED_IN),
    "iam:change_password": Door(
        CLOSED, "iam:ChangePassword", form={"old_password": factories.PASSWORD, "new_password": "a new long password"}
    ),
    "iam:own_sessions": Door(CLOSED, SIGNED_IN, form={"change": "others"}),
    # The page has begun an enrolment in the session, whose codes are others.
    "iam:mfa_enrol": Door(
        SIGNED_IN, SIGNED_IN, form={"first_code": "123456", "second_code": "123456"}, statuses=(400,)
    ),
    "iam:mfa_remove": Door(CLOSED, SIGNED_IN),
    "iam:mfa_recovery_codes": Door(CLOSED, SIGNED_IN),
    "iam:user_list": Door("iam:ListUsers"),
    "iam:user_create": Door("iam:CreateUser", "iam:CreateUser", form={"name": "erin"}),
    "iam:user": Door("iam:GetUser", args=USER),
    "iam:user_groups": Door(
        "iam:GetUser iam:ListGroupsForUser", "iam:AddUserToGroup", USER, {"change": "add", "group": "team"}
    ),
    "iam:user_credentials": Door("iam:GetUser", args=USER),
    "iam:user_settings": Door("iam:GetUser", "iam:UpdateUser", USER, {"name": "dora", "path": "/"}),
    "iam:user_tags": Door(CLOSED, "iam:TagUser", USER, TAG),
    "iam:user_active": Door(CLOSED, "iam:UpdateUser", USER, {"active": "no"}),
    "iam:user_sessions": Door(CLOSED, "iam:UpdateLoginProfile", USER),
    "iam:user_sign_in_lock": Door(CLOSED, "iam:UpdateLoginProfile", USER),
    "iam:user_mfa": Door(CLOSED, "iam:DeactivateMFADevice", USER, {"serial_number": "mfa_serial"}),
    "iam:user_password": Door(
        CLOSED, "iam:UpdateLoginProfile", USER, {"change": "set", "password": "a new long password"}
    ),
    "iam:user_password_delete": Door(CLOSED, "iam:DeleteLoginProfile", USER, {"confirm_name": "dora"}),
    "iam:user_delete": Door(CLOSED, "iam:DeleteUser", ("erna",), {"confirm_name": "erna"}),
    "iam:user_policies": Door(CLOSED, "iam:AttachUserPolicy", USER, ATTACH),
    "iam:user_inline_create": Door("iam:GetUser iam:PutUserPolicy", "iam:PutUserPolicy", USER, INLINE),
    "iam:user_inline": Door("iam:GetUserPolicy iam:GetUser", "iam:PutUserPolicy", ("dora", "inline"), INLINE),
    "iam:user_inline_delete": Door(CLOSED, "iam:DeleteUserPolicy", ("dora", "inline"), {"confirm_name": "inline"}),
    "iam:git_credential_create": Door(CLOSED, "iam:CreateServiceSpecificCredential", USER),
    "iam:git_credential": Door(CLOSED, "iam:ResetServiceSpecificCredential", CREDENTIAL, {"change": "reset"}),
    "iam:access_key_create": Door(CLOSED, "iam:CreateAccessKey", USER),
    "iam:access_key": Door(CLOSED, "iam:UpdateAccessKey", KEY, {"change": "Inactive"}),
    "iam:ssh_key_upload": Door(CLOSED, "iam:UploadSSHPublicKey", USER, {"body": "new_ssh_key"}),
    "iam:ssh_key": Door(CLOSED, "iam:UpdateSSHPublicKey", ("dora", "ssh_key_id"), {"change": "Inactive"}),
    "iam:group_list": Door("iam:ListGroups", "iam:CreateGroup", form={"name": "makers"}),
    "iam:group": Door("iam:GetGroup", args=GROUP),
    "iam:group_members": Door("iam:GetGroup", "iam:AddUserToGroup", GROUP, {"change": "add", "user": "dora"}),
    "iam:group_settings": Door("iam:GetGroup", "iam:UpdateGroup", GROUP, {"name": "team", "path": "/"}),
    "iam:group_delete": Door(CLOSED, "iam:DeleteGroup", GROUP, {"confirm_name": "team"}),
    "iam:group_policies": Door(CLOSED, "iam:AttachGroupPolicy", GROUP, ATTACH),
    "iam:group_inline_create": Door("iam:GetGroup iam:PutGroupPolicy", "iam:PutGroupPolicy", GROUP, INLINE),
    "iam:group_inline": Door("iam:GetGroupPolicy iam:GetGroup", "iam:PutGroupPolicy", ("crew", "inline"), INLINE),
    "iam:group_inline_delete": Door(CLOSED, "iam:DeleteGroupPolicy", ("crew", "inline"), {"confirm_name": "inline"}),
    "iam:policy_list": Door("iam:ListPolicies"),
    "iam:policy_create": Door("iam:CreatePolicy", "iam:CreatePolicy", form={"name": "closed", "document": DOCUMENT}),
    "iam:policy_check": Door(CLOSED, SIGNED_IN, form={"document": DOCUMENT}),
    "iam:policy_aws": Door("iam:GetPolicy", args=("IAMReadOnlyAccess",)),
    "iam:policy_aws_entities": Door(CLOSED, "iam:AttachUserPolicy", ("IAMReadOnlyAccess",), TO_DORA),
    "iam:policy_customer": Door("iam:GetPolicy", args=POLICY),
    "iam:policy_customer_entities": Door(CLOSED, "iam:AttachUserPolicy", ("kept",), TO_DORA),
    "iam:policy_edit": Door(
        "iam:GetPolicy iam:CreatePolicyVersion", "iam:CreatePolicyVersion", POLICY, {"document": DOCUMENT}
    ),
    "iam:policy_compare": Door("iam:GetPolicyVersion", args=POLICY, query="?from=v1&to=v1"),
    "iam:policy_versions": Door(CLOSED, "iam:SetDefaultPolicyVersion", POLICY, {"change": "default", "version": "v1"}),
    "iam:policy_tags": Door(CLOSED, "iam:TagPolicy", POLICY, TAG),
    "iam:policy_delete": Door(CLOSED, "iam:DeletePolicy", POLICY, {"confirm_name": "ours"}),
    "iam:role_list": Door("iam:ListRoles"),
    "iam:role_create": Door("iam:CreateRole", "iam:CreateRole", form={"name": "maker", "trusted": "builds"}),
    "iam:role": Door("iam:GetRole", args=ROLE),
    "iam:role_trust": Door("iam:GetRole", "iam:UpdateAssumeRolePolicy", ROLE, {"document": TRUST}),
    "iam:role_settings": Door("iam:GetRole", "iam:UpdateRole", ROLE, {"description": "", "hours": "2"}),
    "iam:role_tags": Door(CLOSED, "iam:TagRole", ROLE, TAG),
    "iam:role_delete": Door(CLOSED, "iam:DeleteRole", ("idle",), {"confirm_name": "idle"}),
    "iam:role_policies": Door(CLOSED, "iam:AttachRolePolicy", ROLE, ATTACH),
    "iam:role_inline_create": Door("iam:GetRole iam:PutRolePolicy", "iam:PutRolePolicy", ROLE, INLINE),
    "iam:role_inline": Door("iam:GetRolePolicy iam:GetRole", "iam:PutRolePolicy", (*ROLE, "inline"), INLINE),
    "iam:role_inline_delete": Door(CLOSED, "iam:DeleteRolePolicy", (*ROLE, "inline"), {"confirm_name": "inline"}),
    "iam:simulator": Door(
        "iam:SimulatePrincipalPolicy",
        "iam:SimulateCustomPolicy",
        form={"document": DOCUMENT},
        query="?user=dora&action=s3:GetObject&resource=*",
    ),
    "iam:password_policy": Door(
        "iam:GetAccountPasswordPolicy", "iam:UpdateAccountPasswordPolicy", form={"minimum_length": "12"}
    ),
    "iam:password_policy_delete": Door(CLOSED, "iam:DeleteAccountPasswordPolicy"),
    "audit:event_list": Door("cloudtrail:LookupEvents"),
    "audit:export": Door("cloudtrail:LookupEvents"),
    "audit:verification": Door("cloudtrail:LookupEvents", "cloudtrail:LookupEvents"),
    "audit:trail_list": Door(
        "cloudtrail:DescribeTrails",
        "cloudtrail:CreateTrail",
        form={"name": "new-trail", "bucket": "logs", "kind": "All"},
    ),
    "audit:trail": Door("cloudtrail:GetTrail", args=TRAIL),
    "audit:trail_logging": Door(CLOSED, "cloudtrail:StopLogging", TRAIL, {"change": "stop"}),
    "audit:trail_delete": Door(CLOSED, "cloudtrail:DeleteTrail", TRAIL, {"confirm_name": "main"}),
    "audit:event": Door("cloudtrail:LookupEvents", args=("event_id",)),
    "notifications:certificate": Door(PUBLIC, args=("known",)),
    "notifications:topic_list": Door("sns:ListTopics"),
    "notifications:topic_create": Door("sns:CreateTopic", "sns:CreateTopic", form={"name": "fresh"}),
    "notifications:topic": Door("sns:GetTopicAttributes", args=TOPIC),
    "notifications:topic_settings": Door(
        "sns:SetTopicAttributes", "sns:SetTopicAttributes", TOPIC, {"display_name": "Bell", "signature_version": "2"}
    ),
    "notifications:topic_delete": Door(CLOSED, "sns:DeleteTopic", TOPIC, {"confirm_name": "bell"}),
    "notifications:publish": Door(CLOSED, "sns:Publish", TOPIC, {"message": "ding"}),
    "notifications:subscribe": Door(CLOSED, "sns:Subscribe", TOPIC, {"endpoint": "https://93.184.216.34/a"}),
    "notifications:resend": Door(CLOSED, "sns:Subscribe", (*TOPIC, "subscription_id")),
    "notifications:unsubscribe": Door(
        CLOSED, "sns:Unsubscribe", (*TOPIC, "subscription_id"), {"confirm_name": "https://93.184.216.34/bell"}
    ),
    "notifications:delivery_list": Door("sns:ListSubscriptionsByTopic", args=TOPIC),
    "notifications:delivery": Door("sns:ListSubscriptionsByTopic", args=(*TOPIC, "delivery_id")),
    "notifications:redeliver": Door(
        CLOSED, "sns:ListSubscriptionsByTopic sns:Publish", (*TOPIC, "delivery_id"), statuses=(302, 400)
    ),
    "secretstore:parameter_list": Door("ssm:DescribeParameters"),
    "secretstore:parameter_create": Door(
        "ssm:PutParameter", "ssm:PutParameter", form={"name": "fresh", "type": "String", **NEW_VALUE}
    ),
    "secretstore:parameter": Door("ssm:GetParameterHistory", args=PARAMETER),
    "secretstore:parameter_value": Door(CLOSED, "ssm:GetParameter", PARAMETER),
    "secretstore:parameter_version_create": Door(CLOSED, "ssm:PutParameter", PARAMETER, NEW_VALUE),
    "secretstore:parameter_tags": Door(CLOSED, "ssm:AddTagsToResource", PARAMETER, TAG),
    "secretstore:parameter_delete": Door(CLOSED, "ssm:DeleteParameter", PARAMETER, {"confirm_name": "word"}),
    "secretstore:secret_list": Door("secretsmanager:ListSecrets"),
    "secretstore:secret_create": Door(
        "secretsmanager:CreateSecret", "secretsmanager:CreateSecret", form={"name": "fresh", **NEW_VALUE}
    ),
    "secretstore:secret": Door("secretsmanager:DescribeSecret", args=SECRET),
    "secretstore:secret_value": Door(CLOSED, "secretsmanager:GetSecretValue", SECRET),
    "secretstore:secret_version_create": Door(CLOSED, "secretsmanager:PutSecretValue", SECRET, NEW_VALUE),
    "secretstore:secret_describe": Door(CLOSED, "secretsmanager:UpdateSecret", SECRET, {"description": "Hm?"}),
    "secretstore:secret_tags": Door(CLOSED, "secretsmanager:TagResource", SECRET, TAG),
    "secretstore:secret_delete": Door(
        CLOSED, "secretsmanager:DeleteSecret", SECRET, {"confirm_name": "riddle", "days": "7"}
    ),
    "secretstore:secret_restore": Door(CLOSED, "secretsmanager:RestoreSecret", SECRET),
    "objects:bucket_list": Door("s3:ListAllMyBuckets"),
    "objects:bucket_create": Door("s3:CreateBucket", "s3:CreateBucket", form={"name": "fresh"}),
    "objects:bucket": Door("s3:ListBucket", args=BUCKET, query="?prefix=a/"),
    "objects:bucket_delete": Door(CLOSED, "s3:DeleteBucket", ("hollow",), {"confirm_name": "hollow"}),
    "objects:object": Door("s3:GetObject", args=BUCKET, query="?key=a/note.txt"),
    "objects:object_download": Door("s3:GetObject", args=BUCKET, query="?key=a/note.txt"),
    "objects:object_delete": Door(CLOSED, "s3:DeleteObject", BUCKET, {"key": "a/note.txt", "confirm_name": "note.txt"}),
    # A form of these tests carries no file.
    "objects:object_upload": Door("s3:PutObject", "s3:PutObject", BUCKET, {"folder": "a/"}, statuses=(400,)),
    "objects:upload_list": Door("s3:ListBucketMultipartUploads", args=BUCKET),
    "objects:upload_abort": Door(
        CLOSED, "s3:AbortMultipartUpload", BUCKET, {"key": "a/large", "upload_id": "upload_id"}
    ),
    "repos:repository_list": Door("codecommit:ListRepositories"),
    "repos:repository_create": Door(SIGNED_IN, "codecommit:CreateRepository", form={"name": "loud"}),
    # What the form names is refused as an address of this machine: nothing outside is asked for a test of doors.
    "repos:repository_import": Door(
        SIGNED_IN,
        "codecommit:CreateRepository codecommit:GitPush",
        form={"name": "loud", "url": INWARDS},
        statuses=(400,),
    ),
    "repos:import": Door("codecommit:GetRepository", args=REPOSITORY),
    "repos:import_cancel": Door(CLOSED, "codecommit:GitPush", REPOSITORY, statuses=(409,)),
    "repos:import_retry": Door(CLOSED, "codecommit:GitPush", REPOSITORY, {"url": INWARDS}, statuses=(400,)),
    "repos:mirror": Door(
        "codecommit:GetRepository", "codecommit:MirrorRepository", REPOSITORY, MIRROR_FORM, statuses=(400,)
    ),
    "repos:mirror_change": Door(CLOSED, "codecommit:MirrorRepository", REPOSITORY, {"change": "pause"}),
    "repos:repository": Door("codecommit:GetRepository", args=REPOSITORY),
    "repos:browse": Door("codecommit:GetFolder", args=("hush", "main/src")),
    "repos:find": Door("codecommit:GetFolder", args=("hush", "main"), query="?q=app"),
    "repos:path_list": Door("codecommit:GetFolder", args=("hush", "oid")),
    "repos:search": Door("codecommit:GetFolder codecommit:GetFile", args=("hush", "main"), query="?q=a"),
    "repos:raw": Door("codecommit:GetFile", args=("hush", "main/src/app.py")),
    "repos:blame": Door("codecommit:GetCommitHistory codecommit:GetFile", args=("hush", "main/src/app.py")),
    "repos:archive": Door("codecommit:GetFolder codecommit:GetFile", args=("hush", "main/src.zip")),
    "repos:commit_list": Door("codecommit:GetCommitHistory", args=("hush", "main")),
    "repos:graph": Door("codecommit:GetCommitHistory", args=REPOSITORY),
    "repos:graph_rows": Door("codecommit:GetCommitHistory", args=REPOSITORY),
    "repos:commit": Door("codecommit:GetCommit", args=("hush", "oid")),
    "repos:commit_revert": Door(
        "codecommit:GetCommit codecommit:CreateCommit",
        "codecommit:GetCommit codecommit:CreateCommit",
        ("hush", "oid"),
        {"onto": "main"},
    ),
    # The branch has the commit already.
    "repos:commit_cherry_pick": Door(
        "codecommit:GetCommit codecommit:CreateCommit",
        "codecommit:GetCommit codecommit:CreateCommit",
        ("hush", "oid"),
        {"onto": "main"},
        statuses=(400,),
    ),
    "repos:file_edit": Door(
        "codecommit:GetFile codecommit:PutFile",
        "codecommit:GetFile codecommit:PutFile",
        ("hush", "main/src/app.py"),
        {"base": "oid", "path": "src/app.py", "content": "print(1)"},
    ),
    "repos:file_create": Door(
        "codecommit:GetFile codecommit:PutFile",
        "codecommit:GetFile codecommit:PutFile",
        ("hush", "main/src"),
        {"base": "oid", "path": "src/new.py", "content": "print(1)"},
    ),
    # A form of these tests carries no file.
    "repos:file_upload": Door(
        "codecommit:GetFile codecommit:CreateCommit",
        "codecommit:GetFile codecommit:CreateCommit",
        ("hush", "main/src"),
        {"base": "oid", "folder": "src"},
        statuses=(400,),
    ),
    "repos:file_delete": Door(
        "codecommit:GetFile codecommit:DeleteFile",
        "codecommit:GetFile codecommit:DeleteFile",
        ("hush", "main/src/app.py"),
        {"base": "oid"},
    ),
    "repos:comment_post": Door(
        CLOSED, "codecommit:PostCommentForComparedCommit", ("hush", "oid"), {"content": "Well."}
    ),
    "repos:comment_reply": Door(CLOSED, "codecommit:PostCommentReply", COMMENT, {"content": "Well."}),
    "repos:comment_edit": Door(CLOSED, "codecommit:UpdateComment", COMMENT, {"content": "Better."}),
    "repos:comment_delete": Door(CLOSED, "codecommit:DeleteCommentContent", COMMENT),
    "repos:comment_react": Door(CLOSED, "codecommit:PutCommentReaction", COMMENT, {"value": ":clap:"}),
    "repos:commit_text": Door(
        "codecommit:GetCommit codecommit:GetBlob codecommit:GetDifferences", args=("hush", "oid", "patch")
    ),
    "repos:compare": Door("codecommit:GetDifferences codecommit:GetBlob", args=("hush", "main...side")),
    "repos:branch_list": Door("codecommit:ListBranches", args=REPOSITORY),
    "repos:tag_list": Door("codecommit:GetReferences", args=REPOSITORY),
    "repos:branch_create": Door(CLOSED, "codecommit:CreateBranch", REPOSITORY, {"name": "more", "start": "main"}),
    "repos:branch_delete": Door(
        CLOSED, "codecommit:DeleteBranch", REPOSITORY, {"branch": "side", "confirm_name": "side"}
    ),
    "repos:branch_protect": Door(
        "codecommit:ListBranches",
        "codecommit:ListBranches iam:CreatePolicy",
        REPOSITORY,
        {"branch": "side", "groups": "team"},
        query="?branch=side",
    ),
    # The branch “side” has no protection to be taken away.
    "repos:branch_unprotect": Door(
        CLOSED,
        "codecommit:ListBranches iam:DeletePolicy",
        REPOSITORY,
        {"branch": "side", "confirm_name": "side"},
        statuses=(404,),
    ),
    "repos:tag_create": Door(CLOSED, "codecommit:GitPush", REPOSITORY, {"name": "v2", "start": "main"}),
    "repos:tag_delete": Door(CLOSED, "codecommit:GitPush", REPOSITORY, {"tag": "v1", "confirm_name": "v1"}),
    "repos:trigger_list": Door(
        "codecommit:GetRepositoryTriggers",
        "codecommit:PutRepositoryTriggers",
        REPOSITORY,
        {"name": "more", **TRIGGER_FORM},
    ),
    "repos:trigger": Door("codecommit:GetRepositoryTriggers", args=TRIGGER),
    "repos:trigger_edit": Door(
        "codecommit:PutRepositoryTriggers", "codecommit:PutRepositoryTriggers", TRIGGER, TRIGGER_FORM
    ),
    "repos:trigger_delete": Door(CLOSED, "codecommit:PutRepositoryTriggers", TRIGGER),
    "repos:trigger_test": Door(CLOSED, "codecommit:TestRepositoryTriggers", TRIGGER),
    "repos:trigger_confirm": Door(CLOSED, "codecommit:PutRepositoryTriggers", ("hush", "hook")),
    "repos:trigger_delivery": Door("codecommit:GetRepositoryTriggers", args=DELIVERY),
    "repos:trigger_redeliver": Door(CLOSED, "codecommit:TestRepositoryTriggers", DELIVERY),
    "repos:repository_settings": Door("codecommit:GetRepository", args=REPOSITORY),
    "repos:repository_describe": Door(
        CLOSED, "codecommit:UpdateRepositoryDescription", REPOSITORY, {"description": "Quiet."}
    ),
    "repos:repository_default_branch": Door(CLOSED, "codecommit:UpdateDefaultBranch", REPOSITORY, {"branch": "main"}),
    "repos:repository_rename": Door(CLOSED, "codecommit:UpdateRepositoryName", REPOSITORY, {"name": "loud"}),
    "repos:repository_migrate": Door("codecommit:GetRepository", args=REPOSITORY),
    "repos:repository_tags": Door(CLOSED, "codecommit:ListTagsForResource codecommit:TagResource", REPOSITORY, TAG),
    "repos:repository_quota": Door(CLOSED, "codeservices:PutRepositoryQuota", REPOSITORY, {"quota_gigabytes": "1"}),
    "repos:repository_archive": Door(CLOSED, "codecommit:ArchiveRepository", REPOSITORY),
    "repos:repository_unarchive": Door(CLOSED, "codecommit:UnarchiveRepository", REPOSITORY),
    "repos:deleted_list": Door("codecommit:ListRepositories"),
    "repos:deleted": Door("codecommit:RestoreRepository", args=GONE),
    "repos:deleted_restore": Door(CLOSED, "codecommit:RestoreRepository", GONE, {"name": "gone"}),
    "repos:deleted_purge": Door(CLOSED, "codecommit:PurgeRepository", GONE, {"confirm_name": "gone"}),
    "repos:repository_delete": Door(CLOSED, "codecommit:DeleteRepository", REPOSITORY, {"confirmation": "hush"}),
    "repos:upkeep": Door("codecommit:GetRepository", args=REPOSITORY),
    "repos:upkeep_run": Door(CLOSED, "codecommit:RunRepositoryUpkeep", REPOSITORY),
    "repos:upkeep_list": Door("codecommit:ListRepositories"),
    "builds:project_badge": Door(PUBLIC),
    "builds:project_list": Door("codebuild:ListProjects"),
    "builds:project_create": Door("codebuild:CreateProject", "codebuild:CreateProject", form=PROJECT_FORM),
    "builds:project": Door("codebuild:BatchGetProjects", args=PROJECT),
    "builds:project_settings": Door("codebuild:UpdateProject", "codebuild:UpdateProject", PROJECT, PROJECT_FORM),
    "builds:project_delete": Door(CLOSED, "codebuild:DeleteProject", PROJECT, {"confirm": "hush-build"}),
    "builds:credential_list": Door(
        "codebuild:ListSourceCredentials", "codebuild:ImportSourceCredentials", form=SOURCE_CREDENTIAL_FORM
    ),
    "builds:credential_delete": Door(
        CLOSED, "codebuild:DeleteSourceCredentials", form={"arn": "source_credential_arn", "confirm": "BITBUCKET"}
    ),
    "builds:build_start": Door("codebuild:StartBuild", "codebuild:StartBuild", PROJECT),
    "builds:build_list": Door("codebuild:ListBuilds"),
    "builds:build_recent": Door("codebuild:ListBuilds"),
    "builds:build": Door("codebuild:BatchGetBuilds", args=BUILD),
    "builds:build_stop": Door(CLOSED, "codebuild:StopBuild", BUILD),
    "builds:build_retry": Door(CLOSED, "codebuild:RetryBuild", BUILD),
    "builds:build_events": Door("codebuild:BatchGetBuilds", args=BUILD),
    "builds:build_log": Door("codebuild:BatchGetBuilds logs:GetLogEvents", args=BUILD),
    "builds:build_log_search": Door("codebuild:BatchGetBuilds logs:GetLogEvents", args=BUILD, query="?q=a"),
    "builds:artifact_list": Door("codebuild:BatchGetBuilds", args=BUILD),
    "builds:artifact_download": Door("codebuild:BatchGetBuilds s3:GetObject", args=(*BUILD, "artifact_pk")),
    "builds:artifact_folder": Door("codebuild:BatchGetBuilds", args=(*BUILD, "artifact_pk", "dist")),
    "builds:artifact_file": Door(
        "codebuild:BatchGetBuilds s3:GetObject", args=(*BUILD, "artifact_pk", "dist/demo.whl")
    ),
    "builds:cache_list": Door("codebuild:BatchGetProjects", args=PROJECT),
    "builds:cache_invalidate": Door(CLOSED, "codebuild:InvalidateProjectCache", PROJECT),
}


@pytest.fixture
def world(lasting_world: LastingWorld, undrained: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(registry, "health_checks", [])
    return lasting_world.begin()


def address(name: str, door: Door, world: World) -> str:
    return reverse(name, args=[world.names.get(one, one) for one in door.args]) + door.query


def url_names(resolver: Any = None, space: str = "") -> list[str]:
    """Every URL's name with its namespace; those of the admin panel are one."""
    found = []
    for each in (resolver or get_resolver("codeservices.urls")).url_patterns:
        if isinstance(each, URLResolver) and each.namespace != "admin":
            found += url_names(each, f"{space}{each.namespace}:" if each.namespace else space)
        elif isinstance(each, URLPattern) and not str(each.pattern).startswith("admin/"):
            assert each.name, f"the address {each.pattern} has no name"
            found.append(space + each.name)
    return found


def test_every_url_has_its_rule_here():
    assert sorted(url_names()) == sorted(CONSOLE)


@pytest.mark.parametrize("name", CONSOLE)
def test_a_url_opens_to_those_whom_its_rule_names(name: str, world: World):
    door = CONSOLE[name]
    path = address(name, door, world)
    before = state()
    for who in (None, *world.people.values()):
        check(world.browser(who).get(path), door.get, who)
    for method in ("post", "delete") if door.post != API else ():
        refused = world.browser(world.people["alice"]).generic(method, path)
        assert refused.status_code == 403 and "This form has expired" in body(refused), method
    assert not changed(before), "a GET, or a request without a token, has changed something"
    form = {key: world.names.get(value, value) for key, value in door.form.items()} | {"csrfmiddlewaretoken": TOKEN}
    for who in (None, world.people["carol"], world.people["bob"]):
        check(world.browser(who).post(path, form), door.post, who, door.statuses)
    assert not changed(before), "somebody who may not has changed something"
    check(world.browser(world.people["alice"]).post(path, form), door.post, world.people["alice"], door.statuses)


def check(response: Any, rule: str, who: User | None, statuses: tuple[int, ...] = (200, 302)) -> None:
    """Whether an answer is what the rule says for this person."""
    status = response.status_code
    missing = [] if who is None or ":" not in rule else [one for one in rule.split() if not may(who, one)]
    if who is None and rule not in (PUBLIC, API):
        assert (status == 302 and response["Location"].startswith("/sign-in/?next=")) or (rule, status) == (CLOSED, 405)
    elif rule == CLOSED:
        assert status == 405
    elif rule == API:
        assert status == 400 and response["Content-Type"] == JSON
    elif rule in (PUBLIC, SIGNED_IN):
        assert status in (*statuses, 401)
        assert (who is not None and who.policies.exists()) or "hush" not in body(response)
    elif missing:
        assert denied_action(response) == missing[0], f"{who} was answered with {status}"
    else:
        assert status in statuses and not denied_action(response), f"{who} was answered with {status}"


def test_the_walk_notices_what_a_door_writes(world: World):
    before = state()
    User.objects.filter(name="dora").update(last_login=timezone.now())
    assert not changed(before)
    User.objects.filter(name="dora").update(email="dora@example.org")
    assert changed(before) == ["iam.User"]
    User.objects.filter(name="dora").update(email="")
    assert not changed(before)
