"""Branches and commits as boto3 reads and makes them."""

from __future__ import annotations

from codeservices.audit.models import Event, Outcome
from repos.models import Push, Repository
from tests import factories, gitrepo
from tests.compat.refusals import refused

ARN = "arn:aws:codecommit:us-east-1:123456789012:"


def test_branches_and_commits_are_read(codecommit):
    codecommit.create_repository(repositoryName="demo")
    repository = Repository.objects.get()
    author, committer = "Ada <ada@example.com>", "Bo <bo@example.com>"
    message = "Subject\n\nBody ä\n"
    options = {"author": author, "committer": committer, "at": 1508280542, "zone": "-0830"}
    first = gitrepo.commit(repository.git, {"a.txt": "1"}, "First")
    oid = gitrepo.commit(repository.git, {"a.txt": "2"}, message, branch="feature/x", parents=[first], **options)
    assert codecommit.list_branches(repositoryName="demo")["branches"] == ["feature/x", "main"]
    assert codecommit.get_branch(repositoryName="demo", branchName="feature/x")["branch"] == {
        "branchName": "feature/x",
        "commitId": oid,
    }
    assert codecommit.get_commit(repositoryName="demo", commitId=oid)["commit"] == {
        "commitId": oid,
        "treeId": gitrepo.git(repository.git, "rev-parse", f"{oid}^{{tree}}"),
        "parents": [first],
        "message": message,
        "author": {"name": "Ada", "email": "ada@example.com", "date": "1508280542 -0830"},
        "committer": {"name": "Bo", "email": "bo@example.com", "date": "1508280542 -0830"},
        "additionalData": "",
    }
    tree = gitrepo.git(repository.git, "rev-parse", f"{oid}^{{tree}}")
    assert refused(codecommit.get_commit, repositoryName="demo", commitId=tree)[0] == "CommitIdDoesNotExistException"


def test_the_default_branch_can_change(codecommit):
    codecommit.create_repository(repositoryName="demo")
    for branch in ("main", "next"):
        gitrepo.commit(Repository.objects.get().git, {"a": "1"}, branch=branch)
    assert codecommit.get_repository(repositoryName="demo")["repositoryMetadata"]["defaultBranch"] == "main"
    codecommit.update_default_branch(repositoryName="demo", defaultBranchName="next")
    codecommit.update_default_branch(repositoryName="demo", defaultBranchName="next")
    assert codecommit.get_repository(repositoryName="demo")["repositoryMetadata"]["defaultBranch"] == "next"


def test_a_branch_is_made_and_deleted(codecommit):
    codecommit.create_repository(repositoryName="demo")
    oid = gitrepo.commit(Repository.objects.get().git, {"a": "1"})
    branch = {"repositoryName": "demo", "branchName": "feature/x"}
    codecommit.create_branch(**branch, commitId=oid)
    assert codecommit.get_branch(**branch)["branch"]["commitId"] == oid
    assert codecommit.get_repository(repositoryName="demo")["repositoryMetadata"]["defaultBranch"] == "main"
    assert refused(codecommit.create_branch, **branch, commitId=oid)[0] == "BranchNameExistsException"
    deleted = {"branchName": "feature/x", "commitId": oid}
    assert codecommit.delete_branch(**branch)["deletedBranch"] == deleted
    assert "deletedBranch" not in codecommit.delete_branch(**branch)
    main = {"repositoryName": "demo", "branchName": "main"}
    assert refused(codecommit.delete_branch, **main)[0] == "DefaultBranchCannotBeDeletedException"
    made, gone = Push.objects.order_by("pk")
    assert [one["new_oid"] for push in (made, gone) for one in push.commands] == [oid, "0" * 40]
    event = Event.objects.filter(event_name="CreateBranch", outcome=Outcome.SUCCESS).get()
    assert (event.event_id, event.resource_arn) == (made.push_id, ARN + "demo")
    assert event.request_parameters == {**branch, "commitId": oid}


def test_commits_come_in_a_batch_with_the_errors_beside_them(codecommit):
    codecommit.create_repository(repositoryName="demo")
    repository = Repository.objects.get()
    first = gitrepo.commit(repository.git, {"a": "1"})
    second = gitrepo.commit(repository.git, {"a": "2"})
    asked = [second, first, "1" * 40, first[:8], second]
    answer = codecommit.batch_get_commits(repositoryName="demo", commitIds=asked)
    assert [one["commitId"] for one in answer["commits"]] == [second, first]
    assert answer["commits"][0] == codecommit.get_commit(repositoryName="demo", commitId=second)["commit"]
    errors = [(one["commitId"], one["errorCode"]) for one in answer["errors"]]
    assert errors == [("1" * 40, "CommitIdDoesNotExistException"), (first[:8], "InvalidCommitIdException")]


def test_policies_may_speak_of_branches_and_tags(codecommit, client_of):
    arn = codecommit.create_repository(repositoryName="demo", tags={"team": "a"})["repositoryMetadata"]["Arn"]
    oid = gitrepo.commit(Repository.objects.get().git, {"a": "1"})
    document = factories.allow("codecommit:CreateBranch", "codecommit:DeleteBranch", resource=arn)
    document["Statement"][0]["Condition"] = {
        "StringLike": {"codecommit:References": "refs/heads/dora/*"},
        "StringEquals": {"aws:ResourceTag/team": "a"},
    }
    client = client_of(factories.user("dora", document=document), "codecommit")
    client.create_branch(repositoryName="demo", branchName="dora/x", commitId=oid)
    other = {"repositoryName": "demo", "branchName": "x", "commitId": oid}
    assert refused(client.create_branch, **other)[0] == "AccessDeniedException"
    codecommit.tag_resource(resourceArn=arn, tags={"team": "b"})
    mine = {"repositoryName": "demo", "branchName": "dora/x"}
    assert refused(client.delete_branch, **mine)[0] == "AccessDeniedException"


def test_many_branches_come_in_pages(codecommit):
    codecommit.create_repository(repositoryName="demo")
    repository = Repository.objects.get()
    oid = gitrepo.commit(repository.git, {"a": "1"})
    lines = "".join(f"create refs/heads/b{number:04} {oid}\n" for number in range(1200))
    gitrepo.git(repository.git, "update-ref", "--stdin", input=lines)
    first = codecommit.list_branches(repositoryName="demo")
    assert len(first["branches"]) == 1000
    pages = codecommit.get_paginator("list_branches").paginate(repositoryName="demo")
    found = [name for page in pages for name in page["branches"]]
    assert found == [*(f"b{number:04}" for number in range(1200)), "main"]
    codecommit.create_repository(repositoryName="other")
    alien = {"repositoryName": "other", "nextToken": first["nextToken"]}
    assert refused(codecommit.list_branches, **alien)[0] == "InvalidContinuationTokenException"
