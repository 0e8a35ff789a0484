"""The commands of the CodeCommit user guide, as people type them."""

from __future__ import annotations

import json

from repos.models import Repository
from tests import gitrepo


def test_the_command_of_the_manual_makes_a_repository(aws, live_server_url):
    command = ("codecommit", "create-repository", "--repository-name", "MyDemoRepo")
    command += ("--repository-description", "My demonstration repository")
    done = aws(*command)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)["repositoryMetadata"]
    assert made["cloneUrlHttp"] == f"{live_server_url}/v1/repos/MyDemoRepo"
    assert made["repositoryDescription"] == "My demonstration repository"
    again = aws(*command)
    assert again.returncode != 0
    assert "(RepositoryNameExistsException)" in again.stderr
    assert "Repository named MyDemoRepo already exists" in again.stderr


def test_the_commands_of_the_manual_make_and_delete_a_branch(aws, codecommit):
    codecommit.create_repository(repositoryName="demo")
    oid = gitrepo.commit(Repository.objects.get().git, {"a": "1"})
    where = ("--repository-name", "demo", "--branch-name", "MyNewBranch")
    made = aws("codecommit", "create-branch", *where, "--commit-id", oid)
    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    gone = aws("codecommit", "delete-branch", *where)
    assert json.loads(gone.stdout) == {"deletedBranch": {"branchName": "MyNewBranch", "commitId": oid}}


def test_the_command_line_reads_xml_answers_too(aws):
    done = aws("sts", "get-caller-identity", "--query", "Arn", "--output", "text")
    assert done.stdout.strip() == "arn:aws:iam::123456789012:user/alice"
    missing = aws("iam", "get-user", "--user-name", "nobody")
    assert "(NoSuchEntity)" in missing.stderr
