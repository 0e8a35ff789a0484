"""Repositories as boto3 makes, lists, changes and deletes them, and the words in which CodeCommit refuses."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from botocore.config import Config

from codeservices.audit import cloudtrail
from codeservices.audit.models import Event, Outcome
from repos.models import Repository
from tests import factories, gitrepo
from tests.compat.refusals import refused

ARN = "arn:aws:codecommit:us-east-1:123456789012:"


def test_a_repository_is_made_read_listed_and_deleted(codecommit, live_server_url):
    before = datetime.now(UTC)
    made = codecommit.create_repository(repositoryName="demo", repositoryDescription="ä <b>")["repositoryMetadata"]
    assert made["Arn"] == ARN + "demo"
    assert made["cloneUrlHttp"] == f"{live_server_url}/v1/repos/demo"
    assert (made["accountId"], made["repositoryDescription"]) == ("123456789012", "ä <b>")
    assert abs((made["creationDate"] - before).total_seconds()) < 10
    assert "defaultBranch" not in made
    assert codecommit.get_repository(repositoryName="demo")["repositoryMetadata"] == made
    listed = codecommit.list_repositories()
    assert listed["repositories"] == [{"repositoryName": "demo", "repositoryId": made["repositoryId"]}]
    assert "nextToken" not in listed
    assert codecommit.delete_repository(repositoryName="demo")["repositoryId"] == made["repositoryId"]
    assert "repositoryId" not in codecommit.delete_repository(repositoryName="demo")
    assert refused(codecommit.get_repository, repositoryName="demo")[0] == "RepositoryDoesNotExistException"


def test_lists_follow_policy_and_order(alice, carol, client_of, codecommit):
    for name in ("b", "a", "c"):
        codecommit.create_repository(repositoryName=name)
    codecommit.update_repository_description(repositoryName="a", repositoryDescription="newest")

    def listed(client, **params):
        return [one["repositoryName"] for one in client.list_repositories(**params)["repositories"]]

    assert listed(codecommit) == ["a", "b", "c"]
    assert listed(codecommit, order="descending") == ["c", "b", "a"]
    assert listed(codecommit, sortBy="lastModifiedDate", order="descending") == ["a", "c", "b"]
    document = factories.allow("codecommit:ListRepositories")
    document["Statement"] += factories.allow("codecommit:GetRepository", resource=ARN + "b")["Statement"]
    dora = factories.user("dora", document=document)
    assert listed(client_of(dora, "codecommit")) == ["b"]
    assert Event.objects.filter(event_name="ListRepositories", principal_name="dora").count() == 1
    assert refused(client_of(carol, "codecommit").list_repositories)[0] == "AccessDeniedException"


def test_what_exists_does_not_leak_to_those_who_may_not_look(carol, client_of, codecommit):
    codecommit.create_repository(repositoryName="secret")
    client = client_of(carol, "codecommit")
    there = refused(client.get_repository, repositoryName="secret")
    absent = refused(client.get_repository, repositoryName="nothing")
    assert there[0] == absent[0] == "AccessDeniedException"
    assert there[1].replace("secret", "nothing") == absent[1]
    assert Event.objects.filter(event_name="GetRepository", outcome=Outcome.DENIED).count() == 2


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("create_repository", {"repositoryName": "a b"}, "InvalidRepositoryNameException"),
        ("create_repository", {"repositoryName": "demo.git"}, "InvalidRepositoryNameException"),
        ("create_repository", {"repositoryName": "x" * 101}, "InvalidRepositoryNameException"),
        ("create_repository", {"repositoryName": ".."}, "InvalidRepositoryNameException"),
        ("create_repository", {"repositoryName": "ünïcode"}, "InvalidRepositoryNameException"),
        ("create_repository", {"repositoryName": "taken"}, "RepositoryNameExistsException"),
        (
            "create_repository",
            {"repositoryName": "x", "repositoryDescription": "d" * 1001},
            "InvalidRepositoryDescriptionException",
        ),
        ("create_repository", {"repositoryName": "x", "kmsKeyId": "alias/k"}, "EncryptionKeyNotFoundException"),
        ("create_repository", {"repositoryName": "x", "kmsKeyId": "a key"}, "EncryptionKeyInvalidIdException"),
        ("create_repository", {"repositoryName": "x", "tags": {"a;b": ""}}, "InvalidTagsMapException"),
        ("create_repository", {"repositoryName": "new"}, "InvalidRepositoryNameException"),
        (
            "update_repository_encryption_key",
            {"repositoryName": "taken", "kmsKeyId": "alias/k"},
            "EncryptionKeyNotFoundException",
        ),
        (
            "update_repository_encryption_key",
            {"repositoryName": "taken", "kmsKeyId": "a key"},
            "EncryptionKeyInvalidIdException",
        ),
        (
            "update_repository_encryption_key",
            {"repositoryName": "taken", "kmsKeyId": ""},
            "EncryptionKeyRequiredException",
        ),
        (
            "update_repository_encryption_key",
            {"repositoryName": "nope", "kmsKeyId": "alias/k"},
            "RepositoryDoesNotExistException",
        ),
        ("delete_repository", {"repositoryName": "a b"}, "InvalidRepositoryNameException"),
        ("update_repository_name", {"oldName": "taken", "newName": "taken"}, "RepositoryNameExistsException"),
        (
            "update_repository_description",
            {"repositoryName": "taken", "repositoryDescription": "d" * 1001},
            "InvalidRepositoryDescriptionException",
        ),
        (
            "create_branch",
            {"repositoryName": "taken", "branchName": "a..b", "commitId": "1" * 40},
            "InvalidBranchNameException",
        ),
        (
            "create_branch",
            {"repositoryName": "taken", "branchName": "x", "commitId": "main"},
            "InvalidCommitIdException",
        ),
        ("create_branch", {"repositoryName": "taken", "branchName": "x", "commitId": ""}, "CommitIdRequiredException"),
        (
            "create_branch",
            {"repositoryName": "taken", "branchName": "x", "commitId": "1" * 40},
            "CommitDoesNotExistException",
        ),
        (
            "create_branch",
            {"repositoryName": "nope", "branchName": "x", "commitId": "1" * 40},
            "RepositoryDoesNotExistException",
        ),
        ("delete_branch", {"repositoryName": "taken", "branchName": "x" * 257}, "InvalidBranchNameException"),
        ("delete_branch", {"repositoryName": "nope", "branchName": "x"}, "RepositoryDoesNotExistException"),
        ("list_branches", {"repositoryName": "taken", "nextToken": "x"}, "InvalidContinuationTokenException"),
        ("batch_get_commits", {"repositoryName": "taken", "commitIds": []}, "CommitIdsListRequiredException"),
        (
            "batch_get_commits",
            {"repositoryName": "taken", "commitIds": [f"{number:040}" for number in range(101)]},
            "CommitIdsLimitExceededException",
        ),
        ("batch_get_commits", {"repositoryName": "nope", "commitIds": ["1"]}, "RepositoryDoesNotExistException"),
        ("tag_resource", {"resourceArn": ARN + "taken", "tags": {}}, "TagsMapRequiredException"),
        ("tag_resource", {"resourceArn": ARN + "taken", "tags": {"k": "v" * 257}}, "InvalidTagsMapException"),
        ("tag_resource", {"resourceArn": "arn:aws:s3:::x", "tags": {"k": "v"}}, "InvalidResourceArnException"),
        ("untag_resource", {"resourceArn": ARN + "taken", "tagKeys": ["aws:x"]}, "InvalidSystemTagUsageException"),
        ("create_repository", {"repositoryName": "x", "tags": {"aws:x": "1"}}, "InvalidSystemTagUsageException"),
        ("create_repository", {"repositoryName": "x", "tags": {"k" * 129: ""}}, "InvalidTagsMapException"),
        (
            "create_repository",
            {"repositoryName": "x", "tags": {str(number): "" for number in range(51)}},
            "TooManyTagsException",
        ),
        ("get_repository", {"repositoryName": "nope"}, "RepositoryDoesNotExistException"),
        ("list_repositories", {"sortBy": "colour"}, "InvalidSortByException"),
        ("list_repositories", {"order": "random"}, "InvalidOrderException"),
        ("list_repositories", {"nextToken": "abc"}, "InvalidContinuationTokenException"),
        ("update_repository_name", {"oldName": "taken", "newName": "no/slash"}, "InvalidRepositoryNameException"),
        ("update_repository_name", {"oldName": "nope", "newName": "other"}, "RepositoryDoesNotExistException"),
        ("batch_get_repositories", {"repositoryNames": []}, "RepositoryNamesRequiredException"),
        (
            "batch_get_repositories",
            {"repositoryNames": [f"r{number}" for number in range(101)]},
            "MaximumRepositoryNamesExceededException",
        ),
        ("batch_get_repositories", {"repositoryNames": ["a b"]}, "InvalidRepositoryNameException"),
        ("get_branch", {}, "RepositoryNameRequiredException"),
        ("get_branch", {"repositoryName": "taken"}, "BranchNameRequiredException"),
        ("get_branch", {"repositoryName": "taken", "branchName": "nope"}, "BranchDoesNotExistException"),
        ("get_branch", {"repositoryName": "taken", "branchName": "a..b"}, "InvalidBranchNameException"),
        (
            "update_default_branch",
            {"repositoryName": "taken", "defaultBranchName": "nope"},
            "BranchDoesNotExistException",
        ),
        (
            "update_default_branch",
            {"repositoryName": "taken", "defaultBranchName": "x" * 257},
            "InvalidBranchNameException",
        ),
        ("get_commit", {"repositoryName": "taken", "commitId": "main"}, "InvalidCommitIdException"),
        ("get_commit", {"repositoryName": "taken", "commitId": ""}, "CommitIdRequiredException"),
        ("get_commit", {"repositoryName": "taken", "commitId": "0" * 39 + "1"}, "CommitIdDoesNotExistException"),
        ("list_tags_for_resource", {"resourceArn": "demo"}, "InvalidResourceArnException"),
        ("list_tags_for_resource", {"resourceArn": ARN + "nope"}, "RepositoryDoesNotExistException"),
        ("untag_resource", {"resourceArn": ARN + "taken", "tagKeys": []}, "TagKeysListRequiredException"),
        ("create_pull_request", {"title": "t", "targets": []}, "UnsupportedOperationException"),
    ],
)
def test_what_codecommit_refuses_has_its_own_code(codecommit, operation, params, code):
    codecommit.create_repository(repositoryName="taken")
    assert refused(getattr(codecommit, operation), **params)[0] == code


def test_an_empty_name_is_a_missing_one_even_from_clients_that_check_nothing(alice, client_of, codecommit):
    careless = client_of(alice, "codecommit", config=Config(parameter_validation=False, retries={"max_attempts": 1}))
    for params in ({}, {"repositoryName": ""}, {"repositoryName": None}):
        assert refused(careless.get_repository, **params)[0] == "RepositoryNameRequiredException"
    branch = {"repositoryName": "demo"}
    for operation, params, code in (
        (careless.create_branch, branch, "BranchNameRequiredException"),
        (careless.create_branch, {**branch, "branchName": ""}, "BranchNameRequiredException"),
        (careless.create_branch, {**branch, "branchName": "x"}, "CommitIdRequiredException"),
        (careless.delete_branch, branch, "BranchNameRequiredException"),
        (careless.update_default_branch, branch, "BranchNameRequiredException"),
        (careless.batch_get_commits, branch, "CommitIdsListRequiredException"),
        (careless.batch_get_repositories, {}, "RepositoryNamesRequiredException"),
        (careless.update_repository_encryption_key, branch, "EncryptionKeyRequiredException"),
        (careless.tag_resource, {"tags": {"a": "b"}}, "ResourceArnRequiredException"),
        (careless.tag_resource, {"resourceArn": ARN + "demo"}, "TagsMapRequiredException"),
        (careless.untag_resource, {"resourceArn": ARN + "demo"}, "TagKeysListRequiredException"),
        (careless.update_repository_name, {"oldName": "demo"}, "RepositoryNameRequiredException"),
    ):
        assert refused(operation, **params)[0] == code
    assert refused(careless.get_repository, repositoryName=7)[0] == "SerializationException"


def test_description_and_name_can_change(codecommit):
    first = codecommit.create_repository(repositoryName="old", repositoryDescription="x")["repositoryMetadata"]
    codecommit.update_repository_description(repositoryName="old")
    codecommit.update_repository_name(oldName="old", newName="new-name")
    changed = codecommit.get_repository(repositoryName="new-name")["repositoryMetadata"]
    assert (changed["Arn"], changed["repositoryId"]) == (ARN + "new-name", first["repositoryId"])
    assert "repositoryDescription" not in changed
    assert changed["lastModifiedDate"] > first["lastModifiedDate"]
    assert refused(codecommit.get_repository, repositoryName="old")[0] == "RepositoryDoesNotExistException"


def test_a_batch_tells_the_unknown_and_refuses_what_is_not_allowed(codecommit, client_of):
    codecommit.create_repository(repositoryName="a")
    answer = codecommit.batch_get_repositories(repositoryNames=["a", "b", "a"])
    assert [one["repositoryName"] for one in answer["repositories"]] == ["a"]
    assert answer["repositoriesNotFound"] == ["b"]
    document = factories.allow("codecommit:BatchGetRepositories", resource=ARN + "a")
    client = client_of(factories.user("dora", document=document), "codecommit")
    assert refused(client.batch_get_repositories, repositoryNames=["a", "b"])[0] == "AccessDeniedException"


def test_what_is_deleted_is_gone_for_the_api_and_its_name_is_free(codecommit):
    first = codecommit.create_repository(repositoryName="demo")["repositoryMetadata"]
    oid = gitrepo.commit(Repository.objects.get().git, {"a": "1"})
    assert codecommit.delete_repository(repositoryName="demo")["repositoryId"] == first["repositoryId"]
    for operation, params in (
        (codecommit.get_repository, {}),
        (codecommit.list_branches, {}),
        (codecommit.get_commit, {"commitId": oid}),
        (codecommit.create_branch, {"branchName": "x", "commitId": oid}),
        (codecommit.get_repository_triggers, {}),
        (codecommit.update_repository_description, {}),
    ):
        assert refused(operation, repositoryName="demo", **params)[0] == "RepositoryDoesNotExistException"
    assert refused(codecommit.list_tags_for_resource, resourceArn=ARN + "demo")[0] == "RepositoryDoesNotExistException"
    assert codecommit.list_repositories()["repositories"] == []
    assert codecommit.batch_get_repositories(repositoryNames=["demo"])["repositoriesNotFound"] == ["demo"]
    again = codecommit.create_repository(repositoryName="demo")["repositoryMetadata"]
    assert again["repositoryId"] != first["repositoryId"]
    codecommit.create_repository(repositoryName="other")
    codecommit.delete_repository(repositoryName="demo")
    codecommit.update_repository_name(oldName="other", newName="demo")
    assert Repository.all_objects.filter(name="demo").count() == 3


def test_an_archived_repository_refuses_to_change(codecommit):
    codecommit.create_repository(repositoryName="demo")
    oid = gitrepo.commit(Repository.objects.get().git, {"a": "1"})
    Repository.objects.update(archived_at=datetime.now(UTC))
    for operation, params in (
        (codecommit.create_branch, {"branchName": "x", "commitId": oid}),
        (codecommit.delete_branch, {"branchName": "x"}),
        (codecommit.update_default_branch, {"defaultBranchName": "main"}),
    ):
        code, sentence = refused(operation, repositoryName="demo", **params)
        assert code == "OperationNotAllowedException"
        assert "demo is archived since" in sentence
    assert codecommit.get_branch(repositoryName="demo", branchName="main")["branch"]["commitId"] == oid


def test_a_repository_whose_files_are_gone_is_told_beside_the_others(codecommit):
    for name in ("whole", "broken"):
        codecommit.create_repository(repositoryName=name)
    broken = Repository.objects.get(name="broken")
    shutil.rmtree(broken.git.path)
    answer = codecommit.batch_get_repositories(repositoryNames=["whole", "broken", "absent"])
    assert [one["repositoryName"] for one in answer["repositories"]] == ["whole"]
    assert answer["repositoriesNotFound"] == ["absent"]
    [error] = answer["errors"]
    assert (error["repositoryName"], error["repositoryId"]) == ("broken", str(broken.repository_id))
    assert error["errorCode"] == "RepositoryDoesNotExistException"


def test_many_repositories_come_in_pages_in_every_order(codecommit):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [Repository(name=f"r{number:04}", updated_at=start - timedelta(hours=number)) for number in range(1001)]
    Repository.objects.bulk_create(rows)
    by_name = [f"r{number:04}" for number in range(1001)]
    pages = codecommit.get_paginator("list_repositories")
    for options, wanted in (
        ({}, by_name),
        ({"order": "descending"}, by_name[::-1]),
        ({"sortBy": "lastModifiedDate"}, by_name[::-1]),
        ({"sortBy": "lastModifiedDate", "order": "descending"}, by_name),
    ):
        found = [[one["repositoryName"] for one in page["repositories"]] for page in pages.paginate(**options)]
        assert [len(page) for page in found] == [1000, 1]
        assert [name for page in found for name in page] == wanted
    token = codecommit.list_repositories()["nextToken"]
    other = {"order": "descending", "nextToken": token}
    assert refused(codecommit.list_repositories, **other)[0] == "InvalidContinuationTokenException"
    assert refused(codecommit.create_repository, repositoryName="more")[0] == "RepositoryLimitExceededException"


def test_a_power_user_works_and_deletes_no_repository(codecommit, client_of):
    paula = client_of(factories.user("paula", "AWSCodeCommitPowerUser"), "codecommit")
    arn = paula.create_repository(repositoryName="demo")["repositoryMetadata"]["Arn"]
    oid = gitrepo.commit(Repository.objects.get().git, {"a": "1"})
    paula.create_branch(repositoryName="demo", branchName="x", commitId=oid)
    paula.update_default_branch(repositoryName="demo", defaultBranchName="x")
    paula.delete_branch(repositoryName="demo", branchName="main")
    paula.tag_resource(resourceArn=arn, tags={"a": "b"})
    paula.untag_resource(resourceArn=arn, tagKeys=["a"])
    paula.update_repository_name(oldName="demo", newName="shop")
    assert refused(paula.delete_repository, repositoryName="shop")[0] == "AccessDeniedException"


def test_terraform_keeps_a_repository(codecommit):
    """The calls of the provider's aws_codecommit_repository, in its order: create, read, change, destroy."""
    made = codecommit.create_repository(
        repositoryName="infra", repositoryDescription="first", tags={"env": "test", "owner": "ops"}
    )["repositoryMetadata"]

    def read(name: str) -> dict[str, object]:
        metadata = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
        tags = codecommit.list_tags_for_resource(resourceArn=metadata["Arn"])["tags"]
        return {**metadata, "tags": tags}

    assert read("infra")["tags"] == {"env": "test", "owner": "ops"}
    # default_branch is skipped while there is no branch.
    assert codecommit.list_branches(repositoryName="infra")["branches"] == []
    oid = gitrepo.commit(Repository.objects.get().git, {"a": "1"})
    codecommit.create_branch(repositoryName="infra", branchName="release", commitId=oid)
    assert codecommit.list_branches(repositoryName="infra")["branches"] == ["main", "release"]
    codecommit.update_default_branch(repositoryName="infra", defaultBranchName="release")
    codecommit.update_repository_description(repositoryName="infra", repositoryDescription="second")
    codecommit.update_repository_name(oldName="infra", newName="infra-live")
    arn = ARN + "infra-live"
    codecommit.untag_resource(resourceArn=arn, tagKeys=["owner"])
    codecommit.tag_resource(resourceArn=arn, tags={"env": "live"})
    found = read("infra-live")
    assert (found["repositoryId"], found["Arn"]) == (made["repositoryId"], arn)
    assert (found["defaultBranch"], found["repositoryDescription"]) == ("release", "second")
    assert found["tags"] == {"env": "live"}
    assert "kmsKeyId" not in found
    codecommit.delete_repository(repositoryName="infra-live")
    code, sentence = refused(codecommit.get_repository, repositoryName="infra-live")
    assert (code, sentence[:25]) == ("RepositoryDoesNotExistException", "infra-live does not exist")


