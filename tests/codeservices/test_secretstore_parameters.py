"""Parameters: names, values, versions, labels, reading, lists, who may, and what is where encrypted."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from codeservices.audit.models import Event
from codeservices.errors import AccessDenied, ServiceError
from codeservices.secretstore import services, tags
from codeservices.secretstore.models import Parameter, ParameterVersion
from codeservices.secretstore.parameters import access, labels, listing, names, patterns, reading, writing
from codeservices.secretstore.parameters.listing import Filter
from codeservices.secretstore.parameters.values import value_of
from codeservices.secretstore.parameters.writing import Wanted, put_parameter
from tests import factories
from tests.factories import SERVICE, allow
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db


def put(name: str, value: str = "v", kind: str | None = "String", **more) -> ParameterVersion:
    return put_parameter(SERVICE, Wanted(name, value, type=kind, **more))


def code(function, *args, **kwargs) -> str:
    with pytest.raises(ServiceError) as caught:
        function(*args, **kwargs)
    assert caught.value.message
    return caught.value.code


def value(name: str) -> str:
    return value_of(reading.get_parameter(SERVICE, name).version)


@pytest.mark.parametrize("name", ["db", "/db", "a.b-c_D9", "/shop/prod/db-password", "/" + "/".join("abcdefghijklmno")])
def test_a_name_that_may_be_is_taken_without_blanks_around_it(name: str):
    assert names.check(f" {name} ") == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "ValidationException"),
        ("two words", "ValidationException"),
        ("aws-thing", "ValidationException"),
        ("/SSM/thing", "ValidationException"),
        ("shop/db", "ValidationException"),
        ("/shop//db", "ValidationException"),
        ("/shop/", "ValidationException"),
        ("/a/../b", "ValidationException"),
        ("nämë", "ValidationException"),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/x", "ValidationException"),
        ("x" * 1012, "ValidationException"),
        ("/" + "/".join("abcdefghijklmnop"), "HierarchyLevelLimitExceededException"),
    ],
)
def test_a_name_that_may_not_be_is_refused(name: str, expected: str):
    assert code(put, name) == expected
    assert not Parameter.objects.exists()


def test_versions_follow_each_other_and_what_is_left_out_stays():
    first = put("/shop/db", "one", description="The database.", allowed_pattern="^[a-z]+$", tags={"a": "b"})
    assert (first.number, first.tier, first.data_type) == (1, "Standard", "text")
    assert code(put, "/shop/db", "two") == "ParameterAlreadyExists"
    second = put("/shop/db", "two", None, overwrite=True)
    assert (second.number, second.description, second.allowed_pattern) == (2, "The database.", "^[a-z]+$")
    assert code(put, "/shop/db", "THREE", overwrite=True) == "ParameterPatternMismatchException"
    assert code(put, "/shop/db", "x", "SecureString", overwrite=True) == "HierarchyTypeMismatchException"
    assert code(put, "/shop/db", "x", overwrite=True, tags={"c": "d"}) == "ValidationException"
    assert [value(name) for name in ("/shop/db", "/shop/db:1", "/shop/db:2")] == ["two", "one", "two"]
    assert code(value, "/shop/db:3") == "ParameterVersionNotFound"
    assert code(value, "/shop/db:label") == "ParameterVersionNotFound"
    assert code(value, "/shop/cache") == "ParameterNotFound"
    history = reading.get_parameter_history(SERVICE, "/shop/db")
    assert [(one.number, value_of(one)) for one in history] == [(1, "one"), (2, "two")]
    assert value("arn:aws:ssm:us-east-1:123456789012:parameter/shop/db:1") == "one"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"kind": None}, "ValidationException"),
        ({"value": ""}, "ValidationException"),
        ({"value": "{{ssm:other}}"}, "ValidationException"),
        ({"value": "x" * 4097}, "ValidationException"),
        ({"value": "x" * 8193, "tier": "Intelligent-Tiering"}, "ValidationException"),
        ({"key_id": "alias/aws/ssm"}, "ValidationException"),
        ({"kind": "SecureString", "key_id": "alias/mine"}, "InvalidKeyId"),
        ({"policies": '[{"Type": "Expiration"}]'}, "InvalidPolicyTypeException"),
        ({"data_type": "aws:ec2:image"}, "ValidationException"),
        ({"data_type": "integer", "value": "four"}, "ValidationException"),
        ({"data_type": "json", "value": "{"}, "ValidationException"),
        ({"data_type": "ipv4-address", "value": "10.0.0.256"}, "ValidationException"),
        ({"allowed_pattern": "("}, "InvalidAllowedPatternException"),
        ({"allowed_pattern": "^[0-9]+$"}, "ParameterPatternMismatchException"),
        ({"tags": {"aws:x": "y"}}, "ValidationException"),
        ({"tags": {str(number): "" for number in range(51)}}, "TooManyTagsError"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_and_told_to_nobody(wanted: dict, expected: str):
    given = {"value": "unspeakable", **wanted}
    with pytest.raises(ServiceError) as caught:
        put("db", **given)
    assert caught.value.code == expected
    assert "unspeakable" not in caught.value.message + caught.value.hint
    assert not Parameter.objects.exists()


def test_a_large_value_makes_a_parameter_advanced_and_nothing_makes_it_standard_again():
    assert put("db", "x" * 5000, tier="Intelligent-Tiering").tier == "Advanced"
    assert put("db", "small", overwrite=True).tier == "Advanced"
    assert code(put, "db", "small", overwrite=True, tier="Standard") == "ValidationException"


def test_a_pattern_that_never_ends_is_refused(monkeypatch):
    monkeypatch.setattr(patterns, "TIMEOUT_SECONDS", 0.3)
    with pytest.raises(patterns.PatternError, match="It takes more than"):
        patterns.matches("^(a+)+$", "a" * 60 + "b")


def test_of_db_and_slash_db_which_have_one_arn_only_one_can_be_there():
    put("db")
    assert code(put, "/db") == "ParameterAlreadyExists"
    assert code(value, "/db") == "ParameterNotFound"


def test_a_hundred_versions_are_kept_and_a_label_holds_the_oldest_one(monkeypatch):
    monkeypatch.setattr(writing, "MAX_VERSIONS", 3)
    for number in range(5):
        put("db", f"v{number}", overwrite=number > 0)
    assert [one.number for one in reading.get_parameter_history(SERVICE, "db")] == [3, 4, 5]
    labels.label_version(SERVICE, "db", 3, ["stable"])
    assert code(put, "db", "x", overwrite=True) == "ParameterMaxVersionLimitExceeded"


def test_a_label_moves_and_names_its_version():
    put("db", "one")
    put("db", "two", overwrite=True)
    assert labels.label_version(SERVICE, "db", 1, ["stable", "9lives", "aws-x"]) == (1, ["9lives", "aws-x"])
    assert value("db:stable") == "one"
    assert labels.label_version(SERVICE, "db", None, ["stable"]) == (2, [])
    assert value("db:stable") == "two"
    assert labels.unlabel_version(SERVICE, "db", 2, ["stable", "other"]) == (["stable"], ["other"])
    assert code(labels.label_version, SERVICE, "db", 7, ["x"]) == "ParameterVersionNotFound"
    many = [f"l{number}" for number in range(11)]
    assert code(labels.label_version, SERVICE, "db", 1, many) == "ParameterVersionLabelLimitExceeded"


def test_reading_below_a_path_is_by_whole_levels_and_case_counts():
    for name in ("/shop/a", "/shop/deep/b", "/Shop/c", "/shopping/d", "top", "/root"):
        put(name)

    def below(path: str, **more) -> list[str]:
        found = reading.get_parameters_by_path(SERVICE, path, **more)
        return sorted(one.version.parameter.name for one in found)

    assert below("/shop") == below("/shop/") == ["/shop/a"]
    assert below("/shop", is_recursive=True) == ["/shop/a", "/shop/deep/b"]
    assert below("/") == ["/root", "top"]
    assert len(below("/", is_recursive=True)) == 6
    assert code(reading.get_parameters_by_path, SERVICE, "shop") == "ValidationException"
    labels.label_version(SERVICE, "/shop/a", 1, ["live"])
    put("/shop/a", "newer", overwrite=True)
    labelled = reading.get_parameters_by_path(SERVICE, "/shop", [Filter("Label", values=("live",))])
    assert [(one.selector, value_of(one.version)) for one in labelled] == [(":live", "v")]
    assert code(reading.get_parameters_by_path, SERVICE, "/", [Filter("Tier", values=("x",))]) == "InvalidFilterKey"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([Filter("Name", values=("/shop/a",))], ["/shop/a"]),
        ([Filter("Name", "BeginsWith", ("shop", "/to"))], ["/shop/a", "/shop/deep/b"]),
        ([Filter("Name", "Contains", ("o",))], ["/shop/a", "/shop/deep/b", "top"]),
        ([Filter("Path", "OneLevel", ("/shop",))], ["/shop/a"]),
        ([Filter("Path", "Recursive", ("/shop/",))], ["/shop/a", "/shop/deep/b"]),
        ([Filter("Type", values=("SecureString",))], ["top"]),
        ([Filter("KeyId", values=("alias/aws/ssm",))], ["top"]),
        ([Filter("tag:team")], ["/shop/a", "/shop/deep/b"]),
        ([Filter("tag:team", values=("red",)), Filter("Type", values=("String",))], ["/shop/a"]),
        ([], ["/shop/a", "/shop/deep/b", "top"]),
    ],
)
def test_a_list_is_filtered(filters: list[Filter], expected: list[str]):
    put("/shop/a", tags={"team": "red"})
    put("/shop/deep/b", tags={"team": "blue"})
    put("top", kind="SecureString")
    found = listing.describe_parameters(SERVICE, filters)
    assert sorted(one.parameter.name for one in found) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Filter("Label", values=("x",)), "InvalidFilterKey"),
        (Filter("Name", "Recursive", ("x",)), "InvalidFilterOption"),
        (Filter("Type"), "InvalidFilterValue"),
        (Filter("Path", "OneLevel", ("shop",)), "InvalidFilterValue"),
    ],
)
def test_a_filter_that_there_is_not_is_refused(given: Filter, expected: str):
    assert code(listing.describe_parameters, SERVICE, [given]) == expected


def test_several_are_read_and_deleted_together_and_those_that_are_not_there_are_told():
    put("b", "2")
    put("a", "1")
    found, invalid = reading.get_parameters(SERVICE, ["b", "c", "a", "a:7"])
    assert [(one.version.parameter.name, value_of(one.version)) for one in found] == [("a", "1"), ("b", "2")]
    assert invalid == ["c", "a:7"]
    assert writing.delete_parameters(SERVICE, ["a", "c"]) == (["a"], ["c"])
    writing.delete_parameter(SERVICE, "b")
    assert code(writing.delete_parameter, SERVICE, "b") == "ParameterNotFound"
    assert not ParameterVersion.objects.exists()


def test_of_several_one_that_is_denied_refuses_them_all():
    put("mine")
    put("theirs")
    own = "arn:aws:ssm:*:*:parameter/mine"
    erin = factories.user("erin", document=allow("ssm:GetParameters", "ssm:DeleteParameters", resource=own)).principal
    for act in (reading.get_parameters, writing.delete_parameters):
        with pytest.raises(AccessDenied, match="parameter/theirs"):
            act(erin, ["mine", "theirs"])
    assert Parameter.objects.count() == 2
    assert services.parameter_value(erin, "mine") == "v"


def test_a_path_is_decided_on_its_own_arn_and_a_tag_on_the_parameter():
    put("/shop/a", tags={"team": "red"})
    put("/shop/b", tags={"team": "blue"})
    path = factories.user(
        "pia", document=allow("ssm:GetParametersByPath", resource="arn:aws:ssm:*:*:parameter/shop")
    ).principal
    assert len(reading.get_parameters_by_path(path, "/shop")) == 2
    with pytest.raises(AccessDenied):
        reading.get_parameters_by_path(path, "/")
    document = allow("ssm:GetParameter")
    document["Statement"][0]["Condition"] = {"StringEquals": {"ssm:resourceTag/team": "red"}}
    rita = factories.user("rita", document=document).principal
    assert reading.get_parameter(rita, "/shop/a").version.number == 1
    with pytest.raises(AccessDenied):
        reading.get_parameter(rita, "/shop/b")


def test_what_is_not_there_is_denied_like_what_is():
    put("there")
    erin = factories.user("erin").principal
    told = []
    for name in ("there", "gone!"[:-1]):
        with pytest.raises(AccessDenied) as caught:
            reading.get_parameter(erin, name)
        told.append(caught.value.message.replace(name, "NAME"))
    assert told[0] == told[1]


def test_a_value_is_encrypted_in_the_database_for_its_own_row_alone():
    put("db", "unspeakable", "SecureString")
    put("other", "speakable")
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed_value FROM secretstore_parameterversion")
        assert not any("speakable" in str(row) for row in cursor.fetchall())
    secure, plain = ParameterVersion.objects.order_by("parameter__name")
    assert value_of(secure, with_decryption=False) == secure.sealed_value
    assert value_of(plain, with_decryption=False) == "speakable"
    plain.sealed_value = secure.sealed_value
    assert code(value_of, plain) == "InvalidKeyId"


def test_another_master_key_is_told_of_and_reads_nothing(settings):
    put("db", "unspeakable")
    settings.MASTER_KEY = "A" * 43 + "="
    assert code(value, "db") == "InvalidKeyId"


def test_tags_are_added_and_removed_and_their_rules_told():
    put("db", tags={"a": "1"})
    labels.tag(SERVICE, "Parameter", "db", {"a": "2", "b": "3"})
    labels.untag(SERVICE, "Parameter", "db", ["a", "missing"])
    assert labels.tags_of(SERVICE, "Parameter", "db") == {"b": "3"}
    assert code(labels.tags_of, SERVICE, "Document", "db") == "InvalidResourceType"
    assert code(labels.tags_of, SERVICE, "Parameter", "gone") == "InvalidResourceId"
    assert code(tags.given, [{"Key": "a"}, {"Key": "a"}], "ValidationException") == "ValidationException"


def test_who_may_read_or_write_a_value_alone_sees_nothing_else_of_the_parameter(alice_client):
    put("/shop/db", "speakable", description="For the shop", allowed_pattern="^sp", tags={"team": "scarlet"})
    erin = signed_in(factories.user("erin", document=allow("ssm:GetParameter", "ssm:PutParameter")))
    assert erin.get("/parameters/shop/db/").status_code == 403
    for path, form, status in (("value", {}, 200), ("versions", {"value": "no"}, 400)):
        page = erin.post(f"/parameters/shop/db/{path}", form)
        text = page.content.decode()
        assert page.status_code == status and "ssm:GetParameterHistory" in text
        for unseen in ("For the shop", "scarlet", "Tier"):
            assert unseen not in text, (path, unseen)
    erin.post("/parameters/shop/db/versions", {"value": "speak"})
    assert reading.get_parameter(SERVICE, "/shop/db").version.description == "For the shop"


def test_one_that_is_deleted_while_it_is_read_is_missing(monkeypatch):
    put("db")
    found = Parameter.objects.get()
    Parameter.objects.all().delete()
    monkeypatch.setattr(access, "find", lambda asked: found)
    assert code(reading.get_parameter, SERVICE, "db") == "ParameterNotFound"


def test_the_console_shows_a_value_on_request_alone_and_the_trail_says_who_asked(alice_client):
    def text(response) -> str:
        return response.content.decode()

    assert "No parameters yet" in text(alice_client.get("/parameters/"))
    form = {"name": "/shop/db", "type": "SecureString", "value": "un\r\nspeakable", "description": "For the shop"}
    made = alice_client.post("/parameters/new", form)
    assert made["Location"] == "/parameters/shop/db/"
    assert value("/shop/db") == "un\nspeakable"
    for path in ("/parameters/", "/parameters/?q=shop", "/parameters/shop/db/", "/search?q=shop"):
        assert "speakable" not in text(alice_client.get(path)), path
    shown = alice_client.post("/parameters/shop/db/value", {"version": "1"})
    assert "un\nspeakable" in text(shown) and "no-store" in shown["Cache-Control"]
    event = Event.objects.order_by("pk").last()
    assert (event.action, event.resource_name) == ("ssm:GetParameter", "shop/db")
    assert "speakable" not in json.dumps([one.request_parameters for one in Event.objects.all()])
    alice_client.post("/parameters/shop/db/versions", {"value": "new", "description": "Newer"})
    assert value("/shop/db") == "new"
    alice_client.post("/parameters/shop/db/tags", {"tag_key": ["team"], "tag_value": ["red"]})
    assert Parameter.objects.get().tags == {"team": "red"}
    refused = alice_client.post("/parameters/shop/db/versions", {"value": "{{x}}"})
    assert refused.status_code == 400 and "nest another parameter" in text(refused)
    assert alice_client.post("/parameters/shop/db/delete", {"confirm_name": "db"}).status_code == 400
    alice_client.post("/parameters/shop/db/delete", {"confirm_name": "/shop/db"})
    assert not Parameter.objects.exists()
