"""Whole builds whose container alone is played, and what they leave in the object store."""

from __future__ import annotations

import json
from typing import Any

from builds import lifecycle, tasks
from builds.logs import download
from builds.models import Build, Project
from codeservices.objects import pieces
from codeservices.objects.models import StoredObject

BUCKET = "results"
ZIP = {"type": "S3", "location": BUCKET, "path": "out", "namespaceType": "BUILD_ID", "name": "app", "packaging": "ZIP"}
FILES = {**ZIP, "packaging": "NONE", "artifactIdentifier": "docs", "name": "docs", "namespaceType": "NONE"}
S3_CACHE = {"type": "S3", "location": f"{BUCKET}/caches"}
LOCAL_CACHE = {"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]}


def spec(*commands: str, phase: str = "build", **blocks: Any) -> str:
    """A buildspec; JSON is YAML."""
    return json.dumps({"version": 0.2, "phases": {phase: {"commands": list(commands)}}, **blocks}, indent=1)


def build(alice, project: Project, *commands: str, phase: str = "build", **blocks: Any) -> Build:
    """A build of the project, run to its end."""
    overrides = blocks.pop("overrides", {})
    text = spec(*commands, phase=phase, **blocks)
    made = lifecycle.start_build(alice.principal, project.name, {"buildspecOverride": text, **overrides})
    tasks.run_build(made.pk)
    made.refresh_from_db()
    return made


def log_of(build: Build) -> str:
    return b"".join(download.whole(build, "raw")).decode()


def context_of(build: Build, phase: str = "UPLOAD_ARTIFACTS") -> dict[str, str]:
    return build.phases.get(phase_type=phase).contexts[0]


def keys() -> set[str]:
    return set(StoredObject.objects.values_list("key", flat=True))


def content(key: str) -> bytes:
    with pieces.reader(StoredObject.objects.get(key=key)) as file:
        return file.read()


def change(project: Project, **fields: Any) -> None:
    Project.objects.filter(pk=project.pk).update(**fields)
