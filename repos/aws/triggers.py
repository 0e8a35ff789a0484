"""A repository's triggers: read, replace."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from repos import trigger_config
from repos.trigger_config import TriggerSettings


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
    wanted = [
        TriggerSettings(
            name=one["name"],
            destination_arn=one["destinationArn"],
            events=tuple(one["events"]),
            branches=tuple(one.get("branches", ())),
            custom_data=one.get("customData", ""),
        )
        for one in call.params["triggers"]
    ]
    repository = trigger_config.replace_triggers(call.principal, call.params["repositoryName"], wanted)
    return {"configurationId": str(repository.trigger_configuration_id)}
