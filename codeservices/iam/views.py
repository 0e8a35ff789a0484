"""Sign in and out; users, groups, policies, and the policy simulator. Every rule stands in `users.py`."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.db.models import Count
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.audit.record import current_act
from codeservices.errors import AccessDenied, NotFound, ServiceError
from codeservices.http import ConsoleRequest, confirmed, is_partial
from codeservices.iam import arn, authorize, forms, once, users
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import Policy, User

PAGE_ROWS = 50
# One text for an unknown user, a wrong password and a locked-out user: none of them tells which names exist.
NOT_SIGNED_IN = "The user name or the password is not right."


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: ConsoleRequest) -> HttpResponse:
    """Sign in by name and password, then go on to where one wanted to go."""
    target = _safe_next(request)
    if request.method == "GET" and request.user.is_authenticated:
        return redirect(target)
    if is_partial(request):
        # The session ended while a page was open: the whole page goes to sign in, not the fragment's place.
        response = HttpResponse()
        response["HX-Redirect"] = settings.LOGIN_URL
        return response
    form = forms.SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _begin_session(request, form):
        return redirect(target)
    status = 401 if request.method == "POST" else 200
    return render(request, "codeservices/sign_in.html", {"form": form, "next": target}, status=status)


@login_not_required
@never_cache
@require_GET
def admin_sign_in(request: ConsoleRequest) -> HttpResponse:
    """Where the admin panel sends those whom it keeps out: to sign in, or, signed in already, to the reason."""
    if request.user.is_authenticated:
        _may_open(request, "codeservices:UseAdminPanel", "*")
    return redirect(f"{settings.LOGIN_URL}?{request.GET.urlencode()}")


@require_POST
def sign_out(request: ConsoleRequest) -> HttpResponse:
    """End the session."""
    _name_act("ConsoleLogout")
    logout(request)
    return redirect("iam:sign_in")


@require_GET
def user_list(request: ConsoleRequest) -> HttpResponse:
    """All users, with when they last signed in and what they hold."""
    query = request.GET.get("q", "").strip()
    rows = users.list_users(request.principal)
    if query:
        rows = rows.filter(name__icontains=query)
    rows = rows.annotate(policy_count=Count("policies", distinct=True), key_count=Count("access_keys", distinct=True))
    page = Paginator(rows.prefetch_related("groups"), PAGE_ROWS).get_page(request.GET.get("page"))
    context = {"page": page, "filter": query, "may_create": is_allowed(request.principal, "iam:CreateUser", "*")}
    return render(request, "codeservices/user_list.html", context)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def user_create(request: ConsoleRequest) -> HttpResponse:
    """A new user, if wanted with a password and policies from the start."""
    form = forms.UserForm(request.POST or None)
    if not form.is_valid():  # the page lists all policies
        _may_open(request, "iam:CreateUser", arn.user_arn(settings.ACCOUNT_ID, "/", "*"))
    else:
        values = form.cleaned_data
        try:
            made = users.create_user_with(
                request.principal,
                values["name"],
                email=values["email"],
                password=values["password"],
                policy_arns=[chosen.arn for chosen in values["policies"]],
            )
        except ServiceError as error:
            _tell(form, error)
        else:
            messages.success(request, f"User {made.name} is ready.")
            return redirect("iam:user", made.name)
    return render(request, "codeservices/user_create.html", {"form": form}, status=400 if form.errors else 200)


@never_cache
@require_GET
def user(request: ConsoleRequest, name: str) -> HttpResponse:
    """One user: policies, groups, credentials, last use."""
    found = users.user_for(request.principal, "iam:GetUser", name)
    may = _answers(request, found.arn, _USER_ACTIONS)
    context = {
        "shown": found,
        "may": may,
        "attached": found.policies.order_by("name"),
        "attachable": forms.attachable(found.policies) if may["AttachUserPolicy"] else None,
        "groups": found.groups.prefetch_related("policies"),
        "joinable": forms.joinable(found.groups) if is_allowed(request.principal, "iam:ListGroups", "*") else None,
        "access_keys": found.access_keys.all() if may["ListAccessKeys"] else None,
        "git_credentials": found.git_credentials.all() if may["ListServiceSpecificCredentials"] else None,
        "password_form": forms.NewPasswordForm(),
        "secret": once.take(request),
    }
    return render(request, "codeservices/user.html", context)


@require_POST
def user_policies(request: ConsoleRequest, name: str) -> HttpResponse:
    """Attach or detach one policy."""
    change = {"attach": users.attach_user_policy, "detach": users.detach_user_policy}
    _chosen(request, change)(request.principal, name, request.POST.get("policy_arn", ""))
    return redirect("iam:user", name)


@require_POST
def user_groups(request: ConsoleRequest, name: str) -> HttpResponse:
    """Let a user into a group, or take it out."""
    change = {"add": users.add_user_to_group, "remove": users.remove_user_from_group}
    _chosen(request, change)(request.principal, request.POST.get("group", ""), name)
    return redirect("iam:user", name)


@require_POST
def user_active(request: ConsoleRequest, name: str) -> HttpResponse:
    """Lock a user out, or let it in again."""
    found = users.set_active(request.principal, name, request.POST.get("active") == "yes")
    messages.success(request, f"{found.name} is {'active' if found.is_active else 'locked out, with all its keys'}.")
    return redirect("iam:user", found.name)


@sensitive_post_parameters("password")
@require_POST
def user_password(request: ConsoleRequest, name: str) -> HttpResponse:
    """Give a user a new sign-in password."""
    found = users.set_password(request.principal, name, request.POST.get("password", ""))
    if found.pk == request.user.pk:
        update_session_auth_hash(request, found)
    messages.success(request, f"{found.name} has a new password.")
    return redirect("iam:user", found.name)


@require_POST
def user_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a user whose name was typed to confirm it."""
    confirmed(request, name)
    users.delete_user(request.principal, name)
    messages.success(request, f"User {name} is deleted.")
    return redirect("iam:user_list")


