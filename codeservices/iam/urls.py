from django.urls import path

from codeservices.iam.views import credentials, groups, policies, sign_in, simulator, users

app_name = "iam"

urlpatterns = [
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("me/credentials/", credentials.my_credentials, name="my_credentials"),
    path("me/credentials/password", credentials.change_password, name="change_password"),
    path("iam/users/", users.user_list, name="user_list"),
    path("iam/users/new/", users.user_create, name="user_create"),
    path("iam/users/<str:name>/", users.user, name="user"),
    path("iam/users/<str:name>/policies", users.user_policies, name="user_policies"),
    path("iam/users/<str:name>/groups", users.user_groups, name="user_groups"),
    path("iam/users/<str:name>/active", users.user_active, name="user_active"),
    path("iam/users/<str:name>/password", users.user_password, name="user_password"),
    path("iam/users/<str:name>/delete", users.user_delete, name="user_delete"),
    path("iam/users/<str:name>/git-credentials", credentials.git_credential_create, name="git_credential_create"),
    path("iam/users/<str:name>/git-credentials/<str:credential_id>", credentials.git_credential, name="git_credential"),
    path("iam/users/<str:name>/access-keys", credentials.access_key_create, name="access_key_create"),
    path("iam/users/<str:name>/access-keys/<str:key_id>", credentials.access_key, name="access_key"),
    path("iam/groups/", groups.group_list, name="group_list"),
    path("iam/groups/<str:name>/", groups.group, name="group"),
    path("iam/groups/<str:name>/policies", groups.group_policies, name="group_policies"),
    path("iam/groups/<str:name>/members", groups.group_members, name="group_members"),
    path("iam/groups/<str:name>/delete", groups.group_delete, name="group_delete"),
    path("iam/policies/", policies.policy_list, name="policy_list"),
    path("iam/policies/new/", policies.policy_create, name="policy_create"),
    path("iam/policies/aws/<str:name>/", policies.policy, {"owner": "aws"}, name="policy_aws"),
    path("iam/policies/customer/<str:name>/", policies.policy, {"owner": "customer"}, name="policy_customer"),
    path("iam/policies/customer/<str:name>/delete", policies.policy_delete, name="policy_delete"),
    path("iam/simulator/", simulator.simulator, name="simulator"),
]
