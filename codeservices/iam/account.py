"""The account as a whole: how many of everything it has, and how many it may have."""

from __future__ import annotations

from codeservices.iam import attachments, credentials, groups, policies, roles, users
from codeservices.iam.authorize import authorize
from codeservices.iam.models import Group, Policy, PolicyVersion, Role, User
from codeservices.iam.principal import Principal


def summary(principal: Principal) -> dict[str, int]:
    """Counts and quotas by the names that IAM's GetAccountSummary gives them.

    What no account here can have (server certificates, instance profiles, keys of the root user) is told as none.
    """
    authorize(principal, "iam:GetAccountSummary", "*")
    own_policies = Policy.objects.filter(is_aws_managed=False)
    return {
        "Users": User.objects.count(),
        "UsersQuota": users.MAX_USERS,
        "Groups": Group.objects.count(),
        "GroupsQuota": groups.MAX_GROUPS,
        "GroupsPerUserQuota": groups.MAX_GROUPS_A_USER,
        "Roles": Role.objects.count(),
        "RolesQuota": roles.MAX_ROLES,
        "Policies": own_policies.count(),
        "PoliciesQuota": policies.MAX_POLICIES,
        "PolicySizeQuota": policies.MAX_POLICY_CHARACTERS,
        "PolicyVersionsInUse": PolicyVersion.objects.filter(policy__in=own_policies).count(),
        "VersionsPerPolicyQuota": policies.MAX_VERSIONS,
        "AttachedPoliciesPerUserQuota": attachments.MAX_ATTACHED_POLICIES,
        "AttachedPoliciesPerGroupQuota": attachments.MAX_ATTACHED_POLICIES,
        "AttachedPoliciesPerRoleQuota": attachments.MAX_ATTACHED_POLICIES,
        "UserPolicySizeQuota": attachments.USER.max_inline_characters,
        "GroupPolicySizeQuota": attachments.GROUP.max_inline_characters,
        "RolePolicySizeQuota": attachments.ROLE.max_inline_characters,
        "AssumeRolePolicySizeQuota": roles.MAX_TRUST_POLICY_CHARACTERS,
        "AccessKeysPerUserQuota": credentials.MAX_ACCESS_KEYS,
        "SigningCertificatesPerUserQuota": 0,
        "ServerCertificates": 0,
        "ServerCertificatesQuota": 0,
        "InstanceProfiles": 0,
        "InstanceProfilesQuota": 0,
        "Providers": 0,
        "AccountMFAEnabled": 0,
        "AccountAccessKeysPresent": 0,
        "AccountPasswordPresent": 0,
        "AccountSigningCertificatesPresent": 0,
    }
