"""What people and Terraform do with IAM, from the first call to the last, and what bad input gets."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from codeservices.iam.models import InlinePolicy, Policy, User
from tests import factories, gitclient
from tests.compat.refusals import refusal

GIT_SERVICE = "codecommit.amazonaws.com"
POWER_USER = "arn:aws:iam::aws:policy/AWSCodeCommitPowerUser"
ALLOW = json.dumps(factories.allow("codecommit:GitPull"))
KEEP_MAIN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Sid": "KeepMain",
            "Effect": "Deny",
            "Action": "codecommit:GitPush",
            "Resource": "*",
            "Condition": {
                "StringEqualsIfExists": {"codecommit:References": ["refs/heads/main"]},
                "Null": {"codecommit:References": "false"},
            },
        },
    }
)


@pytest.mark.usefixtures("redis_server")
def test_a_user_made_with_the_aws_cli_clones_and_pushes_until_a_policy_says_no(
    alice, client_of, live_server_url, tmp_path: Path
):
    factories.repository("demo")
    key = client_of(alice, "iam").create_access_key()["AccessKey"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": live_server_url,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def aws(*words: str) -> dict:
        program = Path(sys.executable).with_name("aws")
        done = subprocess.run([program, "iam", *words], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    aws("create-user", "--user-name", "dora")
    aws("attach-user-policy", "--user-name", "dora", "--policy-arn", POWER_USER)
    made = aws("create-service-specific-credential", "--user-name", "dora", "--service-name", GIT_SERVICE)
    credential = made["ServiceSpecificCredential"]
    account = ":".join(quote(credential[part], safe="") for part in ("ServiceUserName", "ServicePassword"))
    url = f"{live_server_url.replace('://', f'://{account}@')}/v1/repos/demo"
    work = gitclient.new(tmp_path / "work", url)
    work.commit({"README.md": "hello\n"}, "Begin")
    work.git("push", "--quiet", "origin", "main")
    assert gitclient.clone(tmp_path / "clone", url).git("log", "-1", "--format=%s") == "Begin"

    aws("put-user-policy", "--user-name", "dora", "--policy-name", "keep-main", "--policy-document", KEEP_MAIN)
    work.commit({"README.md": "hello again\n"}, "Go on")
    answer = work.try_git("push", "origin", "main")
    assert (answer.code, "explicit deny" in answer.err) == (1, True)
    work.git("push", "--quiet", "origin", "main:feature")

    aws("delete-user-policy", "--user-name", "dora", "--policy-name", "keep-main")
    work.git("push", "--quiet", "origin", "main")
    aws("detach-user-policy", "--user-name", "dora", "--policy-arn", POWER_USER)
    assert "not authorized to perform: codecommit:GitPull" in work.try_git("fetch", "origin").err


def test_terraform_makes_changes_and_destroys_a_user_with_all_it_has(alice, client_of):
    iam = client_of(alice, "iam")
    name = {"UserName": "tf"}
    iam.create_user(**name, Path="/tf/", Tags=[{"Key": "team", "Value": "build"}])
    assert iam.get_user(**name)["User"]["Tags"] == [{"Key": "team", "Value": "build"}]
    iam.update_user(**name, NewPath="/moved/")
    iam.tag_user(**name, Tags=[{"Key": "Team", "Value": "test"}, {"Key": "x", "Value": ""}])
    iam.untag_user(**name, TagKeys=["X"])
    assert iam.list_user_tags(**name)["Tags"] == [{"Key": "Team", "Value": "test"}]
    iam.create_group(GroupName="crew", Path="/")
    iam.update_group(GroupName="crew", NewGroupName="crew", NewPath="/teams/")
    iam.add_user_to_group(GroupName="crew", **name)
    assert [user["UserName"] for user in iam.get_group(GroupName="crew")["Users"]] == ["tf"]
    iam.attach_group_policy(GroupName="crew", PolicyArn=POWER_USER)
    iam.put_group_policy(GroupName="crew", PolicyName="own", PolicyDocument=ALLOW)
    assert iam.get_group_policy(GroupName="crew", PolicyName="own")["PolicyDocument"] == json.loads(ALLOW)
    iam.put_user_policy(**name, PolicyName="own", PolicyDocument=ALLOW)
    iam.attach_user_policy(**name, PolicyArn=POWER_USER)
    iam.attach_user_policy(**name, PolicyArn=POWER_USER)
    iam.create_access_key(**name)
    iam.create_service_specific_credential(**name, ServiceName=GIT_SERVICE)
    iam.create_login_profile(**name, Password=factories.PASSWORD, PasswordResetRequired=True)
    body = factories.ssh_key()
    ssh = iam.upload_ssh_public_key(**name, SSHPublicKeyBody=body)["SSHPublicKey"]["SSHPublicKeyId"]
    iam.update_ssh_public_key(**name, SSHPublicKeyId=ssh, Status="Inactive")
    kept = iam.get_ssh_public_key(**name, SSHPublicKeyId=ssh, Encoding="SSH")["SSHPublicKey"]
    assert (kept["SSHPublicKeyBody"], kept["Status"]) == (body, "Inactive")
    pem = iam.get_ssh_public_key(**name, SSHPublicKeyId=ssh, Encoding="PEM")["SSHPublicKey"]["SSHPublicKeyBody"]
    assert refusal(iam.upload_ssh_public_key, **name, SSHPublicKeyBody=pem)[:2] == ("DuplicateSSHPublicKey", 400)
    code, status, message = refusal(iam.delete_user, **name)
    assert (code, status) == ("DeleteConflict", 409)
    assert "access keys, git credentials, SSH public keys" in message

    for group in iam.list_groups_for_user(**name)["Groups"]:
        iam.remove_user_from_group(GroupName=group["GroupName"], **name)
    for policy in iam.list_user_policies(**name)["PolicyNames"]:
        iam.delete_user_policy(**name, PolicyName=policy)
    for policy in iam.list_attached_user_policies(**name)["AttachedPolicies"]:
        iam.detach_user_policy(**name, PolicyArn=policy["PolicyArn"])
    for key in iam.list_access_keys(**name)["AccessKeyMetadata"]:
        iam.delete_access_key(**name, AccessKeyId=key["AccessKeyId"])
    for key in iam.list_ssh_public_keys(**name)["SSHPublicKeys"]:
        iam.delete_ssh_public_key(**name, SSHPublicKeyId=key["SSHPublicKeyId"])
    iam.delete_login_profile(**name)
    assert refusal(iam.delete_login_profile, **name)[:2] == ("NoSuchEntity", 404)
    assert iam.list_signing_certificates(**name)["Certificates"] == []
    for one in iam.list_service_specific_credentials(**name)["ServiceSpecificCredentials"]:
        iam.delete_service_specific_credential(**name, ServiceSpecificCredentialId=one["ServiceSpecificCredentialId"])
    iam.delete_user(**name)
    assert refusal(iam.get_user, **name)[:2] == ("NoSuchEntity", 404)


def test_terraform_rotates_the_versions_of_a_policy(alice, client_of):
    iam = client_of(alice, "iam")
    made = iam.create_policy(PolicyName="ours", PolicyDocument=ALLOW, Description="Ours.", Tags=[])["Policy"]
    arn = {"PolicyArn": made["Arn"]}
    for _ in range(4):
        iam.create_policy_version(**arn, PolicyDocument=KEEP_MAIN, SetAsDefault=True)
    assert refusal(iam.create_policy_version, **arn, PolicyDocument=ALLOW)[:2] == ("LimitExceeded", 409)
    iam.delete_policy_version(**arn, VersionId="v1")
    version = iam.create_policy_version(**arn, PolicyDocument=ALLOW, SetAsDefault=True)["PolicyVersion"]
    assert (version["VersionId"], version["IsDefaultVersion"]) == ("v6", True)
    assert iam.get_policy(**arn)["Policy"]["DefaultVersionId"] == "v6"
    assert iam.get_policy_version(**arn, VersionId="v6")["PolicyVersion"]["Document"] == json.loads(ALLOW)
    assert refusal(iam.delete_policy, **arn)[:2] == ("DeleteConflict", 409)
    assert refusal(iam.delete_policy_version, **arn, VersionId="v6")[:2] == ("DeleteConflict", 409)
    iam.attach_user_policy(UserName="alice", **arn)
    local = iam.list_policies(Scope="Local", OnlyAttached=True)["Policies"]
    assert [(one["PolicyName"], one["AttachmentCount"]) for one in local if one["PolicyName"] == "ours"] == [
        ("ours", 1)
    ]
    entities = iam.list_entities_for_policy(**arn)
    assert [user["UserName"] for user in entities["PolicyUsers"]] == ["alice"]
    assert iam.list_entities_for_policy(**arn, EntityFilter="Role")["PolicyUsers"] == []
    iam.detach_user_policy(UserName="alice", **arn)
    for one in iam.list_policy_versions(**arn)["Versions"]:
        if not one["IsDefaultVersion"]:
            iam.delete_policy_version(**arn, VersionId=one["VersionId"])
    iam.delete_policy(**arn)
    assert refusal(iam.get_policy, **arn)[:2] == ("NoSuchEntity", 404)


def test_the_account_is_told_in_numbers_and_in_pages(alice, client_of):
    iam = client_of(alice, "iam")
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["Users"], summary["UsersQuota"], summary["VersionsPerPolicyQuota"]) == (1, 5000, 5)
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 3}))
    names = [one["PolicyName"] for page in pages for one in page["Policies"]]
    assert len(pages) > 2
    assert len(names) == len(set(names)) == Policy.objects.count()
    assert [one["UserName"] for page in pages for one in page["UserDetailList"]] == ["alice"]


# ---- bad input -------------------------------------------------------------------------------------------------------


def of_length(characters: int) -> str:
    """A policy of so many characters without white space, and a lot of white space."""
    document = factories.allow("s3:GetObject", resource="arn:aws:s3:::")
    missing = characters - len("".join(json.dumps(document).split()))
    document["Statement"][0]["Resource"] += "x" * missing
    return json.dumps(document, indent=40)


def test_a_policy_has_6144_characters_and_white_space_is_free(alice, client_of):
    iam = client_of(alice, "iam")
    assert refusal(iam.create_policy, PolicyName="big", PolicyDocument=of_length(6145))[:2] == ("LimitExceeded", 409)
    assert not Policy.objects.filter(name="big").exists()
    iam.create_policy(PolicyName="big", PolicyDocument=of_length(6144))
    put = {"UserName": "alice", "PolicyName": "big"}
    assert refusal(iam.put_user_policy, **put, PolicyDocument=of_length(2049))[:2] == ("LimitExceeded", 409)
    iam.put_user_policy(**put, PolicyDocument=of_length(2048))
    iam.put_user_policy(**put, PolicyDocument=of_length(2048))
    again = {**put, "PolicyName": "bigger", "PolicyDocument": ALLOW}
    assert refusal(iam.put_user_policy, **again)[:2] == ("LimitExceeded", 409)


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        "null",
        "[" * 1500,
        '{"Version": "2012-10-17"}',
        '{"Statement": []}',
        '{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Colour": "red"}}',
        '{"Statement": {"Effect": "Allow", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Nope": {"a": "b"}}}}',
    ],
)
def test_a_malformed_document_is_named_so_and_nothing_is_kept(alice, client_of, document):
    iam = client_of(alice, "iam")
    before = Policy.objects.count()
    code, status, message = refusal(iam.create_policy, PolicyName="odd", PolicyDocument=document)
    assert (code, status) == ("MalformedPolicyDocument", 400)
    assert len(message) > 20
    put = {"UserName": "alice", "PolicyName": "odd", "PolicyDocument": document}
    assert refusal(iam.put_user_policy, **put)[:2] == ("MalformedPolicyDocument", 400)
    assert (Policy.objects.count(), InlinePolicy.objects.count()) == (before, 0)


def test_the_eleventh_policy_and_the_eleventh_group_are_too_many(alice, client_of):
    iam = client_of(alice, "iam")
    factories.user("dora")
    for number in range(11):
        made = Policy.objects.create_with_document(ALLOW, name=f"policy{number}")
        iam.create_group(GroupName=f"group{number}")
        attach = {"UserName": "dora", "PolicyArn": made.arn}
        join = {"UserName": "dora", "GroupName": f"group{number}"}
        if number < 10:
            iam.attach_user_policy(**attach)
            iam.add_user_to_group(**join)
        else:
            assert refusal(iam.attach_user_policy, **attach)[:2] == ("LimitExceeded", 409)
            assert refusal(iam.add_user_to_group, **join)[:2] == ("LimitExceeded", 409)
    dora = User.objects.get(name="dora")
    assert (dora.policies.count(), dora.groups.count()) == (10, 10)


def test_a_user_name_has_the_characters_of_iam_and_no_others(alice, client_of):
    iam = client_of(alice, "iam")
    for name in ("a+b", "=,.@-", "_", "."):
        assert iam.create_user(UserName=name)["User"]["UserName"] == name
        assert iam.get_user(UserName=name)["User"]["UserName"] == name
    before = User.objects.count()
    for odd in " !\"#$%&'()*/:;<>?[\\]^`{|}~\t\n\r\x7féß☃":
        code, status, message = refusal(iam.create_user, UserName=f"a{odd}b")
        assert (code, status, "userName" in message) == ("ValidationError", 400, True), repr(odd)
    assert User.objects.count() == before


def test_a_name_of_a_renamed_user_can_be_given_again_with_git_credentials(alice, client_of):
    iam = client_of(alice, "iam")
    names = []
    for _ in range(2):
        iam.create_user(UserName="dora")
        made = iam.create_service_specific_credential(UserName="dora", ServiceName=GIT_SERVICE)
        names.append(made["ServiceSpecificCredential"]["ServiceUserName"])
        if len(names) == 1:
            iam.update_user(UserName="dora", NewUserName="theodora")
    assert names == ["dora-at-123456789012", "dora+1-at-123456789012"]
    found = iam.list_service_specific_credentials(AllUsers=True)["ServiceSpecificCredentials"]
    assert [one["UserName"] for one in found] == ["theodora", "dora"]


def test_an_authorization_header_of_64_kb_gets_an_error_of_aws(live_server_url):
    address = urlsplit(live_server_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Amz-Date": "20170901T123456Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=" + "A" * 64 * 1024,
    }
    connection.request("POST", "/", "Action=GetUser&Version=2010-05-08", headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert (answer.status, "<Code>IncompleteSignature</Code>" in text) == (400, True)
    assert "requires 'Signature' parameter" in text


def test_a_request_sent_again_within_the_skew_is_accepted_again(alice, client_of):
    client = client_of(alice, "iam")
    sent = []
    client.meta.events.register("before-send.iam", lambda request, **kwargs: sent.append(request) and None)
    client.list_users()
    again = client._endpoint.http_session.send(sent[0])
    assert (again.status_code, b"<UserName>alice</UserName>" in again.content) == (200, True)
