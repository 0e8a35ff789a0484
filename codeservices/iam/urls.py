from django.urls import path

from codeservices.iam import views
from codeservices.iam import views_credentials as credentials

app_name = "iam"

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("me/credentials/", credentials.my_credentials, name="my_credentials"),
    path("me/credentials/password", credentials.change_password, name="change_password"),
    path("iam/users/", views.user_list, name="user_list"),
    path("iam/users/new/", views.user_create, name="user_create"),
    path("iam/users/<str:name>/", views.user, name="user"),
    path("iam/users/<str:name>/policies", views.user_policies, name="user_policies"),
    path("iam/users/<str:name>/groups", views.user_groups, name="user_groups"),
    path("iam/users/<str:name>/active", views.user_active, name="user_active"),
    path("iam/users/<str:name>/password", views.user_password, name="user_password"),
    path("iam/users/<str:name>/delete", views.user_delete, name="user_delete"),
    path("iam/users/<str:name>/git-credentials", credentials.git_credential_create, name="git_credential_create"),
    path("iam/users/<str:name>/git-credentials/<str:credential_id>", credentials.git_credential, name="git_credential"),
    path("iam/users/<str:name>/access-keys", credentials.access_key_create, name="access_key_create"),
    path("iam/users/<str:name>/access-keys/<str:key_id>", credentials.access_key, name="access_key"),
    path("iam/groups/", views.group_list, name="group_list"),
    path("iam/groups/<str:name>/", views.group, name="group"),
    path("iam/groups/<str:name>/policies", views.group_policies, name="group_policies"),
    path("iam/groups/<str:name>/members", views.group_members, name="group_members"),
    path("iam/groups/<str:name>/delete", views.group_delete, name="group_delete"),
    path("iam/policies/", views.policy_list, name="policy_list"),
    path("iam/policies/new/", views.policy_create, name="policy_create"),
    path("iam/policies/aws/<str:name>/", views.policy, {"owner": "aws"}, name="policy_aws"),
    path("iam/policies/customer/<str:name>/", views.policy, {"owner": "customer"}, name="policy_customer"),
    path("iam/policies/customer/<str:name>/delete", views.policy_delete, name="policy_delete"),
    path("iam/simulator/", views.simulator, name="simulator"),
]
