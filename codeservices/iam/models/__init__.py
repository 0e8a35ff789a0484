"""Users, groups, roles, policies, and the credentials that authenticate them."""

from codeservices.iam.models.credentials import (
    AccessKey,
    CredentialStatus,
    GitCredential,
    SshPublicKey,
    TemporaryCredential,
)
from codeservices.iam.models.identities import Group, Role, User
from codeservices.iam.models.policies import InlinePolicy, Policy, PolicyVersion

__all__ = [
    "AccessKey",
    "CredentialStatus",
    "GitCredential",
    "Group",
    "InlinePolicy",
    "Policy",
    "PolicyVersion",
    "Role",
    "SshPublicKey",
    "TemporaryCredential",
    "User",
]
