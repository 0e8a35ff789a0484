"""A build acts as its project's service role: through real credentials, in a real container, against a real server."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.conf import settings as product_settings
from django.utils import timezone

from builds import container, lifecycle, projects, running, service_role, tasks
from builds.logs import download
from builds.models import Build
from builds.project_rules import InvalidProject
from codeservices.audit import cloudtrail
from codeservices.audit.models import Event, Outcome
from codeservices.iam import credentials, roles
from codeservices.iam.models import InlinePolicy, Role, TemporaryCredential
from codeservices.secretstore.parameters.writing import Wanted, put_parameter
from tests import factories, gitrepo
from tests.builds.test_lifecycle import context_of, phase_statuses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server", "install", "no_broker")]

TRUST_NOBODY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "Principal": {"Service": service_role.SERVICE}, "Action": "sts:AssumeRole"},
    }
)
INSIDE = """version: 0.2
env:
  git-credential-helper: yes
phases:
  build:
    commands:
      - echo "I am $(aws sts get-caller-identity --query Arn --output text)"
      - aws codecommit get-repository --repository-name hush 2>&1 || echo "that was $?"
      - git clone -q "$(aws codecommit get-repository --repository-name lib
        --query repositoryMetadata.cloneUrlHttp --output text)" lib && cat lib/name.txt
      - git -C lib commit -q --allow-empty -m more && git -C lib push -q origin HEAD 2>&1 || echo "no push"
      - git clone "$AWS_ENDPOINT_URL/v1/repos/hush" 2>&1 || echo "no clone"
      - git fetch -q origin && echo fetched
      - cat "$AWS_SHARED_CREDENTIALS_FILE"
      - env | grep -i -E "secret_access|session_token" || echo "nothing in env"
      - git push -q origin HEAD:refs/heads/more 2>&1
"""


READS_STORED = """version: 0.2
env:
  parameter-store:
    KEY: /shop/key
  exported-variables: [KEY, DONE]
phases:
  build:
    commands:
      - printf 'key %s\\nstage %s\\n' "$KEY" "$STAGE"
      - printf 'half=first line'; sleep 0.2; printf ' of it\\n'
      - DONE=yes
