"""IAM and STS operations, a module a topic; importing the package registers them."""

from codeservices.iam.aws import (
    access_keys,
    account,
    attachments,
    authorization_details,
    git_credentials,
    groups,
    login_profiles,
    policies,
    roles,
    ssh_keys,
    sts,
    users,
)

__all__ = [
    "access_keys",
    "account",
    "attachments",
    "authorization_details",
    "git_credentials",
    "groups",
    "login_profiles",
    "policies",
    "roles",
    "ssh_keys",
    "sts",
    "users",
]
