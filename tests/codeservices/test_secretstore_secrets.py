"""Secrets: values, versions and stages, lists, deletion and the way back, who may, and what the console shows."""

from __future__ import annotations

import json
import re

import pytest
from django.db import connection

from codeservices.audit.models import Event
from codeservices.errors import AccessDenied, ServiceError
from codeservices.secretstore import services, tasks
from codeservices.secretstore.models import Secret, SecretVersion
from codeservices.secretstore.secrets_manager import deletion, reading, writing
from codeservices.secretstore.secrets_manager.access import find
from codeservices.secretstore.secrets_manager.random_password import random_password
from codeservices.secretstore.secrets_manager.reading import Filter
from codeservices.secretstore.secrets_manager.versions import Content
from tests import factories
from tests.factories import SERVICE, allow
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

ONE, TWO, THREE = ("1" * 32, "2" * 32, "3" * 32)


def create(name: str = "shop/db", text: str | None = "one", **more) -> Secret:
    more.setdefault("version_id", ONE)
    return writing.create_secret(SERVICE, name, Content.of(text, None), **more)[0]


def put(text: str, version_id: str, stages=None, name: str = "shop/db") -> SecretVersion:
    return writing.put_secret_value(SERVICE, name, Content.of(text, None), version_id=version_id, stages=stages)


def code(function, *args, **kwargs) -> str:
    with pytest.raises(ServiceError) as caught:
        function(*args, **kwargs)
    assert caught.value.message
    return caught.value.code


def value(name: str = "shop/db", **which) -> str:
    return reading.get_secret_value(SERVICE, name, **which)[1].data.decode()


def stages() -> dict[str, list[str]]:
    return reading.stages_of(Secret.objects.get())


def test_a_secret_is_found_by_name_by_its_arn_and_by_its_arn_without_the_six_characters():
    made = create()
    assert re.fullmatch(r"arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/db-[A-Za-z0-9]{6}", made.arn)
    assert {find(one).pk for one in ("shop/db", made.arn, made.arn[:-7])} == {made.pk}
    assert find("shop") is None and find(f"{made.arn[:-1]}!") is None
    assert code(find, "arn:aws:secretsmanager:us-east-1:999999999999:secret:shop/db") == "InvalidParameterException"
    tricky = create("shop/db-aaaaaa")
    assert find(tricky.arn).pk == tricky.pk and find(tricky.arn[:-7]).pk == tricky.pk


@pytest.mark.parametrize("name", ["", "two words", "a!b", "nämë", "a/../b", "a:b"])
def test_a_name_that_may_not_be_is_refused(name: str):
    assert code(create, name) == "ValidationException"


def test_the_stages_move_from_version_to_version():
    create()
    put("two", TWO)
    assert stages() == {TWO: ["AWSCURRENT"], ONE: ["AWSPREVIOUS"]}
    put("three", THREE, ["AWSPENDING"])
    assert stages()[THREE] == ["AWSPENDING"] and value() == "two"
    assert value(version_stage="AWSPREVIOUS") == "one" and value(version_id=THREE) == "three"
    writing.update_version_stage(SERVICE, "shop/db", "AWSCURRENT", remove_from=TWO, move_to=THREE)
    assert stages() == {THREE: ["AWSPENDING", "AWSCURRENT"], TWO: ["AWSPREVIOUS"]}
    writing.update_version_stage(SERVICE, "shop/db", "AWSCURRENT", remove_from=THREE, move_to=TWO)
    assert stages() == {THREE: ["AWSPENDING", "AWSPREVIOUS"], TWO: ["AWSCURRENT"]}
    move = writing.update_version_stage
    assert code(move, SERVICE, "shop/db", "AWSCURRENT", move_to=ONE) == "InvalidParameterException"
    assert code(move, SERVICE, "shop/db", "AWSCURRENT", remove_from=TWO) == "InvalidParameterException"
    assert code(move, SERVICE, "shop/db", "OTHER", remove_from=TWO) == "InvalidParameterException"
    assert code(move, SERVICE, "shop/db", "OTHER", move_to="9" * 32) == "InvalidParameterException"


