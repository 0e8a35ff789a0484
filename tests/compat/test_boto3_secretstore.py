"""Parameter Store and Secrets Manager as boto3, the aws command and Terraform's provider use them."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from codeservices.audit.models import Event

TOKEN = "4" * 36


@pytest.fixture
def ssm(alice, client_of):
    return client_of(alice, "ssm")


@pytest.fixture
def secrets(alice, client_of):
    return client_of(alice, "secretsmanager")


def refused(function, **params) -> str:
    with pytest.raises(ClientError) as caught:
        function(**params)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return caught.value.response["Error"]["Code"]


def test_what_terraform_calls_for_a_parameter(ssm):
    """aws_ssm_parameter: create, read, change, destroy."""
    tags = [{"Key": "team", "Value": "red"}]
    made = ssm.put_parameter(Name="/shop/db", Type="SecureString", Value="unspeakable", Overwrite=False, Tags=tags)
    assert (made["Version"], made["Tier"]) == (1, "Standard")
    read = ssm.get_parameter(Name="/shop/db", WithDecryption=True)["Parameter"]
    assert (read["Value"], read["Version"], read["DataType"]) == ("unspeakable", 1, "text")
    only = [{"Key": "Name", "Option": "Equals", "Values": ["/shop/db"]}]
    (known,) = ssm.describe_parameters(ParameterFilters=only)["Parameters"]
    assert (known["KeyId"], known["ARN"]) == ("alias/aws/ssm", read["ARN"])
    which = {"ResourceType": "Parameter", "ResourceId": "/shop/db"}
    assert ssm.list_tags_for_resource(**which)["TagList"] == tags
    assert ssm.put_parameter(Name="/shop/db", Value="new", Type="SecureString", Overwrite=True)["Version"] == 2
    ssm.add_tags_to_resource(**which, Tags=[{"Key": "a", "Value": "b"}])
    ssm.remove_tags_from_resource(**which, TagKeys=["team"])
    assert ssm.list_tags_for_resource(**which)["TagList"] == [{"Key": "a", "Value": "b"}]
    ssm.delete_parameter(Name="/shop/db")
    assert refused(ssm.get_parameter, Name="/shop/db") == "ParameterNotFound"
    trail = json.dumps([[one.request_parameters, one.response_elements] for one in Event.objects.all()])
    assert "unspeakable" not in trail and "HIDDEN_DUE_TO_SECURITY_REASONS" in trail


def test_what_terraform_calls_for_a_secret_and_its_version(secrets):
    """aws_secretsmanager_secret and aws_secretsmanager_secret_version: create, read, change, destroy."""
    made = secrets.create_secret(Name="shop/db", Tags=[{"Key": "team", "Value": "red"}], Description="For the shop")
    known = secrets.describe_secret(SecretId=made["ARN"])
    assert (known["Name"], known["Tags"]) == ("shop/db", [{"Key": "team", "Value": "red"}])
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId=made["ARN"])
    put = secrets.put_secret_value(SecretId=made["ARN"], SecretString="unspeakable", ClientRequestToken=TOKEN)
    assert (put["VersionId"], put["VersionStages"]) == (TOKEN, ["AWSCURRENT"])
    read = secrets.get_secret_value(SecretId=made["ARN"], VersionId=TOKEN)
    assert (read["SecretString"], read["VersionStages"]) == ("unspeakable", ["AWSCURRENT"])
    binary = secrets.put_secret_value(SecretId="shop/db", SecretBinary=b"\x00\xff", VersionStages=["BYTES"])
    assert secrets.get_secret_value(SecretId="shop/db", VersionStage="BYTES")["SecretBinary"] == b"\x00\xff"
    moved = {"VersionStage": "BYTES", "RemoveFromVersionId": binary["VersionId"]}
    secrets.update_secret_version_stage(SecretId=made["ARN"], **moved)
    listed = secrets.list_secret_version_ids(SecretId="shop/db", IncludeDeprecated=True)["Versions"]
    assert [one.get("VersionStages") for one in listed] == [None, ["AWSCURRENT"]]
    secrets.update_secret(SecretId=made["ARN"], Description="New")
    gone = secrets.delete_secret(SecretId=made["ARN"], RecoveryWindowInDays=7)
    assert secrets.describe_secret(SecretId=made["ARN"])["DeletedDate"] == gone["DeletionDate"]
    assert refused(secrets.get_secret_value, SecretId=made["ARN"]) == "InvalidRequestException"
    secrets.restore_secret(SecretId=made["ARN"])
    secrets.delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)
    assert refused(secrets.describe_secret, SecretId=made["ARN"]) == "ResourceNotFoundException"
    trail = json.dumps([[one.request_parameters, one.response_elements] for one in Event.objects.all()])
    assert "unspeakable" not in trail and "HIDDEN_DUE_TO_SECURITY_REASONS" in trail


def test_lists_come_in_pages(ssm, secrets):
    for number in range(12):
        ssm.put_parameter(Name=f"/many/p{number:02}", Value="v", Type="String")
        secrets.create_secret(Name=f"s{number:02}")
    pages = list(ssm.get_paginator("get_parameters_by_path").paginate(Path="/many"))
    assert [len(page["Parameters"]) for page in pages] == [10, 2]
    assert len(ssm.describe_parameters(MaxResults=50)["Parameters"]) == 12
    assert refused(ssm.describe_parameters, NextToken="x") == "InvalidNextToken"
    order = {"SortBy": "name", "SortOrder": "asc", "PaginationConfig": {"PageSize": 5}}
    names = [page["SecretList"] for page in secrets.get_paginator("list_secrets").paginate(**order)]
    assert [page[0]["Name"] for page in names] == ["s00", "s05", "s10"]
    assert refused(secrets.list_secrets, NextToken="x") == "InvalidNextTokenException"


def test_the_aws_command_puts_a_parameter_and_gets_a_secret(aws, ssm, secrets):
    def run(*arguments: str) -> str:
        done = aws(*arguments, "--output", "text")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("ssm", "put-parameter", "--name", "/shop/db", "--type", "SecureString", "--value", "unspeakable")
    sealed = ssm.get_parameter(Name="/shop/db")["Parameter"]["Value"]
    assert ssm.get_parameter(Name="/shop/db", WithDecryption=True)["Parameter"]["Value"] == "unspeakable" != sealed
    secrets.create_secret(Name="shop/db", SecretString='{"user": "shop"}')
    get = ("secretsmanager", "get-secret-value", "--secret-id", "shop/db", "--query", "SecretString")
    assert run(*get) == '{"user": "shop"}'