"""


@pytest.fixture
def role(db, install) -> Role:
    """May pull demo, and lib from inside a build of the project demo; look at them, and nothing else."""
    made = Role.objects.create(
        name="builder", trust_policy=Role.objects.get(name="codebuild-service-role").trust_policy
    )
    names = [factories.repository(name).arn for name in ("demo", "lib", "hush")]
    document = factories.allow("codecommit:GitPull", "codecommit:GetRepository", resource=names[0])
    lib = factories.allow("codecommit:GitPull", "codecommit:GetRepository", resource=names[1])["Statement"][0]
    lib["Condition"] = {"ArnEquals": {"codebuild:projectArn": f"arn:aws:codebuild:*:{install}:project/demo"}}
    document["Statement"].append(lib)
    InlinePolicy.objects.create(role=made, name="pull", document=json.dumps(document))
    return made


@pytest.fixture
def project(role):
    from repos.models import Repository

    for name in ("demo", "lib", "hush"):
        git = Repository.objects.get(name=name).git
        gitrepo.commit(git, {"buildspec.yml": INSIDE, "name.txt": f"this is {name}\n"}, "First")
    made = factories.project()
    made.service_role_arn = role.arn
    made.save()
    return made


def ended(build: Build) -> Build:
    tasks.run_build(build.pk)
    build.refresh_from_db()
    return build


@pytest.mark.docker
def test_inside_a_build_programs_act_as_its_role_and_no_further(alice, project, role, aws_image, https_port, settings):
    settings.HTTPS_PORT = https_port
    build = ended(lifecycle.start_build(alice.principal, "demo", {"imageOverride": aws_image}))
    log = b"".join(download.whole(build, "raw")).decode()
    arn = f"arn:aws:sts::{settings.ACCOUNT_ID}:assumed-role/builder/AWSCodeBuild-{build.uuid}"
    assert f"\nI am {arn}\n" in log
    denied = f"User: {arn} is not authorized to perform: codecommit:"
    assert f"{denied}GetRepository on resource: {repository_arn('hush')}" in log and "\nthat was 25" in log
    assert "\nthis is lib\n" in log and "\nfetched\n" in log
    assert f"{denied}GitPull on resource: {repository_arn('hush')}" in log and "\nno clone\n" in log
    assert "\naws_secret_access_key = ***\naws_session_token = ***\n" in log
    assert "\nnothing in env\n" in log and "Unknown options" not in log
    # The last command pushes, which the role may not.
    assert f"{denied}GitPush on resource: {repository_arn('demo')}" in log
    assert (build.status, phase_statuses(build)["BUILD"]) == ("FAILED", "FAILED")
    assert not TemporaryCredential.objects.exists()
    assumed, event = Event.objects.get(event_name="AssumeRole"), Event.objects.get(event_name="GetCallerIdentity")
    assert (assumed.principal_kind, assumed.principal_arn, assumed.via) == ("service", service_role.SERVICE, "worker")
    assert assumed.resource_arn == role.arn
    assert cloudtrail.record(event)["userIdentity"]["type"] == "AssumedRole"
    assert event.access_key_id == assumed.response_elements["credentials"]["accessKeyId"]


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
def test_a_build_reads_what_is_stored_as_its_role_and_its_log_tells_none_of_it(alice, role):
    document = factories.allow("ssm:GetParameters", resource="arn:aws:ssm:*:*:parameter/shop/*")
    InlinePolicy.objects.create(role=role, name="parameters", document=json.dumps(document))
    for name, value in (("/shop/key", "first line of it\nsecond line of it"), ("/shop/stage", "dev")):
        put_parameter(factories.SERVICE, Wanted(name, value, type="SecureString"))
    variables = [{"name": "STAGE", "value": "/shop/stage", "type": "PARAMETER_STORE"}]
    project = factories.project("stored", repository_name=None, buildspec=READS_STORED, environmentVariables=variables)
    project.service_role_arn = role.arn
    project.save()
    build = ended(lifecycle.start_build(alice.principal, "stored"))
    log = b"".join(download.whole(build, "raw")).decode()
    assert "\nkey ***\n***\nstage dev\n" in log and "\nhalf=***\n" in log
    assert "The value of STAGE is not masked in this log: it has less than 4 characters" in log
    assert "line of it" not in log and "KEY is not exported" in log
    assert (build.status, build.exported_variables) == ("SUCCEEDED", [{"name": "DONE", "value": "yes"}])
    reads = Event.objects.filter(event_name="GetParameters", principal_name="builder")
    assert sorted(one.resource_name for one in reads) == ["shop/key", "shop/stage"]


def repository_arn(name: str) -> str:
    return f"arn:aws:codecommit:us-east-1:{product_settings.ACCOUNT_ID}:{name}"


@pytest.mark.docker
def test_a_build_whose_role_does_not_trust_codebuild_fails_before_there_is_a_container(alice, project, role, leftovers):
    Role.objects.filter(pk=role.pk).update(trust_policy=TRUST_NOBODY)
    build = ended(lifecycle.start_build(alice.principal, "demo"))
    assert phase_statuses(build)["PROVISIONING"] == build.status == "FAILED"
    assert "DOWNLOAD_SOURCE" not in phase_statuses(build)
    assert context_of(build, "PROVISIONING") == {
        "statusCode": "ACCESS_DENIED",
        "message": f"CodeBuild is not authorized to perform: sts:AssumeRole on {role.arn}. The trust policy of builder "
        "does not let codebuild.amazonaws.com assume it.",
    }
    assert Event.objects.get(event_name="AssumeRole").outcome == Outcome.DENIED
    assert not Event.objects.filter(event_name="GitPull").exists() and leftovers() == []


@pytest.mark.docker
def test_a_build_whose_role_is_gone_fails_with_the_reason(alice, project, role):
    role_arn = role.arn
    role.delete()
    build = ended(lifecycle.start_build(alice.principal, "demo"))
    message = context_of(build, "PROVISIONING")["message"]
    assert message.endswith(f"sts:AssumeRole on {role_arn}. There is no such role in this account.")


def test_a_project_names_only_a_role_that_codebuild_may_assume(alice, project, role):
    closed = roles.create_role(alice.principal, "closed", TRUST_NOBODY)
    for role_arn, why in ((closed.arn, "does not let codebuild"), (f"{closed.arn}-not", "There is no such role")):
        for change in (
            lambda role_arn: projects.update_project(alice.principal, "demo", {"serviceRole": role_arn}),
            lambda role_arn: lifecycle.start_build(alice.principal, "demo", {"serviceRoleOverride": role_arn}),
        ):
            with pytest.raises(InvalidProject) as caught:
                change(role_arn)
            assert caught.value.message == f"CodeBuild is not authorized to perform: sts:AssumeRole on {role_arn}"
            assert why in caught.value.hint
    project.refresh_from_db()
    assert project.service_role_arn == role.arn and not Build.objects.exists()


def test_a_builds_credentials_last_as_long_as_it_may_and_end_with_it(alice, project):
    build = lifecycle.claim(lifecycle.start_build(alice.principal, "demo", {"timeoutInMinutesOverride": 2160}).pk)
    session = service_role.assume(build)
    assert timedelta(hours=36) < session.expires_at - timezone.now() < timedelta(hours=37)
    found = credentials.find_access_key(session.access_key_id)
    assert dict(found.principal.session_context) == {
        "codebuild:buildArn": build.arn,
        "codebuild:projectArn": build.project_arn,
    }
    lifecycle.finish(build, "STOPPED")
    assert credentials.find_access_key(session.access_key_id) is None


def test_a_build_that_its_worker_left_loses_its_credentials(alice, project):
    build = lifecycle.claim(lifecycle.start_build(alice.principal, "demo").pk)
    session = service_role.assume(build)
    now = timezone.now()
    Build.objects.update(lease_expires_at=now - timedelta(seconds=1), lease_doubted_at=now)
    assert lifecycle.end_expired_leases() == 1
    assert credentials.find_access_key(session.access_key_id) is None


def test_a_build_that_another_ended_meanwhile_gets_no_credentials_that_last(alice, project):
    build = lifecycle.claim(lifecycle.start_build(alice.principal, "demo").pk)
    Build.objects.update(lease_owner="another")
    running.plan(build, report=None).admit()
    assert not TemporaryCredential.objects.exists()


def test_what_a_container_is_told_of_this_server(alice, project, settings, tmp_path):
    (tmp_path / "ca.pem").write_text("-- own --")
    settings.TLS_ROOT, settings.HTTPS_PORT, settings.BUILD_CA_BUNDLE = tmp_path, 9443, ""
    session = service_role.assume(lifecycle.start_build(alice.principal, "demo"))
    access = container.access(session, ["https://git.example.com/v1/repos/demo"], has_git_credential_helper=False)
    variables = access.variables
    assert variables["AWS_ENDPOINT_URL"] == "https://host.docker.internal:9443"
    assert access.files[variables["AWS_CA_BUNDLE"]].endswith(b"-- own --")
    assert b"BEGIN CERTIFICATE" in access.files[variables["AWS_CA_BUNDLE"]]
    count = int(variables["GIT_CONFIG_COUNT"])
    git = {variables[f"GIT_CONFIG_KEY_{one}"]: variables[f"GIT_CONFIG_VALUE_{one}"] for one in range(count)}
    assert git == {
        "http.https://host.docker.internal:9443/.sslCAInfo": variables["AWS_CA_BUNDLE"],
        "url.https://host.docker.internal:9443/.insteadOf": "https://git.example.com/",
    }
    assert session.secret not in repr(access) and session.secret.encode() in access.files[container.CREDENTIALS]
    settings.BUILD_ENDPOINT_URL = "https://git.example.com"
    variables = container.access(
        session, ["https://git.example.com/v1/repos/demo"], has_git_credential_helper=True
    ).variables
    assert variables["GIT_CONFIG_KEY_1"] == "credential.https://git.example.com.helper"
    assert "insteadOf" not in str(variables)
