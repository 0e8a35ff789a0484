"""What a trigger may tell: one kind of destination for each AWS service that its ARN may name.

Apps register theirs in `ready()`: repos knows topics and functions, builds adds its projects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings

from codeservices.errors import InvalidInput, NotFound
from codeservices.iam import arn
from codeservices.iam.principal import Principal
from repos.models import TriggerDelivery
from repos.triggers.events import MAX_EVENT_BYTES

INVALID_ARN = "InvalidRepositoryTriggerDestinationArnException"
INVALID_REGION = "InvalidRepositoryTriggerRegionException"


@dataclass(frozen=True)
class Choice:
    """One destination that somebody may choose: its ARN, and its name for people."""

    arn: str
    name: str


@dataclass(frozen=True)
class Destination:
    """A kind of destination.

    Attributes:
        service: Of the ARN, "codebuild".
        title: What it is called, "build project".
        resource: What the ARN has after the account; its first group is the name.
        example: The same in words, "project/NAME".
        right: The IAM action that naming one takes: pushes use it whoever pushes.
        deliver: Tells one event, or raises: a ServiceError with a status below 500 is final, all else is tried again.
            It is called again after a crash; what it writes and `deliveries.note` go into one transaction.
        choices: Those that a principal may name, by name.
        max_event_bytes: Larger events come in parts; None where nothing limits them.
    """

    service: str
    title: str
    resource: re.Pattern[str]
    example: str
    right: str
    deliver: Callable[[TriggerDelivery], None]
    choices: Callable[[Principal], Sequence[Choice]] = lambda principal: ()
    max_event_bytes: int | None = MAX_EVENT_BYTES


_destinations: dict[str, Destination] = {}


def register(destination: Destination) -> None:
    """Add a kind of destination."""
    _destinations[destination.service] = destination


def registered() -> list[Destination]:
    """All kinds, in the order in which they were registered."""
    return list(_destinations.values())


def kind_of(destination_arn: str) -> Destination:
    """The kind of destination that an ARN names, which `check` let pass; raises NotFound where it is gone."""
    try:
        return _destinations[arn.parse(destination_arn).service]
    except (KeyError, InvalidInput):
        raise NotFound(f"Nothing here takes events for {destination_arn}.") from None


def name_of(destination_arn: str) -> str:
    """The destination's name for people; the whole ARN where it has none."""
    found = kind_of(destination_arn).resource.fullmatch(arn.parse(destination_arn).resource)
    return found[1] if found else destination_arn


def check(destination_arn: str) -> Destination:
    """The kind of destination that an ARN names.

    Raises:
        InvalidInput: It is no ARN of a destination that triggers can have (INVALID_ARN), or of another region
            (INVALID_REGION). Whether the thing exists is not asked: as on AWS, a test tells.
    """
    shown = destination_arn[:200]
    try:
        parsed = arn.parse(destination_arn)
    except InvalidInput:
        raise InvalidInput(f"“{shown}” is no ARN.", code=INVALID_ARN, hint=_possible()) from None
    kind = _destinations.get(parsed.service)
    if kind is None or parsed.partition != "aws":
        raise InvalidInput(f"A trigger can't tell “{shown}”.", code=INVALID_ARN, hint=_possible())
    if parsed.region != settings.REGION:
        raise InvalidInput(
            f"“{shown}” is in another region than the repository, which is in {settings.REGION}.", code=INVALID_REGION
        )
    if parsed.account_id != settings.ACCOUNT_ID:
        raise InvalidInput(
            f"“{shown}” belongs to another account than the repository, which is in {settings.ACCOUNT_ID}.",
            code=INVALID_ARN,
        )
    if not kind.resource.fullmatch(parsed.resource):
        raise InvalidInput(f"“{shown}” is no ARN of a {kind.title}.", code=INVALID_ARN, hint=_possible())
    return kind


def _possible() -> str:
    prefix = f"{settings.REGION}:{settings.ACCOUNT_ID}"
    forms = [f"a {one.title} (arn:aws:{one.service}:{prefix}:{one.example})" for one in registered()]
    return f"A trigger tells {', '.join(forms[:-1])} or {forms[-1]}."
