"""Builds by their ids, as the API asks for them."""

from __future__ import annotations

import uuid

import pytest

from builds import access, lifecycle
from codeservices.errors import AccessDenied, InvalidInput, NotFound
from tests import factories

READ = "codebuild:BatchGetBuilds"


def test_many_builds_are_asked_for_at_once_and_answered_as_they_were_asked_for(
    db, no_broker, django_assert_num_queries
):
    factories.project()
    first, second = (lifecycle.start_build(factories.SERVICE, "demo") for _ in range(2))
    asked = [second.api_id, f"demo:{uuid.uuid4()}", "demo:no-uuid", first.arn, f"other:{first.uuid}"]
    with django_assert_num_queries(1):
        found = access.builds_by_ids(factories.SERVICE, READ, asked)
    assert list(found) == asked
    assert list(found.values()) == [second, None, None, first, None]


def test_every_project_that_an_id_names_must_be_allowed(db, no_broker):
    build = lifecycle.start_build(factories.SERVICE, factories.project().name)
    dave = factories.user("dave", document=factories.allow(READ, resource=build.project_arn)).principal
    assert access.build_by_id(dave, READ, build.api_id) == build
    with pytest.raises(AccessDenied, match="project/other"):
        access.builds_by_ids(dave, READ, [build.api_id, f"other:{uuid.uuid4()}"])
    with pytest.raises(NotFound):
        access.build_by_id(dave, READ, f"demo:{uuid.uuid4()}")
    for text in ("demo", "a/b:c", "a:b:c"):
        with pytest.raises(InvalidInput):
            access.build_by_id(dave, READ, text)
