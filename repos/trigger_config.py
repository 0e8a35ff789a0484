"""The triggers of a repository: list, add, remove. The list changes as a whole, as PutRepositoryTriggers has it.

Source: AWS CodeCommit API reference, "RepositoryTrigger" and "PutRepositoryTriggers"; the quotas on triggers.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction

from codeservices.errors import InvalidInput, LimitExceeded, NotFound
from codeservices.iam import arn
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from repos.access import repository_for
from repos.git import refs
from repos.models import Repository, Trigger
from repos.triggers import ALL, EVENTS, MAX_BRANCHES, MAX_TRIGGERS

MAX_CUSTOM_DATA = 1000
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
READ, WRITE = "codecommit:GetRepositoryTriggers", "codecommit:PutRepositoryTriggers"
START_BUILD = "codebuild:StartBuild"


class InvalidTrigger(InvalidInput):
    """A value of a trigger breaks a rule; `field` names it: name, destination_arn, events, branches, custom_data."""

    def __init__(self, field_name: str, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.field = field_name


@dataclass(frozen=True)
class TriggerSettings:
    """A trigger as somebody asks for it; shapes as in repos.models.Trigger."""

    name: str
    destination_arn: str
    events: Sequence[str] = (ALL,)
    branches: Sequence[str] = field(default_factory=tuple)
    custom_data: str = ""


def triggers_of(principal: Principal, repository_name: str) -> tuple[Repository, list[Trigger]]:
    """The repository with its triggers in order."""
    repository = repository_for(principal, READ, repository_name)
    return repository, list(repository.triggers.all())


def add_trigger(principal: Principal, repository_name: str, wanted: TriggerSettings) -> Trigger:
    """One more trigger, after the others. A build project is started as its service role, whoever pushes: naming one
    takes the right to start it.

    Raises:
        AccessDenied: Of codecommit:PutRepositoryTriggers, or codebuild:StartBuild on the project.
        InvalidTrigger: A value breaks a rule, or the name is taken.
        LimitExceeded: The repository has MAX_TRIGGERS already.
    """
    repository = repository_for(principal, WRITE, repository_name)
    check(wanted)
    _authorize_start(principal, wanted.destination_arn)
    with transaction.atomic():
        locked = Repository.objects.select_for_update().get(pk=repository.pk)
        names = list(locked.triggers.values_list("name", flat=True))
        if wanted.name in names:
            raise InvalidTrigger(
                "name",
                f"{repository.name} has a trigger called {wanted.name} already.",
                code="InvalidRepositoryTriggerNameException",
            )
        if len(names) >= MAX_TRIGGERS:
            raise LimitExceeded(
                f"{repository.name} has {MAX_TRIGGERS} triggers, and more are not possible.",
                code="MaximumRepositoryTriggersExceededException",
                hint="Remove one first.",
            )
        trigger = Trigger.objects.create(
            repository=locked,
            name=wanted.name,
            destination_arn=wanted.destination_arn,
            events=list(wanted.events),
            branches=list(wanted.branches),
            custom_data=wanted.custom_data,
            position=len(names),
        )
        _renew(locked)
    return trigger


def remove_trigger(principal: Principal, repository_name: str, name: str) -> None:
    """Remove the trigger of that name; raises NotFound."""
    repository = repository_for(principal, WRITE, repository_name)
    with transaction.atomic():
        locked = Repository.objects.select_for_update().get(pk=repository.pk)
        deleted, _ = locked.triggers.filter(name=name).delete()
        if not deleted:
            raise NotFound(f"{repository.name} has no trigger called {name}.")
        for position, trigger in enumerate(locked.triggers.all()):
            Trigger.objects.filter(pk=trigger.pk).update(position=position)
        _renew(locked)


def replace_triggers(principal: Principal, repository_name: str, wanted: Sequence[TriggerSettings]) -> Repository:
    """Put these triggers in the place of all there are; an empty list removes them.

    One that starts a build project takes the right to start it, as with `add_trigger`, unless it is there already and
    stays as it is.

    Raises:
        AccessDenied: Of codecommit:PutRepositoryTriggers, or codebuild:StartBuild on a project.
        InvalidTrigger: A value breaks a rule, or two have one name.
        LimitExceeded: There are more than MAX_TRIGGERS.
    """
    repository = repository_for(principal, WRITE, repository_name)
    if len(wanted) > MAX_TRIGGERS:
        raise LimitExceeded(
            f"A repository has at most {MAX_TRIGGERS} triggers, not {len(wanted)}.",
            code="MaximumRepositoryTriggersExceededException",
        )
    for place, one in enumerate(wanted):
        check(one)
        if any(one.name == other.name for other in wanted[:place]):
            raise InvalidTrigger(
                "name", f"Two triggers are called {one.name}.", code="InvalidRepositoryTriggerNameException"
            )
    with transaction.atomic():
        locked = Repository.objects.select_for_update().get(pk=repository.pk)
        kept = {(one.destination_arn, *map(frozenset, (one.events, one.branches))) for one in locked.triggers.all()}
        for one in wanted:
            if (one.destination_arn, *map(frozenset, (one.events, one.branches))) not in kept:
                _authorize_start(principal, one.destination_arn)
        locked.triggers.all().delete()
        Trigger.objects.bulk_create(
            Trigger(
                repository=locked,
                name=one.name,
                destination_arn=one.destination_arn,
                events=list(one.events),
                branches=list(one.branches),
                custom_data=one.custom_data,
                position=position,
            )
            for position, one in enumerate(wanted)
        )
        _renew(locked)
    return locked


def check(wanted: TriggerSettings) -> TriggerSettings:
    """The settings themselves; raises InvalidTrigger at the first rule they break."""
    if not wanted.name:
        raise InvalidTrigger("name", "A trigger needs a name.", code="RepositoryTriggerNameRequiredException")
    if not _NAME.fullmatch(wanted.name):
        raise InvalidTrigger(
            "name",
            f"“{wanted.name}” can't name a trigger.",
            code="InvalidRepositoryTriggerNameException",
            hint="It has 1 to 100 letters, digits, dots, dashes and underscores.",
        )
    if not wanted.destination_arn:
        raise InvalidTrigger(
            "destination_arn",
            "A trigger needs a destination.",
            code="RepositoryTriggerDestinationArnRequiredException",
        )
    if not arn.is_arn(wanted.destination_arn):
        raise InvalidTrigger(
            "destination_arn",
            f"“{wanted.destination_arn}” is no ARN.",
            code="InvalidRepositoryTriggerDestinationArnException",
        )
    _check_events(wanted.events)
    if len(wanted.branches) > MAX_BRANCHES:
        raise InvalidTrigger(
            "branches",
            f"A trigger names at most {MAX_BRANCHES} branches, not {len(wanted.branches)}.",
            code="MaximumBranchesExceededException",
        )
    for branch in wanted.branches:
        if not refs.is_valid_refname(refs.HEADS + branch):
            raise InvalidTrigger(
                "branches",
                f"“{refs.shown(branch)}” can't name a branch.",
                code="InvalidRepositoryTriggerBranchNameException",
            )
    if len(wanted.custom_data) > MAX_CUSTOM_DATA:
        raise InvalidTrigger(
            "custom_data",
            f"Custom data has at most {MAX_CUSTOM_DATA} characters, not {len(wanted.custom_data)}.",
            code="InvalidRepositoryTriggerCustomDataException",
        )
    return wanted


def _check_events(events: Sequence[str]) -> None:
    if not events:
        raise InvalidTrigger(
            "events", "A trigger needs at least one event.", code="RepositoryTriggerEventsListRequiredException"
        )
    for event in events:
        if event not in EVENTS:
            raise InvalidTrigger(
                "events",
                f"“{event}” is no event.",
                code="InvalidRepositoryTriggerEventsException",
                hint=f"There are {', '.join(EVENTS)}.",
            )
    if ALL in events and len(events) > 1:
        raise InvalidTrigger(
            "events", "“all” stands alone: it means every event.", code="InvalidRepositoryTriggerEventsException"
        )


def _authorize_start(principal: Principal, destination_arn: str) -> None:
    """Refuse a build project that the principal may not start itself: pushes start it as its service role."""
    if arn.parse(destination_arn).service == "codebuild":
        authorize(principal, START_BUILD, destination_arn)


def _renew(repository: Repository) -> None:
    repository.trigger_configuration_id = uuid.uuid4()
    repository.save(update_fields=["trigger_configuration_id"])
