"""The console's forms for projects and builds. They shape what people type; builds/project_rules.py has the rules."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from builds import buildspec, compute, isolation, limit_rules, project_rules, projects, storage_forms
from builds.environment import PARAMETER_STORE, PLAINTEXT, SECRETS_MANAGER
from builds.images import catalogue
from builds.models import Priority, Project, Status
from builds.source_forms import SourceFields, initial_source
from builds.sources import rules as source_rules
from builds.storage_forms import StorageFields
from codeservices.forms import ConsoleForm, code_attributes, plain_attributes
from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import Role
from codeservices.iam.principal import Principal

EXTRA_VARIABLES = 2
MAX_VARIABLES = 200
EXAMPLE_BUILDSPEC = """version: 0.2
phases:
  build:
    commands:
      - echo "Hello from $CODEBUILD_BUILD_ID"
"""
# The member of CreateProject that a rule names, and the field that people see.
_FIELD_OF_MEMBER = {
    "name": "name",
    "description": "description",
    "environment.image": "image",
    "environment.computeType": "compute_type",
    "environment.environmentVariables": "variables",
    "environment.privilegedMode": "privileged",
    "environment.registryCredential": "registry_credential",
    "environment.registryCredential.credential": "registry_credential",
    "serviceRole": "service_role",
    "timeoutInMinutes": "timeout_minutes",
    "queuedTimeoutInMinutes": "queued_timeout_minutes",
    **storage_forms.FIELD_OF_MEMBER,
    "concurrentBuildLimit": "concurrent_build_limit",
    "autoRetryLimit": "auto_retry_limit",
    "priority": "priority",
}


class VariableForm(ConsoleForm):
    """One row of the table of environment variables; a row without a name is no variable."""

    name = forms.CharField(required=False, label="Name", max_length=255, widget=forms.TextInput())
    value = forms.CharField(required=False, label="Value", strip=False, max_length=51200)
    type = forms.ChoiceField(
        required=False,
        label="Kind",
        choices=((PLAINTEXT, "Value"), (PARAMETER_STORE, "Parameter"), (SECRETS_MANAGER, "Secret")),
        initial=PLAINTEXT,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"{field.label} of variable"
        for name in ("name", "value"):
            self.fields[name].widget.attrs |= code_attributes(placeholder=name.capitalize())


class VariableFormSet(forms.BaseFormSet):
    """The table of environment variables."""

    def variables(self) -> list[dict[str, str]]:
        """EnvironmentVariables of a valid table, in its order."""
        return [
            {"name": row["name"], "value": row.get("value", ""), "type": row.get("type") or PLAINTEXT}
            for row in self.cleaned_data
            if row.get("name")
        ]


def variable_rows(data: Any = None, variables: list[dict[str, str]] | None = None, *, more: int = 0) -> VariableFormSet:
    """The table with some empty rows below; `more` adds as many to what was posted."""
    made: type[Any] = forms.formset_factory(
        VariableForm, formset=VariableFormSet, extra=EXTRA_VARIABLES, max_num=MAX_VARIABLES, absolute_max=MAX_VARIABLES
    )
    if data is not None and more:
        data = data.copy()
        data["variables-TOTAL_FORMS"] = str(_count(data.get("variables-TOTAL_FORMS")) + more)
    rows: VariableFormSet = made(data, initial=variables, prefix="variables")
    return rows


class ProjectForm(SourceFields, StorageFields):
    """Make a project, or change its settings."""

    name = forms.CharField(
        max_length=150,
        help_text="2 to 150 letters, digits, dashes and underscores. It can't be changed later.",
        widget=forms.TextInput(attrs=plain_attributes(autofocus=True)),
    )
    description = forms.CharField(required=False, max_length=project_rules.MAX_DESCRIPTION)
    build_on_push = forms.BooleanField(required=False, label="Build on every push to this branch")
    image = forms.CharField(
        max_length=255,
        help_text="An image of this installation, or any that the build machine can pull.",
        widget=forms.TextInput(attrs=code_attributes(list="images")),
    )
    compute_type = forms.ChoiceField(label="Compute type")
    privileged = forms.BooleanField(
        required=False,
        label="Privileged",
        help_text="The build may run containers of its own. Only for code that you trust with the build machine.",
    )
    registry_credential = forms.CharField(
        required=False,
        label="Registry credential",
        max_length=2048,
        help_text="For a private image: the name of a secret, with username and password as JSON.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    buildspec_kind = forms.ChoiceField(
        label="Buildspec",
        choices=(("path", "A file in the repository"), ("inline", "Written here")),
        widget=forms.RadioSelect,
        initial="path",
    )
    buildspec_path = forms.CharField(
        required=False,
        label="Path of the file",
        max_length=1024,
        help_text="From the top of the repository. Empty means buildspec.yml.",
        widget=forms.TextInput(attrs=code_attributes(placeholder="buildspec.yml")),
    )
    buildspec_inline = forms.CharField(
        required=False,
        label="Buildspec",
        strip=False,
        max_length=256 * 1024,
        widget=forms.Textarea(attrs=code_attributes(rows=12)),
    )
    timeout_minutes = forms.IntegerField(
        label="Timeout (minutes)",
        initial=project_rules.DEFAULT_TIMEOUT_MINUTES,
        min_value=project_rules.TIMEOUT_MINUTES[0],
        max_value=project_rules.TIMEOUT_MINUTES[1],
    )
    queued_timeout_minutes = forms.IntegerField(
        label="Timeout in the queue (minutes)",
        initial=project_rules.DEFAULT_QUEUED_TIMEOUT_MINUTES,
        min_value=project_rules.QUEUED_TIMEOUT_MINUTES[0],
        max_value=project_rules.QUEUED_TIMEOUT_MINUTES[1],
    )
    concurrent_build_limit = forms.IntegerField(
        required=False,
        label="Builds at a time",
        min_value=1,
        max_value=100_000,
        help_text="Further builds wait until one of them ends. Empty means as many as there are workers.",
    )
    auto_retry_limit = forms.IntegerField(
        required=False,
        label="Automatic retries",
        min_value=0,
        max_value=limit_rules.MAX_AUTO_RETRIES,
        help_text="How often a build that failed is started again by itself.",
    )
    priority = forms.TypedChoiceField(
        required=False,
        coerce=int,
        empty_value=str(Priority.NORMAL.value),
        choices=Priority.choices,
        help_text="Builds of higher priority go first; among equal ones, projects take turns.",
    )
    cancels_superseded = forms.BooleanField(
        required=False,
        label="Stop superseded builds",
        help_text="A new build of a branch stops the older ones of that branch that wait or run.",
    )
    badge_enabled = forms.BooleanField(
        required=False,
        label="Status badge",
        help_text="A picture of the last build's status, for everybody who has its address.",
    )
    service_role = forms.ChoiceField(label="Service role", help_text="What the build may do.")

    def __init__(self, principal: Principal, *args: Any, project: Project | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        # The table of variables is beside the form; what is wrong with it stands above the table.
        self.variable_errors: list[str] = []
        self.source_errors: list[str] = []
        self.secondary_errors: list[str] = []
        if project is not None:
            del self.fields["name"]
        self.set_up_sources(principal, project)
        self._choose("compute_type", [(one.name, one.label) for one in compute.compute_types().values()])
        self._choose("service_role", [(role.arn, role.name) for role in Role.objects.all()])
        self.images = catalogue.curated()
        if not settings.BUILD_PRIVILEGED:
            # Whoever has it still may take it away.
            self.fields["privileged"].disabled = not (project and project.environment.get("privilegedMode"))
            self.fields["privileged"].help_text = f"{isolation.PRIVILEGED_OFF} {isolation.PRIVILEGED_HINT}"

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("name"):
            # The service would refuse it too, but only once everything else is right.
            try:
                project_rules.check_name(cleaned["name"])
            except project_rules.InvalidProject as error:
                self.add_project_error(error)
        if cleaned.get("buildspec_kind") == "inline":
            text = cleaned.get("buildspec_inline", "")
            if not text.strip():
                self.add_error("buildspec_inline", "Write the buildspec, or choose a file in the repository.")
            elif not buildspec.looks_inline(text):
                self.add_error("buildspec_inline", "This is no buildspec: its first line is “version: 0.2”.")
        return cleaned

    def fields_of_project(self, origin: str, variables: list[dict[str, str]]) -> dict[str, Any]:
        """CreateProject's members; `origin` ("https://host:8443") goes into the clone URL."""
        given = self.cleaned_data
        before = self.project
        environment = {
            **({} if before is None else before.environment),
            "type": "LINUX_CONTAINER",
            "image": given["image"],
            "computeType": given["compute_type"],
            "privilegedMode": given["privileged"],
            "environmentVariables": variables,
        }
        environment.pop("registryCredential", None)
        if given["registry_credential"]:
            environment["imagePullCredentialsType"] = "SERVICE_ROLE"
            environment["registryCredential"] = {
                "credential": given["registry_credential"],
                "credentialProvider": "SECRETS_MANAGER",
            }
        made: dict[str, Any] = {
            "description": given["description"],
            "source": self._source(origin),
            "sourceVersion": given["source_version"],
            "artifacts": self.artifacts_of_project(given.get("name") or (before.name if before else "")),
            "cache": self.cache_of_project(),
            "environment": environment,
            "serviceRole": given["service_role"],
            "timeoutInMinutes": given["timeout_minutes"],
            "queuedTimeoutInMinutes": given["queued_timeout_minutes"],
            "concurrentBuildLimit": given["concurrent_build_limit"] or limit_rules.NO_LIMIT,
            "autoRetryLimit": given["auto_retry_limit"] or 0,
            "priority": int(given["priority"]),
            "cancelsSuperseded": given["cancels_superseded"],
            "badgeEnabled": given["badge_enabled"],
        }
        if before is None:
            made["name"] = given["name"]
        return made

    def _source(self, origin: str) -> dict[str, Any]:
        given = self.cleaned_data
        source = self.source_of(self.project, origin)
        is_inline = given["buildspec_kind"] == "inline"
        text = given["buildspec_inline"].replace("\r\n", "\n") if is_inline else given["buildspec_path"].strip()
        return {**source, "buildspec": text} if text else source

    def add_project_error(self, error: project_rules.InvalidProject) -> None:
        """Tie a broken rule to the field that people see."""
        field: str | None = _FIELD_OF_MEMBER.get(error.field) or self.field_of(error.field)
        if error.field == "source.buildspec":
            is_inline = self.cleaned_data.get("buildspec_kind") == "inline"
            field = "buildspec_inline" if is_inline else "buildspec_path"
        sentences = list(error.problems) or [f"{error.message} {error.hint}".strip()]
        if error.field.startswith("secondaryArtifacts"):
            self.secondary_errors += sentences
            return
        if field == "variables":
            self.variable_errors += sentences
            return
        if error.field.startswith("secondarySource"):
            self.source_errors += sentences
            return
        self.add_error(field if field in self.fields else None, sentences)