def test_what_is_asked_for_and_is_not_there_is_told():
    create(text=None)
    assert code(value) == "ResourceNotFoundException"
    put("one", ONE)
    assert value() == "one"
    assert code(value, "other") == "ResourceNotFoundException"
    assert code(value, version_id=TWO) == "ResourceNotFoundException"
    assert code(value, version_stage="AWSPENDING") == "ResourceNotFoundException"
    assert code(value, version_id=ONE, version_stage="AWSPENDING") == "InvalidRequestException"


def test_the_same_request_twice_does_nothing_and_another_value_under_its_token_is_refused():
    first = create()
    assert create().pk == first.pk
    assert code(create, text="other") == "ResourceExistsException"
    assert code(create, version_id=TWO) == "ResourceExistsException"
    assert code(create, text=None) == "ResourceExistsException"
    assert put("one", ONE).pk == first.versions.get().pk
    assert code(put, "other", ONE) == "ResourceExistsException"
    update = writing.update_secret
    assert code(update, SERVICE, "shop/db", Content(b"one"), version_id=ONE) == "ResourceExistsException"
    assert update(SERVICE, "shop/db", Content(b"two"), version_id=TWO, description="d")[1].stages == ["AWSCURRENT"]
    assert Secret.objects.get().description == "d" and value() == "two"


@pytest.mark.parametrize(
    ("text", "binary", "expected"),
    [
        ("a", b"b", "InvalidParameterException"),
        ("", None, "InvalidParameterException"),
        ("ä" * 32769, None, "InvalidParameterException"),
        (None, b"x" * 65537, "InvalidParameterException"),
    ],
)
def test_a_value_is_text_or_bytes_of_a_size(text, binary, expected: str):
    assert code(Content.of, text, binary) == expected
    assert code(writing.put_secret_value, SERVICE, create().name, None) == "InvalidRequestException"


def test_deprecated_versions_are_removed_when_they_are_old_and_many(monkeypatch, clock):
    monkeypatch.setattr("codeservices.secretstore.secrets_manager.versions.KEPT_VERSIONS", 3)
    monkeypatch.setattr("codeservices.secretstore.secrets_manager.versions.MAX_VERSIONS", 5)
    create()
    for number in range(4):
        put(f"v{number}", f"{number:032}")
    assert code(put, "x", TWO) == "LimitExceededException"
    clock.advance(hours=25)
    put("x", TWO)
    assert SecretVersion.objects.count() == 3 and value() == "x" and value(version_stage="AWSPREVIOUS") == "v3"


def test_a_deleted_secret_can_be_restored_until_its_time_is_over(clock):
    secret = create()
    delete = deletion.delete_secret
    assert code(delete, SERVICE, "shop/db", days=6) == "InvalidParameterException"
    assert code(delete, SERVICE, "shop/db", days=7, force=True) == "InvalidParameterException"
    arn, name, at = delete(SERVICE, "shop/db", days=7)
    assert (arn, name, (at - clock.now()).days) == (secret.arn, "shop/db", 7)
    assert code(value) == code(put, "x", TWO) == code(create) == code(delete, SERVICE, "shop/db")
    assert code(value) == "InvalidRequestException"
    assert reading.list_secrets(SERVICE) == [] and len(reading.list_secrets(SERVICE, include_deleted=True)) == 1
    deletion.restore_secret(SERVICE, "shop/db")
    assert value() == "one"
    delete(SERVICE, "shop/db", days=7)
    clock.advance(days=6, hours=23)
    tasks.purge_deleted_secrets()
    assert Secret.objects.exists()
    clock.advance(hours=2)
    tasks.purge_deleted_secrets()
    assert not Secret.objects.exists() and not SecretVersion.objects.exists()
    assert code(delete, SERVICE, "shop/db") == "ResourceNotFoundException"
    assert delete(SERVICE, "shop/db", force=True)[1] == "shop/db"
    create()
    delete(SERVICE, "shop/db", force=True)
    assert not Secret.objects.exists()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([Filter("name", ("shop",))], ["shop/cache", "shop/db"]),
        ([Filter("name", ("Shop",))], []),
        ([Filter("name", ("!shop",))], ["mail"]),
        ([Filter("description", ("DATA base",))], ["shop/db"]),
        ([Filter("tag-key", ("te",))], ["mail", "shop/db"]),
        ([Filter("tag-value", ("red",)), Filter("name", ("shop",))], ["shop/db"]),
        ([Filter("all", ("cache", "mail"))], ["mail", "shop/cache"]),
        ([Filter("owning-service", ("rds",))], []),
    ],
)
def test_a_list_is_filtered(filters: list[Filter], expected: list[str]):
    create(description="Data in a base", tags={"team": "red"})
    create("shop/cache")
    create("mail", tags={"team": "blue"})
    assert sorted(one.name for one in reading.list_secrets(SERVICE, filters)) == expected