def test_tags_are_kept(codecommit):
    arn = codecommit.create_repository(repositoryName="demo", tags={"team": "a", "x": ""})["repositoryMetadata"]["Arn"]
    codecommit.tag_resource(resourceArn=arn, tags={"team": "b", "größe": "2"})
    codecommit.untag_resource(resourceArn=arn, tagKeys=["x", "absent"])
    assert codecommit.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "b", "größe": "2"}
    assert refused(codecommit.tag_resource, resourceArn=arn, tags={"aws:a": ""})[0] == "InvalidSystemTagUsageException"


def test_policies_may_speak_of_the_tags_of_a_request(codecommit, client_of):
    arn = codecommit.create_repository(repositoryName="demo")["repositoryMetadata"]["Arn"]
    document = factories.allow("codecommit:TagResource")
    document["Statement"][0]["Condition"] = {"StringEquals": {"aws:RequestTag/team": "a"}}
    client = client_of(factories.user("dora", document=document), "codecommit")
    client.tag_resource(resourceArn=arn, tags={"team": "a"})
    assert refused(client.tag_resource, resourceArn=arn, tags={"team": "b"})[0] == "AccessDeniedException"


def test_each_call_is_one_event_in_cloudtrails_form(codecommit):
    codecommit.create_repository(repositoryName="demo", repositoryDescription="text")
    codecommit.get_repository(repositoryName="demo")
    refused(codecommit.create_repository, repositoryName="demo")
    made, read, failed = Event.objects.order_by("pk")
    record = cloudtrail.record(made)
    assert (record["eventSource"], record["eventName"]) == ("codecommit.amazonaws.com", "CreateRepository")
    assert record["readOnly"] is False
    assert record["requestParameters"] == {"repositoryName": "demo", "repositoryDescription": "text"}
    assert record["responseElements"]["repositoryMetadata"]["arn"] == ARN + "demo"
    resource = {"ARN": ARN + "demo", "accountId": "123456789012", "type": "AWS::CodeCommit::Repository"}
    assert record["resources"] == [resource]
    assert (record["userIdentity"]["type"], record["userIdentity"]["userName"]) == ("IAMUser", "alice")
    assert record["userIdentity"]["accessKeyId"].startswith("AKIA")
    assert "Boto3" in record["userAgent"]
    assert (read.is_read_only, read.response_elements) == (True, None)
    assert (failed.outcome, failed.error_code) == (Outcome.FAILED, "RepositoryNameExistsException")
