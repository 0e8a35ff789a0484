"""Repositories with what belongs to them; a module a topic."""

from repos.models.push import Push, PushState
from repos.models.repository import Repository
from repos.models.trigger import Trigger, TriggerDelivery, TriggerDeliveryCause, TriggerDeliveryState

__all__ = [
    "Push",
    "PushState",
    "Repository",
    "Trigger",
    "TriggerDelivery",
    "TriggerDeliveryCause",
    "TriggerDeliveryState",
]