def test_one_member_of_a_json_secret_is_read_and_what_has_none_is_told_without_the_value():
    create(text='{"user": "shop", "port": 5432, "nested": {"a": [1]}}')
    read = services.secret_value
    assert read(SERVICE, "shop/db", "user") == "shop"
    assert read(SERVICE, "shop/db", "port") == "5432"
    assert read(SERVICE, "shop/db", "nested") == '{"a":[1]}'
    assert read(SERVICE, "shop/db", "", "AWSCURRENT").startswith("{")
    assert code(read, SERVICE, "shop/db", "password") == "ResourceNotFoundException"
    put("no json, unspeakable", TWO)
    with pytest.raises(ServiceError, match="holds no JSON object") as caught:
        read(SERVICE, "shop/db", "user")
    assert "unspeakable" not in str(caught.value)
    writing.put_secret_value(SERVICE, "shop/db", Content.of(None, b"\x00\xff"), version_id=THREE)
    assert code(read, SERVICE, "shop/db") == "InvalidRequestException"


def test_a_policy_on_a_name_says_who_may_create_and_read_and_nothing_leaks_that_a_secret_is_there():
    create()
    create("mail")
    pattern = "arn:aws:secretsmanager:*:*:secret:shop/*-??????"
    erin = factories.user("erin", document=allow("secretsmanager:*", resource=pattern)).principal
    writing.create_secret(erin, "shop/new")
    assert reading.get_secret_value(erin, "shop/db")[1].data == b"one"
    assert code(reading.get_secret_value, erin, "shop/gone") == "ResourceNotFoundException"
    with pytest.raises(AccessDenied):
        writing.create_secret(erin, "other")
    told = []
    for name in ("mail", "gone"):
        with pytest.raises(AccessDenied) as caught:
            reading.get_secret_value(erin, name)
        told.append(caught.value.message.replace(name, "NAME"))
    assert told[0] == told[1]


def test_conditions_see_tags_names_stages_and_how_it_is_deleted():
    create(tags={"team": "red"})
    create("mail", tags={"team": "blue"})
    document = allow("secretsmanager:GetSecretValue", "secretsmanager:DeleteSecret")
    document["Statement"][0]["Condition"] = {
        "StringEquals": {"secretsmanager:ResourceTag/team": "red"},
        "StringEqualsIfExists": {"secretsmanager:VersionStage": "AWSCURRENT"},
        "Null": {"secretsmanager:ForceDeleteWithoutRecovery": "true"},
    }
    erin = factories.user("erin", document=document).principal
    assert reading.get_secret_value(erin, "shop/db")[1].data == b"one"
    for which in ({"secret_id": "mail"}, {"secret_id": "shop/db", "version_stage": "AWSPREVIOUS"}):
        with pytest.raises(AccessDenied):
            reading.get_secret_value(erin, **which)
    with pytest.raises(AccessDenied):
        deletion.delete_secret(erin, "shop/db", force=True)


def test_a_value_is_encrypted_in_the_database_for_its_own_row_alone(settings):
    create(text="unspeakable")
    put("other", TWO)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed_value FROM secretstore_secretversion")
        assert not any("unspeakable" in str(row) for row in cursor.fetchall())
    sealed = SecretVersion.objects.get(version_id=ONE).sealed_value
    SecretVersion.objects.filter(version_id=TWO).update(sealed_value=sealed)
    assert code(value) == "DecryptionFailure"
    assert value(version_id=ONE) == "unspeakable"
    settings.MASTER_KEY = "A" * 43 + "="
    assert code(value, version_id=ONE) == "DecryptionFailure"


