"""The parts of the project form about what a build leaves behind: artifacts and cache."""

from __future__ import annotations

from typing import Any

from django import forms

from builds import project_rules, projects
from builds.models import Project
from codeservices.forms import ConsoleForm, code_attributes

EXTRA_SECONDARY = 1
CACHE_CHOICES = (
    ("NO_CACHE", "None"),
    ("S3", "In the object store, for all build machines"),
    ("LOCAL", "On the build machine"),
)
PACKAGING_CHOICES = (("ZIP", "One ZIP"), ("NONE", "Single files"))


class StorageFields(ConsoleForm):
    """Fields of the project form."""

    artifacts = forms.BooleanField(
        required=False,
        label="Keep artifacts",
        help_text="The files that the buildspec's artifacts section names.",
    )
    artifact_bucket = forms.CharField(
        required=False,
        label="Bucket",
        max_length=63,
        help_text=f"Empty means {projects.ARTIFACT_BUCKET}.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    artifact_packaging = forms.ChoiceField(required=False, label="Packaging", choices=PACKAGING_CHOICES)
    artifact_path = forms.CharField(
        required=False,
        label="Path",
        max_length=project_rules.MAX_PATH_CHARACTERS,
        help_text="A folder of the bucket. Empty means its top.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    artifact_name = forms.CharField(
        required=False,
        label="Artifact name",
        max_length=255,
        help_text="Empty means the project's name, with .zip behind it where it is one.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    artifact_build_id = forms.BooleanField(
        required=False,
        label="A folder for each build",
        help_text="Otherwise every build replaces the artifact of the one before.",
    )
    artifact_override = forms.BooleanField(
        required=False,
        label="Let the buildspec name it",
        help_text="Its artifacts section may then give another name, which the build's shell expands.",
    )
    cache = forms.ChoiceField(
        required=False,
        label="Cache",
        choices=CACHE_CHOICES,
        help_text="The files that the buildspec's cache section names, for the next build.",
    )
    cache_location = forms.CharField(
        required=False,
        label="Bucket and prefix",
        max_length=project_rules.MAX_PATH_CHARACTERS,
        widget=forms.TextInput(attrs=code_attributes(placeholder="bucket/prefix")),
    )
    cache_namespace = forms.CharField(
        required=False,
        label="Namespace",
        max_length=project_rules.MAX_NAMESPACE_CHARACTERS,
        help_text="Projects with the same one share: each trusts what the others' builds leave.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    cache_custom = forms.BooleanField(required=False, label="The paths of the buildspec")
    cache_source = forms.BooleanField(
        required=False, label="Git metadata", help_text="Of sources on other servers; those on this one need none."
    )

    project: Project | None

    def artifacts_of_project(self, name: str) -> dict[str, Any]:
        """A ProjectArtifacts; members that the form doesn't know stay as they were."""
        given = self.cleaned_data
        if not given["artifacts"]:
            return {"type": "NO_ARTIFACTS"}
        before = dict(self.project.artifacts) if self.project and self.project.artifacts.get("type") == "S3" else {}
        packaging = given["artifact_packaging"] or "ZIP"
        made = {
            **before,
            "type": "S3",
            "location": given["artifact_bucket"].strip() or projects.ARTIFACT_BUCKET,
            "name": given["artifact_name"].strip() or (f"{name}.zip" if packaging == "ZIP" else name),
            "path": given["artifact_path"].strip(),
            "namespaceType": "BUILD_ID" if given["artifact_build_id"] else "NONE",
            "packaging": packaging,
            "overrideArtifactName": given["artifact_override"],
        }
        return {member: value for member, value in made.items() if value != ""}

    def cache_of_project(self) -> dict[str, Any]:
        """A ProjectCache."""
        given = self.cleaned_data
        kind = given["cache"] or "NO_CACHE"
        if kind == "S3":
            location = given["cache_location"].strip()
            return {"type": kind, "location": location, "cacheNamespace": given["cache_namespace"].strip()}
        if kind == "LOCAL":
            chosen = {"LOCAL_SOURCE_CACHE": given["cache_source"], "LOCAL_CUSTOM_CACHE": given["cache_custom"]}
            return {"type": kind, "modes": [mode for mode, is_on in chosen.items() if is_on]}
        return {"type": kind}


FIELD_OF_MEMBER = {
    "artifacts.location": "artifact_bucket",
    "artifacts.path": "artifact_path",
    "artifacts.name": "artifact_name",
    "cache.location": "cache_location",
    "cache.cacheNamespace": "cache_namespace",
    "cache.modes": "cache_custom",
}
CHECKBOXES = (
    "artifacts",
    "artifact_build_id",
    "artifact_override",
    "cache_custom",
    "cache_source",
)


def initial_of(project: Project | None) -> dict[str, Any]:
    """What these fields show at first."""
    if project is None:
        return {"artifacts": True, "artifact_build_id": True, "artifact_packaging": "ZIP", "cache_custom": True}
    artifacts, cache = project.artifacts, project.cache
    has_artifacts = artifacts.get("type") != "NO_ARTIFACTS"
    modes = cache.get("modes") or ["LOCAL_CUSTOM_CACHE"]
    return {
        "artifacts": has_artifacts,
        "artifact_bucket": artifacts.get("location", ""),
        "artifact_packaging": artifacts.get("packaging") or ("NONE" if has_artifacts else "ZIP"),
        "artifact_path": artifacts.get("path", ""),
        "artifact_name": artifacts.get("name", ""),
        "artifact_build_id": artifacts.get("namespaceType") == "BUILD_ID" or not has_artifacts,
        "artifact_override": artifacts.get("overrideArtifactName", False),
        "cache": cache.get("type", "NO_CACHE"),
        "cache_location": cache.get("location", ""),
        "cache_namespace": cache.get("cacheNamespace", ""),
        "cache_custom": "LOCAL_CUSTOM_CACHE" in modes,
        "cache_source": "LOCAL_SOURCE_CACHE" in modes,
    }


class SecondaryArtifactForm(ConsoleForm):
    """One row of the table of secondary artifacts; a row without an identifier is none."""

    artifactIdentifier = forms.CharField(required=False, label="Identifier", max_length=127)
    location = forms.CharField(required=False, label="Bucket", max_length=63)
    path = forms.CharField(required=False, label="Path", max_length=project_rules.MAX_PATH_CHARACTERS)
    name = forms.CharField(required=False, label="Name", max_length=255)
    packaging = forms.ChoiceField(required=False, label="Packaging", choices=PACKAGING_CHOICES)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"{field.label} of secondary artifact"
            if not isinstance(field, forms.ChoiceField):
                field.widget.attrs |= code_attributes(placeholder=field.label)


class SecondaryArtifactFormSet(forms.BaseFormSet):
    """The table of secondary artifacts."""

    def artifacts(self, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """ProjectArtifacts of a valid table; members that it doesn't know are those that each had `before`."""
        known = {one.get("artifactIdentifier"): one for one in before}
        made = []
        for row in self.cleaned_data:
            identifier = row.get("artifactIdentifier")
            if not identifier:
                continue
            kept = known.get(identifier, {"namespaceType": "BUILD_ID"})
            given = {name: row.get(name, "") for name in ("path", "name")}
            whole = {
                **kept,
                "type": "S3",
                "artifactIdentifier": identifier,
                "location": row.get("location") or projects.ARTIFACT_BUCKET,
                "packaging": row.get("packaging") or "ZIP",
                **given,
                "name": given["name"] or identifier,
            }
            made.append({member: value for member, value in whole.items() if value != ""})
        return made


def secondary_artifact_rows(
    data: Any = None, artifacts: list[dict[str, Any]] | None = None
) -> SecondaryArtifactFormSet:
    """The table with an empty row below; unbound where what was posted has no such table."""
    if data is not None and "secondary_artifacts-TOTAL_FORMS" not in data:
        data = None
    most = project_rules.MAX_SECONDARY_ARTIFACTS
    made: type[Any] = forms.formset_factory(
        SecondaryArtifactForm, formset=SecondaryArtifactFormSet, extra=EXTRA_SECONDARY, max_num=most, absolute_max=most
    )
    rows: SecondaryArtifactFormSet = made(data, initial=artifacts, prefix="secondary_artifacts")
    return rows
