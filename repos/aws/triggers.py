"""A repository's triggers: read, replace, test."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.errors import InvalidInput
from repos.triggers import config as trigger_config
from repos.triggers.config import TriggerSettings


@operation("codecommit", "GetRepositoryTriggers")
def get_repository_triggers(call: Call) -> dict[str, Any]:
    repository, triggers = trigger_config.triggers_of(call.principal, call.params["repositoryName"])
    rows = [
        {
            "name": one.name,
            "destinationArn": one.destination_arn,
            "customData": one.custom_data,
            "branches": one.branches,
            "events": one.events,
        }
        for one in triggers
    ]
    return {"configurationId": str(repository.trigger_configuration_id), "triggers": rows}


@operation("codecommit", "PutRepositoryTriggers")
def put_repository_triggers(call: Call) -> dict[str, Any]:
    repository = trigger_config.replace_triggers(call.principal, call.params["repositoryName"], _wanted(call))
    return {"configurationId": str(repository.trigger_configuration_id)}


@operation("codecommit", "TestRepositoryTriggers")
def test_repository_triggers(call: Call) -> dict[str, Any]:
    tested = trigger_config.test_triggers(call.principal, call.params["repositoryName"], _wanted(call))
    return {
        "successfulExecutions": [one.trigger_name for one in tested if one.is_delivered],
        "failedExecutions": [
            {"trigger": one.trigger_name, "failureMessage": one.error} for one in tested if not one.is_delivered
        ],
    }


def _wanted(call: Call) -> list[TriggerSettings]:
    """The triggers of a call. Their list of branches may be empty and must be there, as the reference says."""
    wanted = []
    for one in call.params["triggers"]:
        if "branches" not in one:
            raise InvalidInput(
                f"The trigger {one['name']} has no list of branches.",
                code="RepositoryTriggerBranchNameListRequiredException",
                hint="An empty list stands for every branch and tag.",
            )
        wanted.append(
            TriggerSettings(
                name=one["name"],
                destination_arn=one["destinationArn"],
                events=tuple(one["events"]),
                branches=tuple(one["branches"]),
                custom_data=one.get("customData", ""),
            )
        )
    return wanted
