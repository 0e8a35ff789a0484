"""Projects and builds with what belongs to them; a module a topic."""

from builds.models.build import Build, LogChunk, Phase, PhaseType, Status
from builds.models.engine_image import EngineImage
from builds.models.project import Priority, Project
from builds.models.source import SourceCredential, repository_name_of
from builds.models.storage import Artifact, CacheEntry, Leftover, Packaging

__all__ = [
    "Artifact",
    "Build",
    "CacheEntry",
    "EngineImage",
    "Leftover",
    "LogChunk",
    "Packaging",
    "Phase",
    "PhaseType",
    "Priority",
    "Project",
    "SourceCredential",
    "Status",
    "repository_name_of",
]