@require_http_methods(["GET", "POST"])
def group_list(request: ConsoleRequest) -> HttpResponse:
    """All groups; a name creates one."""
    form = forms.GroupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = users.create_group(request.principal, form.cleaned_data["name"])
        except ServiceError as error:
            _tell(form, error)
        else:
            return redirect("iam:group", made.name)
    groups = users.list_groups(request.principal)
    rows = groups.annotate(user_count=Count("users", distinct=True), policy_count=Count("policies", distinct=True))
    context = {"groups": rows, "form": form, "may_create": is_allowed(request.principal, "iam:CreateGroup", "*")}
    return render(request, "codeservices/group_list.html", context, status=400 if form.errors else 200)


@require_GET
def group(request: ConsoleRequest, name: str) -> HttpResponse:
    """One group: members and policies."""
    found = users.group_for(request.principal, "iam:GetGroup", name)
    members = found.users.order_by("name")
    context = {
        "group": found,
        "may": _answers(request, found.arn, _GROUP_ACTIONS),
        "members": members,
        "others": User.objects.exclude(pk__in=members.values("pk")).order_by("name"),
        "attached": found.policies.order_by("name"),
        "attachable": forms.attachable(found.policies),
    }
    return render(request, "codeservices/group.html", context)


@require_POST
def group_policies(request: ConsoleRequest, name: str) -> HttpResponse:
    """Attach or detach one policy."""
    change = {"attach": users.attach_group_policy, "detach": users.detach_group_policy}
    _chosen(request, change)(request.principal, name, request.POST.get("policy_arn", ""))
    return redirect("iam:group", name)


@require_POST
def group_members(request: ConsoleRequest, name: str) -> HttpResponse:
    """Add or remove one member."""
    change = {"add": users.add_user_to_group, "remove": users.remove_user_from_group}
    _chosen(request, change)(request.principal, name, request.POST.get("user", ""))
    return redirect("iam:group", name)


