"""Policies to start from in the editor: what teams ask for most, with names in capitals to be replaced."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from codeservices.iam import arn


class StartingPolicy(NamedTuple):
    """One document to start from: its short name in addresses, what people call it, what it is for, its text."""

    key: str
    title: str
    purpose: str
    document: str


def starting_policies(region: str, account_id: str) -> list[StartingPolicy]:
    """All of them, with the ARNs of this account."""
    repository = arn.repository_arn(region, account_id, "MY-REPOSITORY")
    team = arn.repository_arn(region, account_id, "MY-TEAM-*")
    project = arn.project_arn(region, account_id, "MY-PROJECT")
    builds = arn.build_arn(region, account_id, "MY-PROJECT", "*")
    secrets = f"arn:aws:secretsmanager:{region}:{account_id}:secret:MY-TEAM/*"
    own = f"arn:aws:iam::{account_id}:user/${{aws:username}}"
    branch = {
        "StringEqualsIfExists": {"codecommit:References": ["refs/heads/main"]},
        "Null": {"codecommit:References": "false"},
    }
    return [
        StartingPolicy(
            "read-one",
            "Read one repository",
            "Clone and browse a single repository, without writing to it.",
            _document(
                _statement("Allow", ["codecommit:GitPull", "codecommit:Get*", "codecommit:BatchGet*"], repository),
                _statement("Allow", ["codecommit:ListRepositories"], "*"),
            ),
        ),
        StartingPolicy(
            "power-prefix",
            "Power user of a team's repositories",
            "Everything but deleting, on repositories whose name begins alike.",
            _document(
                _statement("Allow", ["codecommit:*"], team),
                _statement("Deny", ["codecommit:DeleteRepository"], team),
                _statement("Allow", ["codecommit:ListRepositories"], "*"),
            ),
        ),
        StartingPolicy(
            "protect-branch",
            "Protect a branch",
            "Nobody it is attached to pushes to main, deletes it or merges into it, whatever else allows that.",
            _document(
                {
                    **_statement(
                        "Deny",
                        [
                            "codecommit:GitPush",
                            "codecommit:DeleteBranch",
                            "codecommit:PutFile",
                            "codecommit:CreateCommit",
                            "codecommit:MergeBranchesByFastForward",
                            "codecommit:MergeBranchesBySquash",
                            "codecommit:MergeBranchesByThreeWay",
                        ],
                        repository,
                    ),
                    "Condition": branch,
                }
            ),
        ),
        StartingPolicy(
            "builds-one",
            "Builds of one project",
            "Start, stop and read the builds of a single project, with their logs.",
            _document(
                _statement(
                    "Allow",
                    ["codebuild:StartBuild", "codebuild:StopBuild", "codebuild:RetryBuild", "codebuild:BatchGet*"],
                    [project, builds],
                ),
                _statement("Allow", ["codebuild:ListBuildsForProject"], project),
                _statement("Allow", ["codebuild:ListProjects", "codebuild:ListBuilds", "logs:GetLogEvents"], "*"),
            ),
        ),
        StartingPolicy(
            "builds-secrets",
            "Parameters and secrets for builds",
            "For a service role: builds read the parameters and secrets whose names begin alike, and no others.",
            _document(
                _statement("Allow", ["ssm:GetParameters"], arn.parameter_arn(region, account_id, "MY-TEAM/*")),
                _statement("Allow", ["secretsmanager:GetSecretValue"], secrets),
            ),
        ),
        StartingPolicy(
            "own-credentials",
            "Own credentials",
            "People manage their own password, access keys, git credentials and SSH keys.",
            _document(
                _statement(
                    "Allow",
                    [
                        "iam:GetUser",
                        "iam:ChangePassword",
                        "iam:*AccessKey*",
                        "iam:*ServiceSpecificCredential*",
                        "iam:*SSHPublicKey*",
                    ],
                    own,
                )
            ),
        ),
    ]


def _statement(effect: str, actions: list[str], resource: str | list[str]) -> dict[str, Any]:
    return {"Effect": effect, "Action": actions, "Resource": resource}


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)
