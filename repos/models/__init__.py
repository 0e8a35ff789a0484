"""Repositories with what belongs to them; a module a topic."""

from repos.models.comment import Comment, CommentReaction, FileVersion
from repos.models.imports import Import
from repos.models.mirror import Mirror, MirrorRun
from repos.models.push import Push, PushState
from repos.models.remote import RemoteRun, RemoteSource, RunState
from repos.models.repository import Repository
from repos.models.trigger import Trigger, TriggerDelivery, TriggerDeliveryCause, TriggerDeliveryState
from repos.models.upkeep import JobOutcome, Upkeep, UpkeepRun

__all__ = [
    "Comment",
    "CommentReaction",
    "FileVersion",
    "Import",
    "JobOutcome",
    "Mirror",
    "MirrorRun",
    "Push",
    "PushState",
    "RemoteRun",
    "RemoteSource",
    "Repository",
    "RunState",
    "Trigger",
    "TriggerDelivery",
    "TriggerDeliveryCause",
    "TriggerDeliveryState",
    "Upkeep",
    "UpkeepRun",
]
