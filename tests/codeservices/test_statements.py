"""Statements that Django writes once: they answer as its own querysets do."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import Count, Max, Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from codeservices.iam.models import User
from codeservices.statements import Parameter, Statement, aggregated
from repos.models import Mirror, Repository
from tests import factories

pytestmark = pytest.mark.django_db

BY_NAME = Statement(lambda: Repository.objects.filter(name=Parameter()).select_related("mirror"))


def test_an_object_is_the_one_that_a_queryset_gives_with_its_kinds_of_values():
    for name in ("one", "other"):
        factories.repository(name, f"It is {name}.")
    Repository.objects.filter(name="one").update(tags={"a": "b"}, archived_at=timezone.now())
    for name in ("one", "other"):
        found, expected = BY_NAME.first(name), Repository.objects.get(name=name)
        assert found is not None and not found._state.adding
        for field in Repository._meta.concrete_fields:
            assert getattr(found, field.attname) == getattr(expected, field.attname), field.attname


def test_what_is_not_there_is_none():
    factories.repository("one")
    assert BY_NAME.first("One'; --") is None
    assert BY_NAME.first("") is None


def test_what_is_related_comes_with_the_same_question():
    mirrored = factories.repository("mirrored")
    Mirror.objects.create(repository=mirrored, url="https://example.org/a.git")
    factories.repository("plain")
    with CaptureQueriesContext(connection) as asked:
        found = [BY_NAME.first(name) for name in ("mirrored", "plain")]
        assert [getattr(one, "mirror", None) and one.mirror.url for one in found] == ["https://example.org/a.git", None]
    assert len(asked) == 2


def test_values_stand_where_their_parameters_do_however_often():
    for name in ("anna", "ben", "cleo"):
        factories.user(name)
    statement = Statement(
        lambda: (
            User.objects.filter(Q(name=Parameter(1)) | Q(name=Parameter(0)), ~Q(name=Parameter(1)))
            .order_by("name")
            .values_list("name", "is_active")
        )
    )
    assert statement.rows("anna", "ben") == [("anna", True)]
    assert statement.rows("cleo", "ben") == [("cleo", True)]


def test_a_statement_with_a_number_reads_what_is_there_now():
    statement = Statement(lambda: User.objects.filter(pk=Parameter(), is_active=True))
    anna = factories.user("anna")
    assert statement.first(anna.pk) == anna
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert statement.first(anna.pk) is None


def test_aggregates_are_one_row_even_of_nothing():
    statement = Statement(
        lambda: aggregated(
            Repository.objects.all(), newest=Max("pk"), archived=Count("pk", filter=~Q(archived_at=None))
        )
    )
    assert statement.rows() == [(None, 0)]
    newest = [factories.repository(name) for name in ("one", "other")][-1]
    assert statement.rows() == [(newest.pk, 0)]
