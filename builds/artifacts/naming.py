"""Under which key of its bucket an artifact is stored: PATH/BUILD-ID/NAME.

Source: AWS CodeBuild API Reference, "ProjectArtifacts": path, namespaceType, name; User Guide, "artifacts.s3-prefix".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_KEY_BYTES = 1024  # Amazon S3 User Guide, "Object key names"
ROOT = "/"


def default_name(config: Mapping[str, Any], project_name: str) -> str:
    """A ProjectArtifacts' name, which is the project's where it has none."""
    return config.get("name") or project_name


def object_key(config: Mapping[str, Any], build_id: str, name: str, *, s3_prefix: str = "") -> str:
    """The object's key, or the folder of an artifact that isn't packed; "" is the bucket's root.

    Args:
        config: A ProjectArtifacts.
        build_id: The part of the build's id behind the colon.
        name: As `clean_name` gives it, or "/" for the folder above.
        s3_prefix: The buildspec's, which stands in for the path where the key has the build's id.
    """
    has_build_id = config.get("namespaceType") == "BUILD_ID"
    path = s3_prefix if s3_prefix and has_build_id else config.get("path", "")
    parts = [path, build_id if has_build_id else "", name]
    return "/".join(filter(None, (_clean(one) for one in parts)))


def clean_name(name: str) -> str:
    """A name as people or a shell gave it, as part of a key; "" where nothing is left of it."""
    return ROOT if name.strip() == ROOT else _clean(name)


def problem(key: str) -> str:
    """Why nothing can be stored under a key, in a sentence; "" where it can."""
    if len(key.encode("utf-8", "replace")) > MAX_KEY_BYTES:
        return f"the key has more than {MAX_KEY_BYTES:,} bytes"
    return ""


def _clean(text: str) -> str:
    """Names without those that mean another folder, and without characters that no key should have."""
    printable = "".join(letter for letter in text if letter.isprintable())
    return "/".join(part for part in printable.strip().split("/") if part not in ("", ".", ".."))
