from django.urls import URLPattern, path

from codeservices.iam.views import (
    credentials,
    editor,
    groups,
    permissions,
    policies,
    roles,
    sign_in,
    simulator,
    ssh_keys,
    user_credentials,
    users,
)

app_name = "iam"


def _permission_urls(kind: str) -> list[URLPattern]:
    """The addresses of what users, groups and roles carry alike."""
    of, kwargs = f"iam/{kind}s/<str:name>", {"kind": kind}
    return [
        path(f"{of}/policies", permissions.change_policies, kwargs, name=f"{kind}_policies"),
        path(f"{of}/inline/", permissions.inline_create, kwargs, name=f"{kind}_inline_create"),
        path(f"{of}/inline/<str:policy_name>/", permissions.inline_policy, kwargs, name=f"{kind}_inline"),
        path(f"{of}/inline/<str:policy_name>/delete", permissions.inline_delete, kwargs, name=f"{kind}_inline_delete"),
    ]


urlpatterns = [
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("me/credentials/", credentials.my_credentials, name="my_credentials"),
    path("me/credentials/password", credentials.change_password, name="change_password"),
    path("iam/users/", users.user_list, name="user_list"),
    path("iam/users/new/", users.user_create, name="user_create"),
    path("iam/users/<str:name>/", users.user, name="user"),
    path("iam/users/<str:name>/groups", users.user_groups, name="user_groups"),
    path("iam/users/<str:name>/credentials", user_credentials.user_credentials, name="user_credentials"),
    path("iam/users/<str:name>/settings", users.user_settings, name="user_settings"),
    path("iam/users/<str:name>/tags", users.user_tags, name="user_tags"),
    path("iam/users/<str:name>/active", users.user_active, name="user_active"),
    path("iam/users/<str:name>/password", user_credentials.user_password, name="user_password"),
    path("iam/users/<str:name>/password/delete", user_credentials.user_password_delete, name="user_password_delete"),
    path("iam/users/<str:name>/delete", users.user_delete, name="user_delete"),
    path("iam/users/<str:name>/git-credentials", credentials.git_credential_create, name="git_credential_create"),
    path("iam/users/<str:name>/git-credentials/<str:credential_id>", credentials.git_credential, name="git_credential"),
    path("iam/users/<str:name>/access-keys", credentials.access_key_create, name="access_key_create"),
    path("iam/users/<str:name>/access-keys/<str:key_id>", credentials.access_key, name="access_key"),
    path("iam/users/<str:name>/ssh-keys", ssh_keys.ssh_key_upload, name="ssh_key_upload"),
    path("iam/users/<str:name>/ssh-keys/<str:key_id>", ssh_keys.ssh_key, name="ssh_key"),
    *_permission_urls("user"),
    path("iam/groups/", groups.group_list, name="group_list"),
    path("iam/groups/<str:name>/", groups.group, name="group"),
    path("iam/groups/<str:name>/members", groups.group_members, name="group_members"),
    path("iam/groups/<str:name>/settings", groups.group_settings, name="group_settings"),
    path("iam/groups/<str:name>/delete", groups.group_delete, name="group_delete"),
    *_permission_urls("group"),
    path("iam/policies/", policies.policy_list, name="policy_list"),
    path("iam/policies/new/", policies.policy_create, name="policy_create"),
    path("iam/policies/check", editor.policy_check, name="policy_check"),
    path("iam/policies/aws/<str:name>/", policies.policy, {"owner": "aws"}, name="policy_aws"),
    path(
        "iam/policies/aws/<str:name>/entities", policies.policy_entities, {"owner": "aws"}, name="policy_aws_entities"
    ),
    path("iam/policies/customer/<str:name>/", policies.policy, {"owner": "customer"}, name="policy_customer"),
    path(
        "iam/policies/customer/<str:name>/entities",
        policies.policy_entities,
        {"owner": "customer"},
        name="policy_customer_entities",
    ),
    path("iam/policies/customer/<str:name>/edit", policies.policy_edit, name="policy_edit"),
    path("iam/policies/customer/<str:name>/compare", policies.policy_compare, name="policy_compare"),
    path("iam/policies/customer/<str:name>/versions", policies.policy_versions, name="policy_versions"),
    path("iam/policies/customer/<str:name>/tags", policies.policy_tags, name="policy_tags"),
    path("iam/policies/customer/<str:name>/delete", policies.policy_delete, name="policy_delete"),
    path("iam/roles/", roles.role_list, name="role_list"),
    path("iam/roles/new/", roles.role_create, name="role_create"),
    path("iam/roles/<str:name>/", roles.role, name="role"),
    path("iam/roles/<str:name>/trust", roles.role_trust, name="role_trust"),
    path("iam/roles/<str:name>/settings", roles.role_settings, name="role_settings"),
    path("iam/roles/<str:name>/tags", roles.role_tags, name="role_tags"),
    path("iam/roles/<str:name>/delete", roles.role_delete, name="role_delete"),
    *_permission_urls("role"),
    path("iam/simulator/", simulator.simulator, name="simulator"),
]
