"""Repositories with what belongs to them; a module a topic."""

from repos.models.push import Push, PushState
from repos.models.repository import Repository
from repos.models.trigger import Trigger

__all__ = ["Push", "PushState", "Repository", "Trigger"]
