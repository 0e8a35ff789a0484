"""Images from registries: with credentials, without, and that the ones of one build are no other's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from builds import isolation, registry_login
from builds.models import Build
from builds.runner import engine
from builds.runner.docker import DockerExecutor
from builds.runner.executor import Login, PhaseError, Spec
from builds.runner.image import PRIVATE_NAMESPACE, Pulling, registry_of
from codeservices import outbound
from codeservices.audit.models import Event
from tests.fixtures.image_registry import Registry, serving

LOGIN = Login("ada", "it's a secret")


@pytest.fixture
def registry(install: str, leftovers: object) -> Iterator[Registry]:
    with serving(Registry(LOGIN.username, LOGIN.password, install)) as one:
        yield one
    with contextlib.closing(engine.connect()) as client:
        for image in client.images.list(filters={"label": f"codeservices-test={install}"}):
            client.images.remove(image.id, force=True)


def provision(install: str, image: str, login: Login | None = None, **options) -> list[str]:
    """Make a build's container of the image and remove it; what its log was told."""
    notes: list[str] = []
    executor = DockerExecutor(install, **options)
    try:
        asked = (lambda: login) if login else None
        executor.provision(Spec("registry:1", image, 2**30, 1, login=asked), notes.append)
    finally:
        executor.close()
    return notes


def refused(install: str, image: str, login: Login | None = None, **options) -> str:
    with pytest.raises(PhaseError) as caught:
        provision(install, image, login, **options)
    assert caught.value.status_code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE" and not caught.value.is_fault
    assert caught.value.message.startswith("Unable to pull customer's container image. CannotPullContainerError: ")
    assert LOGIN.password not in caught.value.message
    return caught.value.message


@pytest.mark.docker
def test_a_private_image_is_pulled_with_the_build_s_credentials_and_is_no_other_build_s(registry, install, tmp_path):
    image = f"127.0.0.1:{registry.port}/private/app:1"
    options = {"pulling": Pulling(lock_folder=tmp_path)}
    assert "no basic auth credentials" in refused(install, image, **options)
    assert "unauthorized" in refused(install, image, Login("ada", "wrong"), **options)
    assert f"Pulling {image}" in provision(install, image, LOGIN, **options)
    given = registry.blob_count
    assert given == 2
    # It is on this machine now, and still nobody gets it who can't pull it.
    assert "no basic auth credentials" in refused(install, image, **options)
    with contextlib.closing(engine.connect()) as client:
        (held,) = client.images.list(filters={"label": f"codeservices-test={install}"})
        assert all(tag.startswith(PRIVATE_NAMESPACE) for tag in held.tags)
        assert "this server's own" in refused(install, held.tags[0], **options)
        assert "is the id of an image" in refused(install, held.id.removeprefix("sha256:")[:12], **options)
    # A build with credentials asks the registry again, which has nothing to send.
    provision(install, image, LOGIN, **options)
    assert registry.blob_count == given


@pytest.mark.docker
def test_what_an_operator_pulled_under_the_name_stays_there(registry, install, base_image):
    image = f"127.0.0.1:{registry.port}/private/app:1"
    with contextlib.closing(engine.connect()) as client:
        client.api.tag(base_image, f"127.0.0.1:{registry.port}/private/app", "1")
        try:
            provision(install, image, LOGIN)
            assert client.images.get(image).id == client.images.get(base_image).id
        finally:
            client.images.remove(image)


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("debian", "docker.io"),
        ("library/debian:12", "docker.io"),
        ("localhost/x", "localhost"),
        ("registry.example.com/team/app:1", "registry.example.com"),
        ("10.0.0.5:5000/app@sha256:" + "0" * 64, "10.0.0.5:5000"),
    ],
)
def test_the_registry_of_an_image_s_name(image, registry):
    assert registry_of(image) == registry


@pytest.mark.parametrize("registry", ["10.0.0.5:5000", "127.0.0.1", "169.254.169.254:80", "localhost:5000"])
def test_the_engine_connects_to_private_registries_only_where_the_server_may(settings, registry):
    assert "CODESERVICES_OUTBOUND_ALLOW" in isolation.registry_refusal(registry)
    host = registry.partition(":")[0]
    settings.OUTBOUND_RULES = outbound.Rules([host, "127.0.0.1", "::1"])
    assert isolation.registry_refusal(registry) == ""


@pytest.mark.parametrize("registry", ["8.8.8.8", "no-such-host.invalid", "odd:port"])
def test_public_registries_and_names_that_only_a_proxy_knows_are_left_to_the_engine(registry):
    assert isolation.registry_refusal(registry) == ""


@pytest.mark.docker
def test_a_registry_that_is_refused_is_never_asked(registry, install):
    image = f"127.0.0.1:{registry.port}/private/app:1"
    pulling = Pulling(refusal=lambda name: f"{name} is not for you")
    assert f"127.0.0.1:{registry.port} is not for you" in refused(install, image, LOGIN, pulling=pulling)
    assert registry.asked == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"username": "ada", "password": "it\'s a secret"}', LOGIN),
        ('{"username": "ada", "password": "it\'s a secret", "email": "more is no fault"}', LOGIN),
        ('{"username": "ada"}', None),
        ('{"username": "ada", "password": 5}', None),
        ('["ada", "it\'s a secret"]', None),
        ("ada:it's a secret", None),
        ("", None),
    ],
)
def test_a_secret_is_json_with_both_and_is_never_told(carol, private_build, monkeypatch, text, wanted):
    monkeypatch.setattr(registry_login, "secret_value", lambda principal, secret_id: text)
    if wanted is not None:
        assert registry_login.login(private_build, carol.principal) == wanted
        return
    with pytest.raises(PhaseError, match="the secret docker/ada is not JSON of the form") as caught:
        registry_login.login(private_build, carol.principal)
    assert "a secret" not in caught.value.message and "registry.example.com/app:1" in caught.value.message


@pytest.mark.django_db
def test_a_secret_that_the_role_may_not_read_is_told_and_recorded(carol, private_build):
    with pytest.raises(PhaseError, match="its registry credential can't be read") as caught:
        registry_login.login(private_build, carol.principal)
    assert caught.value.status_code == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    event = Event.objects.get()
    assert (event.event_name, event.outcome, event.principal_arn) == ("GetSecretValue", "Denied", carol.principal.arn)
    assert event.additional_event_data["build"] == private_build.api_id


@pytest.fixture
def private_build() -> Build:
    return Build(
        project_name="demo",
        environment={
            "image": "registry.example.com/app:1",
            "registryCredential": {"credential": "docker/ada", "credentialProvider": "SECRETS_MANAGER"},
        },
    )
