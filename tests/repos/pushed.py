"""Pushes that are recorded, and what was told of them."""

from __future__ import annotations

from django.utils import timezone

from repos import tasks
from repos.git.refs import RefCommand
from repos.models import Push, PushState, Repository, TriggerDelivery
from repos.pushes import receive

NONE, ONE, TWO = "0" * 40, "1" * 40, "2" * 40


def recorded(repository: Repository, *commands: RefCommand, by: str = "arn:aws:iam::123456789012:user/bob") -> Push:
    """A push that waits to be delivered; it made main where no commands are given."""
    return Push.objects.create(
        repository=repository,
        principal_arn=by,
        principal_name="bob",
        state=PushState.RECORDED,
        commands=[vars(one) for one in commands or (RefCommand("refs/heads/main", NONE, ONE),)],
        recorded_at=timezone.now(),
    )


def delivered(push: Push) -> TriggerDelivery:
    """The delivery of a push's only trigger, after a worker has taken it."""
    assert receive.deliver(push.pk)
    tasks.run_trigger_delivery(push.trigger_deliveries.get().pk)
    return push.trigger_deliveries.get()