def initial_of(project: Project | None, repository_name: str = "") -> dict[str, Any]:
    """What a form shows at first: a project's settings, or good ones for a new project."""
    if project is None:
        role = Role.objects.filter(name=SERVICE_ROLE_NAME).first()
        return {
            "repository": repository_name,
            "image": compute.DEFAULT_IMAGE,
            "compute_type": compute.DEFAULT_COMPUTE_TYPE,
            "build_on_push": True,
            **storage_forms.initial_of(None),
            "buildspec_inline": EXAMPLE_BUILDSPEC,
            "service_role": role.arn if role else "",
            "auto_retry_limit": 0,
            "priority": Priority.NORMAL,
        }
    text = project.source.get("buildspec", "")
    is_inline = buildspec.looks_inline(text)
    return {
        **initial_source(project),
        "description": project.description,
        "build_on_push": projects.push_trigger(project) is not None,
        "image": project.image,
        "compute_type": project.compute_type,
        "privileged": project.environment.get("privilegedMode", False),
        "registry_credential": (project.environment.get("registryCredential") or {}).get("credential", ""),
        "buildspec_kind": "inline" if is_inline else "path",
        "buildspec_path": "" if is_inline else text,
        "buildspec_inline": text if is_inline else EXAMPLE_BUILDSPEC,
        "timeout_minutes": project.timeout_minutes,
        "queued_timeout_minutes": project.queued_timeout_minutes,
        **storage_forms.initial_of(project),
        "concurrent_build_limit": project.concurrent_build_limit,
        "auto_retry_limit": project.auto_retry_limit,
        "priority": project.priority,
        "cancels_superseded": project.cancels_superseded,
        "badge_enabled": project.badge_enabled,
        "service_role": project.service_role_arn,
    }


