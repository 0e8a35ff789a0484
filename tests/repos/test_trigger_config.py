"""Who may put a trigger that starts a build: pushes start it as the project's service role."""

from __future__ import annotations

import pytest

from codeservices.errors import AccessDenied
from repos import trigger_config
from repos.trigger_config import TriggerSettings
from tests import factories

PROJECT = "arn:aws:codebuild:us-east-1:123456789012:project/demo"
BUILD = TriggerSettings("build", PROJECT, ("updateReference",), ("main",))
TOPIC = TriggerSettings("tell", "arn:aws:sns:us-east-1:123456789012:topic")


@pytest.fixture
def keeper(db):
    """May change triggers, and not start builds."""
    factories.repository("demo")
    return factories.user("keeper", document=factories.allow("codecommit:*")).principal


@pytest.mark.parametrize("put", [trigger_config.add_trigger, lambda *args: trigger_config.replace_triggers(*args)])
def test_a_trigger_that_starts_a_build_takes_the_right_to_start_it(keeper, put):
    wanted = BUILD if put is trigger_config.add_trigger else [TOPIC, BUILD]
    with pytest.raises(AccessDenied, match="codebuild:StartBuild"):
        put(keeper, "demo", wanted)
    assert trigger_config.triggers_of(keeper, "demo")[1] == []


def test_a_trigger_that_stays_as_it_is_takes_no_right_and_a_wider_one_does(keeper, alice):
    trigger_config.replace_triggers(alice.principal, "demo", [BUILD])
    trigger_config.replace_triggers(keeper, "demo", [TOPIC, BUILD])
    wider = TriggerSettings("build", PROJECT, ("updateReference",), ())
    with pytest.raises(AccessDenied):
        trigger_config.replace_triggers(keeper, "demo", [wider])
    assert [one.name for one in trigger_config.triggers_of(keeper, "demo")[1]] == ["tell", "build"]
    trigger_config.replace_triggers(keeper, "demo", [])
