"""Temporary credentials: who gets them, what bounds them, and when they end."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from codeservices.audit.acts import RequestInfo
from codeservices.audit.record import act
from codeservices.errors import AccessDenied, InvalidInput, LimitExceeded, NotFound, ServiceError
from codeservices.iam import attachments, credentials, policies, roles, sts, users
from codeservices.iam.authorize import authorize, global_context, is_allowed
from codeservices.iam.models import Role, TemporaryCredential
from codeservices.iam.sts import SessionRequest
from tests import factories

ACCOUNT = "123456789012"
REPOSITORY = f"arn:aws:codecommit:us-east-1:{ACCOUNT}:demo"
INFO = RequestInfo("11111111-2222-3333-4444-555555555555", "192.0.2.7", "aws-cli", "api", is_secure=True)
PULL = json.dumps(factories.allow("codecommit:GitPull"))
WHOLE_ACCOUNT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def trust(principal, *actions: str, condition: dict | None = None) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": list(actions or (sts.ASSUME_ROLE,))}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role_of(alice, name: str, document: str, *allowed: str, **options) -> Role:
    role = roles.create_role(alice.principal, name, document, **options)
    if allowed:
        attachments.put_inline(alice.principal, attachments.ROLE, name, "own", json.dumps(factories.allow(*allowed)))
    return role


def assume(user, role: Role, name: str = "night", **options):
    principal = user if hasattr(user, "arn") and hasattr(user, "kind") else user.principal
    return sts.assume_role(principal, role.arn, SessionRequest(name, **options))


# ---- who may -------------------------------------------------------------------------------------------------------


def test_whom_the_trust_policy_names_needs_no_policy_of_their_own(alice, carol):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}), "codecommit:GitPull", path="/ci/")
    session = assume(carol, role).principal
    assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/pullers/night"
    assert session.principal_id == f"{role.role_id}:night"
    authorize(session, "codecommit:GitPull", REPOSITORY)
    with pytest.raises(AccessDenied, match="assumed-role/pullers/night is not authorized to perform"):
        authorize(session, "codecommit:GitPush", REPOSITORY)


def test_where_it_names_the_account_the_callers_own_policies_must_allow_it_too(alice, carol):
    role = role_of(alice, "pullers", trust(WHOLE_ACCOUNT))
    with pytest.raises(AccessDenied, match=r"because no identity-based policy allows the sts:AssumeRole action$"):
        assume(carol, role)
    dora = factories.user("dora", document=factories.allow("sts:AssumeRole", resource=role.arn))
    assert assume(dora, role).principal.role_pk == role.pk
    other = role_of(alice, "others", trust(WHOLE_ACCOUNT))
    with pytest.raises(AccessDenied, match="no identity-based policy"):
        assume(dora, other)


def test_a_role_that_trusts_others_and_one_that_is_missing_read_the_same(alice, carol):
    role = role_of(alice, "closed", trust({"Service": "codebuild.amazonaws.com"}))
    told = []
    for asker in (alice, carol):
        for arn in (role.arn, role.arn.replace("closed", "nothing")):
            with pytest.raises(AccessDenied) as caught:
                sts.assume_role(asker.principal, arn, SessionRequest("night"))
            told.append(caught.value.message.replace(arn, "…"))
    assert told[0] == told[1] and told[2] == told[3]
    assert "because no resource-based policy allows" in told[0] and "identity-based" in told[2]


def test_whoever_gets_the_name_of_a_trusted_user_or_role_is_not_trusted(alice, bob, carol):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}))
    assume(carol, role)
    users.update_user(alice.principal, "carol", new_name="caroline")
    users.update_user(alice.principal, "bob", new_name="carol")
    namesake = users.find_user("carol")
    assert namesake.arn == carol.arn
    with pytest.raises(AccessDenied):
        assume(namesake, role)
    assume(users.find_user("caroline"), role)
    roles.update_trust_policy(alice.principal, "pullers", role.trust_policy)  # now it is he whom it names
    assume(namesake, role)
    with pytest.raises(AccessDenied):
        assume(users.find_user("caroline"), role)
    users.delete_user_with_everything(alice.principal, "carol")
    with pytest.raises(AccessDenied):
        assume(users.create_user(alice.principal, "carol"), role)


def test_a_role_that_is_made_anew_is_another_one(alice, carol):
    first = role_of(alice, "first", trust({"AWS": carol.arn}))
    for principal in (first.arn, f"arn:aws:sts::{ACCOUNT}:assumed-role/first/night"):
        second = role_of(alice, "second", trust({"AWS": principal}))
        assume(assume(carol, first).principal, second)
        roles.delete_role(alice.principal, "first")
        first = role_of(alice, "first", trust({"AWS": carol.arn}))
        with pytest.raises(AccessDenied):
            assume(assume(carol, first).principal, second)
        roles.delete_role(alice.principal, "second")


@pytest.mark.parametrize("named", ["iam::{}:user/nobody", "iam::{}:role/nothing", "sts::{}:assumed-role/nothing/night"])
def test_a_trust_policy_names_only_those_who_are_there(alice, carol, named):
    nobody = f"arn:aws:{named.format(ACCOUNT)}"
    with pytest.raises(InvalidInput, match=f'^Invalid principal in policy: "AWS":"{nobody}"$') as caught:
        role_of(alice, "pullers", trust({"AWS": [carol.arn, nobody]}))
    assert caught.value.code == "MalformedPolicyDocument" and not Role.objects.filter(name="pullers").exists()
    role_of(alice, "pullers", trust({"AWS": "arn:aws:iam::999999999999:user/nobody"}))


def test_a_trust_policy_that_can_not_be_read_any_more_trusts_nobody(alice, carol):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}))
    Role.objects.filter(pk=role.pk).update(trust_policy=role.trust_policy.replace('"Version"', '"Verson"'))
    for caller in (alice, carol):
        with pytest.raises(AccessDenied, match="not authorized to perform: sts:AssumeRole"):
            assume(caller, role)


def test_the_callers_own_deny_beats_the_trust_policy(alice):
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "sts:*", "Resource": "*"}],
    }
    dora = factories.user("dora", document=document)
    role = role_of(alice, "pullers", trust({"AWS": dora.arn}))
    with pytest.raises(AccessDenied, match="with an explicit deny in an identity-based policy"):
        assume(dora, role)


def test_conditions_of_the_trust_policy_see_the_request(alice, carol):
    condition = {"StringEquals": {"sts:ExternalId": "blue", "sts:RoleSessionName": "${aws:username}"}}
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}, condition=condition))
    for options in ({}, {"external_id": "red"}, {"external_id": "blue"}):
        with pytest.raises(AccessDenied):
            assume(carol, role, **options)
    assert assume(carol, role, "carol", external_id="blue").principal.session_name == "carol"


def test_session_tags_take_a_right_of_their_own_and_beat_the_roles(alice, carol):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}), tags={"team": "core", "site": "north"})
    with pytest.raises(AccessDenied, match="perform: sts:TagSession on resource"):
        assume(carol, role, tags={"team": "guests"})
    roles.update_trust_policy(alice.principal, "pullers", trust({"AWS": carol.arn}, sts.ASSUME_ROLE, "sts:TagSession"))
    session = assume(carol, role, tags={"team": "guests"}).principal
    assert dict(session.tags) == {"team": "guests", "site": "north"}
    with pytest.raises(InvalidInput, match="begin with aws: are reserved"):
        assume(carol, role, tags={"aws:codebuild:buildArn": "arn:aws:codebuild:::build/x"})


# ---- how long, and what bounds it -----------------------------------------------------------------------------------


def test_a_session_tag_beats_the_roles_however_its_key_is_spelled(alice, carol):
    document = trust({"AWS": carol.arn}, sts.ASSUME_ROLE, "sts:TagSession")
    role = role_of(alice, "pullers", document, tags={"team": "owners", "floor": "2"})
    for key in ("Team", "TEAM", "team"):
        session = assume(carol, role, tags={key: "guests"}).principal
        assert dict(session.tags) == {key: "guests", "floor": "2"}


def test_a_session_lasts_as_long_as_was_asked_within_the_roles_maximum(alice, carol):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}), max_session_seconds=7200)
    for seconds, wanted in ((None, 3600), (900, 900), (7200, 7200)):
        left = (assume(carol, role, seconds=seconds).expires_at - timezone.now()).total_seconds()
        assert wanted - 5 < left <= wanted
    with pytest.raises(InvalidInput, match="exceeds the MaxSessionDuration set for this role"):
        assume(carol, role, seconds=7201)
    with pytest.raises(InvalidInput, match="between 900 and 7200, not 899"):
        assume(carol, role, seconds=899)


def test_a_session_that_assumes_a_role_gets_an_hour_at_most(alice, carol):
    first = role_of(alice, "first", trust({"AWS": carol.arn}))
    last = role_of(alice, "last", trust({"AWS": first.arn}), max_session_seconds=43200)
    session = assume(carol, first).principal
    with pytest.raises(InvalidInput, match="exceeds the 1 hour session limit for roles assumed by role chaining"):
        assume(session, last, seconds=3601)
    assert assume(session, last, seconds=3600).principal.name == "last"
    with pytest.raises(AccessDenied):
        assume(carol, last)


@pytest.mark.parametrize("name", ["", "x", "a b", "a/b", "á" * 3, "x" * 65, "night\n"])
def test_a_session_name_that_would_break_its_arn_is_refused(alice, carol, name):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}))
    with pytest.raises(InvalidInput, match="A session name has 2 to 64"):
        assume(carol, role, name)
    assert not TemporaryCredential.objects.exists()


def test_session_policies_bound_a_session_together_and_never_widen_it(alice, carol):
    role = role_of(alice, "workers", trust({"AWS": carol.arn}), "codecommit:GitPull", "codecommit:GitPush", "iam:*")
    narrow = assume(carol, role, policy=PULL).principal
    assert is_allowed(narrow, "codecommit:GitPull", REPOSITORY)
    with pytest.raises(AccessDenied, match=r"because no session policy allows the codecommit:GitPush action$"):
        authorize(narrow, "codecommit:GitPush", REPOSITORY)
    wider = assume(carol, role, policy=PULL, policy_arns=["arn:aws:iam::aws:policy/IAMReadOnlyAccess"]).principal
    assert is_allowed(wider, "iam:GetUser", "*") and is_allowed(wider, "codecommit:GitPull", REPOSITORY)
    assert not is_allowed(wider, "iam:CreateUser", "*")
    everything = json.dumps(factories.allow("*"))
    assert not is_allowed(assume(carol, role, policy=everything).principal, "codecommit:DeleteRepository", REPOSITORY)


def test_a_bounded_session_assumes_only_what_its_session_policies_allow(alice, carol):
    first = role_of(alice, "first", trust({"AWS": carol.arn}), "sts:AssumeRole")
    last = role_of(alice, "last", trust({"AWS": first.arn}))
    assert assume(assume(carol, first).principal, last)
    with pytest.raises(AccessDenied, match="no session policy allows the sts:AssumeRole action"):
        assume(assume(carol, first, policy=PULL).principal, last)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"policy": "{"}, InvalidInput, "Line 1"),
        ({"policy": '{"Statement": [{"Effect": "Allow", "Action": "s3:*"}]}'}, InvalidInput, "Resource"),
        ({"policy": PULL + " " * 2048}, LimitExceeded, "at most 2048 characters"),
        ({"policy_arns": ["arn:aws:iam::aws:policy/None"]}, NotFound, "does not exist"),
        ({"policy_arns": ["nonsense"]}, InvalidInput, "is not valid"),
        ({"policy_arns": ["arn:aws:iam::aws:policy/X"] * 11}, LimitExceeded, "at most 10 managed policies, not 11"),
    ],
)
def test_a_session_policy_that_is_wrong_gives_no_credentials(alice, carol, options, error, words):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}))
    with pytest.raises(error, match=words):
        assume(carol, role, **options)
    assert not TemporaryCredential.objects.exists()


# ---- what they are worth --------------------------------------------------------------------------------------------


def test_a_change_of_the_roles_policies_is_obeyed_by_the_next_request(alice, carol):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}), "codecommit:GitPull")
    issued = assume(carol, role)
    key = credentials.find_access_key(issued.access_key_id)
    assert is_allowed(key.principal, "codecommit:GitPull", REPOSITORY)
    attachments.delete_inline(alice.principal, attachments.ROLE, "pullers", "own")
    assert not is_allowed(key.principal, "codecommit:GitPull", REPOSITORY)


def test_only_the_token_it_was_issued_with_goes_with_a_key(alice, carol):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}))
    first, second = assume(carol, role), assume(carol, role)
    key = credentials.find_access_key(first.access_key_id)
    assert key.secret == first.secret and key.accepts_token(first.session_token)
    for wrong in (None, "", second.session_token, first.session_token + "x", "á"):
        assert not key.accepts_token(wrong)
    stored = repr(list(TemporaryCredential.objects.values()))
    assert first.secret not in stored and first.session_token not in stored
    assert first.session_token not in repr(first) and first.secret not in repr(first)
    lasting, _ = credentials.issue_access_key(carol)
    assert not credentials.find_access_key(lasting.access_key_id).accepts_token(first.session_token)


def test_credentials_end_with_their_user_or_role(alice, carol):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}))
    of_role, of_user = assume(carol, role), sts.get_session_token(carol.principal)
    users.set_active(alice.principal, "carol", False)
    assert not credentials.find_access_key(of_user.access_key_id).is_active
    assert credentials.find_access_key(of_role.access_key_id).is_active
    roles.delete_role(alice.principal, "pullers")
    assert credentials.find_access_key(of_role.access_key_id) is None
    users.delete_user_with_everything(alice.principal, "carol")
    assert credentials.find_access_key(of_user.access_key_id) is None


def test_expired_credentials_are_told_for_a_day_and_then_forgotten(alice, carol):
    issued = sts.get_session_token(carol.principal, 900)
    assert sts.remove_expired() == 0
    TemporaryCredential.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    assert credentials.find_access_key(issued.access_key_id).is_expired(timezone.now())
    assert sts.remove_expired() == 0
    TemporaryCredential.objects.update(expires_at=timezone.now() - timedelta(hours=25))
    assert sts.remove_expired() == 1


def test_a_users_own_session_may_what_the_user_may_and_gets_no_further_one(bob):
    session = sts.get_session_token(bob.principal).principal
    assert (session.arn, session.user_pk) == (bob.arn, bob.pk)
    assert is_allowed(session, "codecommit:GitPull", REPOSITORY)
    with pytest.raises(ServiceError, match="Cannot call GetSessionToken with session credentials"):
        sts.get_session_token(session)
    for seconds in (899, 129601):
        with pytest.raises(InvalidInput, match="between 900 and 129600"):
            sts.get_session_token(bob.principal, seconds)


def test_a_service_takes_a_role_only_where_the_trust_policy_names_it(alice):
    project = f"arn:aws:codebuild:us-east-1:{ACCOUNT}:project/demo"
    condition = {"ArnLike": {"aws:SourceArn": project}, "StringEquals": {"aws:SourceAccount": ACCOUNT}}
    role = role_of(alice, "builder", trust({"Service": "codebuild.amazonaws.com"}, condition=condition))
    assert sts.service_may_assume(role, "codebuild.amazonaws.com", {"aws:SourceArn": project})
    assert not sts.service_may_assume(role, "codebuild.amazonaws.com", {"aws:SourceArn": project + "-two"})
    assert not sts.service_may_assume(role, "codepipeline.amazonaws.com", {"aws:SourceArn": project})
    assert not sts.service_may_assume(None, "codebuild.amazonaws.com")
    issued = sts.assume_role_as_service(
        "codebuild.amazonaws.com",
        role.arn,
        "AWSCodeBuild-1",
        seconds=36 * 3600,
        context={"aws:SourceArn": project},
        session_context={"codebuild:projectArn": project},
    )
    context = global_context(credentials.find_access_key(issued.access_key_id).principal, None)
    assert context["codebuild:projectArn"] == project
    assert "aws:PrincipalTag/aws:codebuild:projectArn" not in context
    assert sts.end_sessions("AWSCodeBuild-1", role.arn) == 1
    assert credentials.find_access_key(issued.access_key_id) is None
    with pytest.raises(AccessDenied):
        sts.assume_role_as_service("codebuild.amazonaws.com", role.arn, "AWSCodeBuild-2", seconds=900)


# ---- condition keys -------------------------------------------------------------------------------------------------


def test_the_global_keys_of_a_roles_session(alice, carol):
    role = role_of(alice, "pullers", trust({"AWS": carol.arn}), path="/ci/", tags={"team": "core"})
    session = assume(carol, role).principal
    with act(session, INFO):
        context = dict(global_context(session, {"codecommit:References": "refs/heads/main"}))
    assert context["aws:PrincipalArn"] == f"arn:aws:iam::{ACCOUNT}:role/ci/pullers"
    assert context["aws:userid"] == f"{role.role_id}:night"
    assert context["aws:PrincipalType"] == "AssumedRole"
    assert context["aws:PrincipalTag/team"] == "core"
    assert context["aws:TokenIssueTime"].endswith("Z")
    assert (context["aws:MultiFactorAuthPresent"], context["aws:ViaAWSService"]) == ("false", "false")
    assert (context["aws:RequestedRegion"], context["aws:SecureTransport"]) == ("us-east-1", "true")
    assert context["codecommit:References"] == "refs/heads/main"
    assert "aws:username" not in context


def test_long_term_keys_say_nothing_of_a_second_factor(carol):
    with act(carol.principal, INFO):
        context = global_context(carol.principal, None)
        assert context["aws:username"] == "carol"
        assert "aws:MultiFactorAuthPresent" not in context and "aws:TokenIssueTime" not in context


# ---- roles ----------------------------------------------------------------------------------------------------------


def test_a_role_with_policies_is_not_deleted_unless_they_go_along(alice):
    role_of(alice, "workers", trust(WHOLE_ACCOUNT), "codecommit:*")
    policy = policies.create_policy(alice.principal, "pull", PULL)
    attachments.attach(alice.principal, attachments.ROLE, "workers", policy.arn)
    for words in ("must detach all policies first", "must delete policies first"):
        with pytest.raises(Exception, match=words) as caught:
            roles.delete_role(alice.principal, "workers")
        assert caught.value.code == "DeleteConflict"
        if attachments.attached(alice.principal, attachments.ROLE, "workers").exists():
            attachments.detach(alice.principal, attachments.ROLE, "workers", policy.arn)
    roles.delete_role_with_policies(alice.principal, "workers")
    assert not Role.objects.filter(name="workers").exists()


def test_deleting_a_role_with_its_policies_takes_the_right_to_each(alice):
    role = role_of(alice, "workers", trust(WHOLE_ACCOUNT), "codecommit:*")
    dora = factories.user("dora", document=factories.allow("iam:DeleteRole"))
    with pytest.raises(AccessDenied, match="iam:DeleteRolePolicy"):
        roles.delete_role_with_policies(dora.principal, "workers")
    assert Role.objects.filter(pk=role.pk).exists() and role.inline_policies.exists()


@pytest.mark.parametrize(
    ("document", "error", "words"),
    [
        ("{", InvalidInput, "Line 1"),
        (PULL, InvalidInput, "Principal"),
        (trust({"AWS": "nobody"}), InvalidInput, "is no principal"),
        (trust({"AWS": [f"arn:aws:iam::{ACCOUNT}:user/{number:032}" for number in range(60)]}), LimitExceeded, "2048"),
    ],
)
def test_a_trust_policy_that_is_wrong_makes_and_changes_no_role(alice, document, error, words):
    with pytest.raises(error, match=words):
        roles.create_role(alice.principal, "workers", document)
    assert not Role.objects.filter(name="workers").exists()
    role = role_of(alice, "workers", trust(WHOLE_ACCOUNT))
    with pytest.raises(error, match=words):
        roles.update_trust_policy(alice.principal, "workers", document)
    role.refresh_from_db()
    assert role.trust_policy == trust(WHOLE_ACCOUNT)