class StartForm(ConsoleForm):
    """Start a build, with overrides for this one run."""

    def __init__(self, *args: Any, project: Project, **options: Any) -> None:
        super().__init__(*args, **options)
        # With a beginning of their own, since an identifier may be another field's name.
        self._secondary = {f"secondary-{one.identifier}": one for one in project.secondary}
        self.fields["source_version"] = _version_field("Branch, tag or commit", _meant(project.source_version))
        for name, one in self._secondary.items():
            where = one.repository_name or one.location
            self.fields[name] = _version_field(f"Version of {one.identifier}", f"Of {where}. {_meant(one.version)}")

    def secondary_fields(self) -> list[forms.BoundField]:
        """The fields of the secondary sources, to be shown below the primary one's."""
        return [self[name] for name in self._secondary]

    def clean(self) -> dict[str, Any]:
        for name in self._secondary:
            try:
                source_rules.check_version(self.cleaned_data.get(name) or "", member="secondarySourceVersions")
            except project_rules.InvalidProject as error:
                self.add_error(name, f"{error.message} {error.hint}".strip())
        return self.cleaned_data

    def overrides(self) -> dict[str, Any]:
        """What a valid form overrides, as members of StartBuild."""
        given = self.cleaned_data
        found: dict[str, Any] = {"sourceVersion": given["source_version"]} if given["source_version"] else {}
        versions = [
            {"sourceIdentifier": one.identifier, "sourceVersion": given[name]}
            for name, one in self._secondary.items()
            if given[name]
        ]
        return found | ({"secondarySourcesVersionOverride": versions} if versions else {})


class BuildFilterForm(ConsoleForm):
    """Which builds a list shows."""

    status = forms.ChoiceField(required=False, choices=(("", "Any status"), *Status.choices))
    project = forms.CharField(required=False, max_length=150)


def _version_field(label: str, help_text: str) -> forms.CharField:
    widget = forms.TextInput(attrs=code_attributes())
    maximum = source_rules.MAX_VERSION
    return forms.CharField(required=False, label=label, max_length=maximum, help_text=help_text, widget=widget)


def _meant(version: str) -> str:
    """What an empty field means, where this is the project's version."""
    if version:
        return f"Empty means {version}, as the project says."
    return "Empty means the default branch, or the object as it is."


def _count(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 6 else 0
