"""Amazon Resource Names: build, parse, match.

Source: IAM User Guide, "IAM identifiers" and "Amazon Resource Names (ARNs)".
"""

from __future__ import annotations

from dataclasses import dataclass

from codeservices.errors import InvalidInput


@dataclass(frozen=True)
class Arn:
    """`arn:partition:service:region:account:resource`, split; `resource` keeps its own colons and slashes."""

    partition: str
    service: str
    region: str
    account_id: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account_id}:{self.resource}"


def parse(text: str) -> Arn:
    """Split an ARN; raises InvalidInput where the text is none."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[2] or not parts[5]:
        raise InvalidInput(f"“{text}” is no ARN: it must look like arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE.")
    return Arn(parts[1], parts[2], parts[3], parts[4], parts[5])


def is_arn(text: str) -> bool:
    """Whether the text has the form of an ARN."""
    return text.startswith("arn:") and text.count(":") >= 5


def repository_arn(region: str, account_id: str, name: str) -> str:
    """A CodeCommit repository."""
    return f"arn:aws:codecommit:{region}:{account_id}:{name}"


def project_arn(region: str, account_id: str, name: str) -> str:
    """A CodeBuild project."""
    return f"arn:aws:codebuild:{region}:{account_id}:project/{name}"


def build_arn(region: str, account_id: str, project_name: str, uuid: str) -> str:
    """One build; its id is `PROJECT:UUID`."""
    return f"arn:aws:codebuild:{region}:{account_id}:build/{project_name}:{uuid}"


def trail_arn(region: str, account_id: str, name: str) -> str:
    """A CloudTrail trail."""
    return f"arn:aws:cloudtrail:{region}:{account_id}:trail/{name}"


def topic_arn(region: str, account_id: str, name: str) -> str:
    """An SNS topic."""
    return f"arn:aws:sns:{region}:{account_id}:{name}"


def parameter_arn(region: str, account_id: str, name: str) -> str:
    """The slash that a name may begin with is the one behind “parameter”."""
    return f"arn:aws:ssm:{region}:{account_id}:parameter/{name.removeprefix('/')}"


def secret_arn(region: str, account_id: str, name: str, suffix: str) -> str:
    """`suffix` are the six random characters that tell a secret from later ones of its name."""
    return f"arn:aws:secretsmanager:{region}:{account_id}:secret:{name}-{suffix}"


def user_arn(account_id: str, path: str, name: str) -> str:
    """`path` begins and ends with a slash and is part of the ARN."""
    return f"arn:aws:iam::{account_id}:user{path}{name}"


def group_arn(account_id: str, path: str, name: str) -> str:
    """A group; `path` as of a user."""
    return f"arn:aws:iam::{account_id}:group{path}{name}"


def role_arn(account_id: str, path: str, name: str) -> str:
    """A role; `path` as of a user."""
    return f"arn:aws:iam::{account_id}:role{path}{name}"


def policy_arn(account_id: str, path: str, name: str) -> str:
    """`account_id` is "aws" for the policies that AWS manages."""
    return f"arn:aws:iam::{account_id}:policy{path}{name}"


def mfa_arn(account_id: str, path: str, name: str) -> str:
    """A virtual MFA device; `path` as of a user."""
    return f"arn:aws:iam::{account_id}:mfa{path}{name}"


def assumed_role_arn(account_id: str, role_name: str, session_name: str) -> str:
    """A role's session, as STS names it: without the role's path."""
    return f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{session_name}"
