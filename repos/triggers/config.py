"""The triggers of a repository: list, add, change, remove, test.

The list changes as a whole, as PutRepositoryTriggers has it.

Source: AWS CodeCommit API reference, "RepositoryTrigger" and "PutRepositoryTriggers"; the quotas on triggers.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from django.db import transaction

from codeservices.errors import InvalidInput, LimitExceeded, NotFound
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from repos.access import repository_for
from repos.git import refs
from repos.models import Repository, Trigger, TriggerDelivery
from repos.triggers import deliveries, destinations, endpoints
from repos.triggers.matching import ALL, EVENTS, MAX_BRANCHES, MAX_TRIGGERS

MAX_CUSTOM_DATA = 1000
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
READ, WRITE = deliveries.READ, "codecommit:PutRepositoryTriggers"
FIRE = deliveries.FIRE


class InvalidTrigger(InvalidInput):
    """A value of a trigger breaks a rule.

    `field` names it: name, destination_arn, endpoint_url, events, branches, custom_data.
    """

    def __init__(self, field_name: str, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.field = field_name


@dataclass(frozen=True)
class TriggerSettings:
    """A trigger as somebody asks for it; shapes as in repos.models.Trigger.

    `endpoint_url` stands in the place of a destination: an HTTPS address, for which a topic is made.
    """

    name: str
    destination_arn: str = ""
    events: Sequence[str] = (ALL,)
    branches: Sequence[str] = field(default_factory=tuple)
    custom_data: str = ""
    endpoint_url: str = ""


def triggers_of(principal: Principal, repository_name: str) -> tuple[Repository, list[Trigger]]:
    """The repository with its triggers in order."""
    repository = repository_for(principal, READ, repository_name)
    return repository, list(repository.triggers.all())


def add_trigger(principal: Principal, repository_name: str, wanted: TriggerSettings) -> Trigger:
    """One more trigger, after the others. Pushes use its destination whoever pushes: naming one takes the right to.

    Raises:
        AccessDenied: Of codecommit:PutRepositoryTriggers, or of the destination's right.
        InvalidTrigger: A value breaks a rule, or the name is taken.
        LimitExceeded: The repository has MAX_TRIGGERS already.
    """
    repository = repository_for(principal, WRITE, repository_name)
    check(wanted)
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
        wanted = _with_destination(principal, locked, wanted)
        trigger = _row(locked, wanted, len(names))
        trigger.save()
        _renew(locked)
    return trigger


def change_trigger(principal: Principal, repository_name: str, wanted: TriggerSettings) -> Trigger:
    """Give the trigger of that name other settings.

    Raises:
        AccessDenied, InvalidTrigger: As `add_trigger`.
        NotFound: There is no trigger of that name.
    """
    repository = repository_for(principal, WRITE, repository_name)
    check(wanted)
    with transaction.atomic():
        locked = Repository.objects.select_for_update().get(pk=repository.pk)
        old = trigger_called(locked, wanted.name)
        wanted = _with_destination(principal, locked, wanted)
        trigger = _row(locked, wanted, old.position)
        trigger.pk = old.pk
        trigger.save(force_update=True)
        _renew(locked)
    return trigger


def remove_trigger(principal: Principal, repository_name: str, name: str) -> None:
    """Remove the trigger of that name, with the endpoint that was made for it; raises NotFound."""
    repository = repository_for(principal, WRITE, repository_name)
    with transaction.atomic():
        locked = Repository.objects.select_for_update().get(pk=repository.pk)
        trigger_called(locked, name).delete()
        for position, trigger in enumerate(locked.triggers.all()):
            Trigger.objects.filter(pk=trigger.pk).update(position=position)
        _renew(locked)


def replace_triggers(principal: Principal, repository_name: str, wanted: Sequence[TriggerSettings]) -> Repository:
    """Put these triggers in the place of all there are; an empty list removes them.

    Naming a destination takes the right to use it, as with `add_trigger`, unless the trigger is there already and
    stays as it is.

    Raises:
        AccessDenied: Of codecommit:PutRepositoryTriggers, or of a destination's right.
        InvalidTrigger: A value breaks a rule, or two have one name.
        LimitExceeded: There are more than MAX_TRIGGERS.
    """
    repository = repository_for(principal, WRITE, repository_name)
    _check_all(wanted)
    with transaction.atomic():
        locked = Repository.objects.select_for_update().get(pk=repository.pk)
        _authorize_new(principal, locked, wanted)
        # The API does not know the addresses of endpoints: they stay with their topics.
        urls = dict(locked.triggers.values_list("destination_arn", "endpoint_url"))
        wanted = [replace(one, endpoint_url=urls.get(one.destination_arn, "")) for one in wanted]
        locked.triggers.all().delete()
        Trigger.objects.bulk_create(_row(locked, one, position) for position, one in enumerate(wanted))
        _renew(locked)
    return locked


def test_triggers(
    principal: Principal, repository_name: str, wanted: Sequence[TriggerSettings]
) -> list[TriggerDelivery]:
    """Tell the destinations of these triggers of the newest commit, without storing the triggers; what came of each.

    Raises:
        AccessDenied: Of codecommit:TestRepositoryTriggers, or of a destination's right, as `replace_triggers`.
        InvalidTrigger, LimitExceeded: As `replace_triggers`.
    """
    repository = repository_for(principal, FIRE, repository_name)
    _check_all(wanted)
    _authorize_new(principal, repository, wanted)
    return [
        deliveries.send_sample(principal, repository, _row(repository, one, position))
        for position, one in enumerate(wanted)
    ]


def test_trigger(principal: Principal, repository_name: str, name: str) -> TriggerDelivery:
    """The same for a trigger that is stored; raises NotFound."""
    repository = repository_for(principal, FIRE, repository_name)
    return deliveries.send_sample(principal, repository, trigger_called(repository, name))


def resend_confirmation(principal: Principal, repository_name: str, name: str) -> None:
    """Ask the endpoint that was made for a trigger once more to confirm.

    Raises:
        NotFound: There is no trigger of that name, or nothing of it that waits to be confirmed.
    """
    repository = repository_for(principal, WRITE, repository_name)
    endpoints.ask_again(principal, repository, trigger_called(repository, name).destination_arn)


def trigger_called(repository: Repository, name: str) -> Trigger:
    """The trigger of that name, for callers that have authorized; raises NotFound."""
    found = repository.triggers.filter(name=name).first()
    if found is None:
        raise NotFound(f"{repository.name} has no trigger called {name}.")
    return found


# ---- rules ---------------------------------------------------------------------------------------------------------


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
    _check_destination(wanted)
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


def _check_all(wanted: Sequence[TriggerSettings]) -> None:
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


def _check_destination(wanted: TriggerSettings) -> None:
    try:
        if wanted.endpoint_url:
            endpoints.check_url(wanted.endpoint_url)
        elif not wanted.destination_arn:
            raise InvalidInput(
                "A trigger needs a destination.", code="RepositoryTriggerDestinationArnRequiredException"
            )
        else:
            destinations.check(wanted.destination_arn)
    except InvalidInput as error:
        name = "endpoint_url" if wanted.endpoint_url else "destination_arn"
        raise InvalidTrigger(name, error.message, code=error.code, hint=error.hint) from None


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


# ---- destinations and rows -----------------------------------------------------------------------------------------


def _with_destination(principal: Principal, repository: Repository, wanted: TriggerSettings) -> TriggerSettings:
    """The settings with a destination that the principal may name; an endpoint gets a topic, unless it has one."""
    if not wanted.endpoint_url:
        _authorize_new(principal, repository, [wanted])
        return wanted
    old = repository.triggers.filter(name=wanted.name, endpoint_url=wanted.endpoint_url).first()
    if old is not None:
        return replace(wanted, destination_arn=old.destination_arn)
    topic_arn = endpoints.make(principal, repository, wanted.name, wanted.endpoint_url)
    return replace(wanted, destination_arn=topic_arn)


def _authorize_new(principal: Principal, repository: Repository, wanted: Iterable[TriggerSettings]) -> None:
    """Refuse a destination that the principal may not use itself, unless a trigger has it for the same refs already.

    The topics of the repository's own endpoints are the repository's: making them took the right.
    """
    kept = {(one.destination_arn, *map(frozenset, (one.events, one.branches))) for one in repository.triggers.all()}
    own = endpoints.topics_of(repository)
    for one in wanted:
        is_kept = (one.destination_arn, *map(frozenset, (one.events, one.branches))) in kept
        if not is_kept and one.destination_arn not in own:
            authorize(principal, destinations.kind_of(one.destination_arn).right, one.destination_arn)


def _row(repository: Repository, wanted: TriggerSettings, position: int) -> Trigger:
    return Trigger(
        repository=repository,
        name=wanted.name,
        destination_arn=wanted.destination_arn,
        endpoint_url=wanted.endpoint_url,
        events=list(wanted.events),
        branches=list(wanted.branches),
        custom_data=wanted.custom_data,
        position=position,
    )


def _renew(repository: Repository) -> None:
    """The triggers of a repository have changed: a new configuration, and no endpoint that none of them tells."""
    repository.trigger_configuration_id = uuid.uuid4()
    repository.save(update_fields=["trigger_configuration_id"])
    endpoints.remove_unused(repository)