@pytest.mark.parametrize("damaged", ["", "AQ==", "no base64!", "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
def test_a_value_that_is_damaged_in_the_database_is_told_of(damaged: str):
    create(text="unspeakable")
    SecretVersion.objects.update(sealed_value=damaged)
    assert code(value) == "DecryptionFailure"


def test_who_may_read_or_write_a_value_alone_sees_nothing_else_of_the_secret(alice_client):
    alice_client.post("/secrets/new", {"name": "shop/db", "value": "unspeakable", "description": "For the shop"})
    alice_client.post("/secrets/shop/db/tags", {"tag_key": ["team"], "tag_value": ["scarlet"]})
    version_id = SecretVersion.objects.get().version_id
    document = factories.allow("secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue")
    erin = signed_in(factories.user("erin", document=document))
    assert erin.get("/secrets/shop/db/").status_code == 403
    for path, form, status in (("value", {}, 200), ("versions", {"value": ""}, 400)):
        page = erin.post(f"/secrets/shop/db/{path}", form)
        text = page.content.decode()
        assert page.status_code == status and ("unspeakable" in text) == (path == "value")
        assert "secretsmanager:DescribeSecret" in text and "New value" in text
        for unseen in (version_id, "For the shop", "scarlet", "user/alice"):
            assert unseen not in text, (path, unseen)


def test_a_random_password_has_the_kinds_of_characters_that_were_asked_for():
    assert len(random_password(SERVICE)) == 32
    made = random_password(SERVICE, 4, punctuation=False, space=True)
    assert sorted(one.isspace() for one in made) == [False, False, False, True]
    assert re.fullmatch(
        "[b-z]{9}", random_password(SERVICE, 9, excluded="a", uppercase=False, digits=False, punctuation=False)
    )
    assert code(random_password, SERVICE, 3) == "InvalidParameterException"
    nothing = {"lowercase": False, "uppercase": False, "digits": False, "punctuation": False}
    assert code(random_password, SERVICE, 3, **nothing) == "InvalidParameterException"


def test_the_console_shows_a_value_on_request_alone_and_the_trail_says_who_asked(alice_client):
    def text(response) -> str:
        return response.content.decode()

    assert "No secrets yet" in text(alice_client.get("/secrets/"))
    made = alice_client.post("/secrets/new", {"name": "shop/db", "value": "unspeakable", "description": "For the shop"})
    assert made["Location"] == "/secrets/shop/db/"
    for path in ("/secrets/", "/secrets/?q=shop", "/secrets/shop/db/", "/search?q=shop"):
        assert "unspeakable" not in text(alice_client.get(path)), path
    shown = alice_client.post("/secrets/shop/db/value")
    assert "unspeakable" in text(shown) and "no-store" in shown["Cache-Control"]
    event = Event.objects.order_by("pk").last()
    assert (event.action, event.resource_name) == ("secretsmanager:GetSecretValue", "shop/db")
    assert "unspeakable" not in json.dumps([one.request_parameters for one in Event.objects.all()])
    alice_client.post("/secrets/shop/db/versions", {"value": "new"})
    assert value() == "new"
    alice_client.post("/secrets/shop/db/tags", {"tag_key": ["team"], "tag_value": ["red"]})
    alice_client.post("/secrets/shop/db/description", {"description": "Newer"})
    assert (Secret.objects.get().tags, Secret.objects.get().description) == ({"team": "red"}, "Newer")
    assert alice_client.post("/secrets/shop/db/delete", {"confirm_name": "db", "days": "7"}).status_code == 400
    alice_client.post("/secrets/shop/db/delete", {"confirm_name": "shop/db", "days": "7"})
    assert "Show 1 deleted" in text(alice_client.get("/secrets/"))
    assert "is deleted and can't be read" in text(alice_client.get("/secrets/shop/db/"))
    assert alice_client.post("/secrets/shop/db/value").status_code == 400
    alice_client.post("/secrets/shop/db/restore")
    assert value() == "new"
    alice_client.post("/secrets/shop/db/delete", {"confirm_name": "shop/db", "days": "0"})
    assert not Secret.objects.exists()
