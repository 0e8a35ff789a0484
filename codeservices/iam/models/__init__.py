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
from codeservices.iam.models.sign_in import (
    AccountPasswordPolicy,
    ConsoleSession,
    FederatedIdentity,
    MfaDevice,
    PreviousPassword,
    RecoveryCode,
    SignInCounter,
)

__all__ = [
    "AccessKey",
    "AccountPasswordPolicy",
    "ConsoleSession",
    "CredentialStatus",
    "FederatedIdentity",
    "GitCredential",
    "Group",
    "InlinePolicy",
    "MfaDevice",
    "Policy",
    "PolicyVersion",
    "PreviousPassword",
    "RecoveryCode",
    "Role",
    "SignInCounter",
    "SshPublicKey",
    "TemporaryCredential",
    "User",
]