@require_POST
def group_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete an empty group whose name was typed to confirm it."""
    confirmed(request, name)
    users.delete_group(request.principal, name)
    messages.success(request, f"Group {name} is deleted.")
    return redirect("iam:group_list")


@require_GET
def policy_list(request: ConsoleRequest) -> HttpResponse:
    """Policies of this account first, then AWS's."""
    query = request.GET.get("q", "").strip()
    rows = users.list_policies(request.principal)
    if query:
        rows = rows.filter(name__icontains=query)
    rows = rows.annotate(
        user_count=Count("users", distinct=True),
        group_count=Count("groups", distinct=True),
        role_count=Count("roles", distinct=True),
    )
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    context = {"page": page, "filter": query, "may_create": is_allowed(request.principal, "iam:CreatePolicy", "*")}
    return render(request, "codeservices/policy_list.html", context)


@require_http_methods(["GET", "POST"])
def policy_create(request: ConsoleRequest) -> HttpResponse:
    """A new policy of this account, checked statement by statement."""
    form = forms.PolicyForm(request.POST or None)
    if not form.is_valid():
        _may_open(request, "iam:CreatePolicy", arn.policy_arn(settings.ACCOUNT_ID, "/", "*"))
    else:
        values = form.cleaned_data
        try:
            made = users.create_policy(
                request.principal, values["name"], values["document"], description=values["description"]
            )
        except ServiceError as error:
            _tell(form, error)
        else:
            messages.success(request, f"Policy {made.name} is ready to be attached.")
            return redirect("iam:policy_customer", made.name)
    return render(request, "codeservices/policy_create.html", {"form": form}, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def policy(request: ConsoleRequest, owner: str, name: str) -> HttpResponse:
    """One policy: its document and what it is attached to; a POST gives it a new document."""
    policy_arn = _policy_arn(owner, name)
    form = forms.PolicyDocumentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        users.update_policy(request.principal, policy_arn, form.cleaned_data["document"])
        messages.success(request, f"Policy {name} has a new document, in force from now on.")
        return redirect(request.path)
    found = users.policy_for(request.principal, "iam:GetPolicy", policy_arn)
    if request.method == "GET":
        form = forms.PolicyDocumentForm(initial={"document": found.document})
    context = {
        "policy": found,
        "document": _pretty(found.document),
        "form": form,
        "may_edit": not found.is_aws_managed and is_allowed(request.principal, "iam:CreatePolicyVersion", found.arn),
        "may_delete": not found.is_aws_managed and is_allowed(request.principal, "iam:DeletePolicy", found.arn),
        "users": found.users.order_by("name"),
        "groups": found.groups.order_by("name"),
        "roles": found.roles.order_by("name"),
    }
    return render(request, "codeservices/policy.html", context, status=400 if form.errors else 200)


@require_POST
def policy_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete an unattached policy whose name was typed to confirm it."""
    confirmed(request, name)
    users.delete_policy(request.principal, _policy_arn("customer", name))
    messages.success(request, f"Policy {name} is deleted.")
    return redirect("iam:policy_list")


@require_GET
def simulator(request: ConsoleRequest) -> HttpResponse:
    """What may this user do? One question, and the statement that decides it."""
    form = forms.SimulatorForm(request.GET if "user" in request.GET else None, initial={"user": request.principal.name})
    context: dict[str, Any] = {"form": form}
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        asked = users.user_for(request.principal, "iam:SimulatePrincipalPolicy", values["user"])
        decision = authorize.decide(asked.principal, values["action"], values["resource"])
        context |= {
            "asked": asked,
            "decision": decision,
            "statement": _pretty(decision.statement) if decision.statement else "",
        }
    else:
        _may_open(request, "iam:SimulatePrincipalPolicy", request.principal.arn)
    if is_allowed(request.principal, "iam:ListUsers", "*"):
        context["user_names"] = User.objects.values_list("name", flat=True)[:500]
    return render(request, "codeservices/simulator.html", context, status=400 if form.errors else 200)


_USER_ACTIONS = (
    "AttachUserPolicy",
    "DetachUserPolicy",
    "AddUserToGroup",
    "UpdateUser",
    "UpdateLoginProfile",
    "DeleteUser",
    "ListAccessKeys",
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "ListServiceSpecificCredentials",
    "CreateServiceSpecificCredential",
    "ResetServiceSpecificCredential",
    "UpdateServiceSpecificCredential",
    "DeleteServiceSpecificCredential",
)
_GROUP_ACTIONS = (
    "AttachGroupPolicy",
    "DetachGroupPolicy",
    "AddUserToGroup",
    "RemoveUserFromGroup",
    "DeleteGroup",
)


def _begin_session(request: ConsoleRequest, form: forms.SignInForm) -> bool:
    """Check the name and password, begin a session or put the one refusal on the form, and tell the audit trail."""
    name = form.cleaned_data["username"]
    found = authenticate(request, username=name, password=form.cleaned_data["password"])
    act = _name_act("ConsoleLogin")
    if act is not None:
        act.additional["LoginTo"] = request.build_absolute_uri(settings.LOGIN_URL)
    if isinstance(found, User):
        login(request, found)
        if act is not None:
            act.principal = found.principal
            act.resource = found.arn
        return True
    form.add_error(None, NOT_SIGNED_IN)
    if act is not None:
        act.error_code, act.error_message = "Failed authentication", NOT_SIGNED_IN
        # People type passwords into the wrong field: a name that is nobody's is not written down.
        is_known = User.objects.filter(name__iexact=name).exists()
        act.parameters["userName"] = name if is_known else "HIDDEN_DUE_TO_SECURITY_REASONS"
    return False


def _name_act(event_name: str) -> Any:
    act = current_act()
    if act is not None:
        act.event_name = event_name
        act.event_source = "signin.amazonaws.com"
        act.event_type = "AwsConsoleSignIn"
        act.is_read_only = False
    return act


def _safe_next(request: ConsoleRequest) -> str:
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if is_safe else settings.LOGIN_REDIRECT_URL


def _may_open(request: ConsoleRequest, action: str, resource: str) -> None:
    """Refuse a form to those who could not send it; opening one is no act of its own and leaves no event."""
    if not is_allowed(request.principal, action, resource):
        authorize.authorize(request.principal, action, resource)


def _answers(request: ConsoleRequest, resource: str, operations: tuple[str, ...]) -> dict[str, bool]:
    """Which of the IAM operations the person may do on the resource: decides which buttons are shown."""
    return {name: is_allowed(request.principal, f"iam:{name}", resource) for name in operations}


def _chosen(request: ConsoleRequest, changes: dict[str, Any]) -> Any:
    """The function that the form's button names."""
    change = changes.get(request.POST.get("change", ""))
    if change is None:
        raise ServiceError(f"The form must say one of: {', '.join(changes)}.")
    return change


def _tell(form: Form, error: ServiceError) -> None:
    """Show a refusal on the form, where the entries are still at hand, and note it on the act; denials rise."""
    if isinstance(error, AccessDenied):
        raise error
    act = current_act()
    if act is not None:
        act.fail(error)
    form.add_error(None, f"{error.message} {error.hint}".strip())


def _policy_arn(owner: str, name: str) -> str:
    row = Policy.objects.filter(is_aws_managed=owner == "aws", name=name).first()
    if row is not None:
        return row.arn
    if owner == "aws":
        raise NotFound(f"AWS manages no policy called {name}.", code="NoSuchEntity")
    return arn.policy_arn(settings.ACCOUNT_ID, "/", name)


def _pretty(document: str) -> str:
    return json.dumps(json.loads(document), indent=2, ensure_ascii=False)
