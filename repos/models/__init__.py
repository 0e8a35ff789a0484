"""Repositories with what belongs to them; a module a topic."""

from repos.models.push import Push, PushState
from repos.models.repository import Repository
from repos.models.trigger import Trigger
from repos.models.upkeep import JobOutcome, Upkeep, UpkeepRun

__all__ = ["JobOutcome", "Push", "PushState", "Repository", "Trigger", "Upkeep", "UpkeepRun"]
