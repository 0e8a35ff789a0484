"""Sources in the console's forms: a project's primary source, its secondary ones, and credentials of git servers."""

from __future__ import annotations

from typing import Any

from django import forms

from builds.models import Project
from builds.sources import credentials
from builds.sources import rules as source_rules
from builds.sources.logins import BASIC_AUTH, PERSONAL_ACCESS_TOKEN, SECRETS_MANAGER
from codeservices.forms import ConsoleForm, code_attributes
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from repos.models import Repository

# No repository is called so: a name begins with a letter, digit, dot or underscore.
ELSEWHERE, OBJECT_STORAGE = "-git", "-s3"
EMPTY_ROWS = 3
# What a source keeps of what it was, where its type stays; the form has no field for these.
_KEPT = ("auth", "sourceIdentifier")
SERVER_WORDS = {
    "GITHUB": "GitHub",
    "GITHUB_ENTERPRISE": "GitHub Enterprise Server, or another git server",
    "BITBUCKET": "Bitbucket",
    "GITLAB": "GitLab",
    "GITLAB_SELF_MANAGED": "GitLab on a server of one's own",
}
KIND_WORDS = {
    PERSONAL_ACCESS_TOKEN: "Access token",
    BASIC_AUTH: "User name and app password (Bitbucket)",
    SECRETS_MANAGER: "A secret that holds the token, by its ARN",
}
_FIELD_OF_MEMBER = {
    "source.location": "location",
    "source.type": "repository",
    "source.gitCloneDepth": "clone_depth",
    "source.auth": "git_type",
    "source.insecureSsl": "insecure_ssl",
    "source.gitSubmodulesConfig": "submodules",
    "sourceVersion": "source_version",
}


class SourceFields(ConsoleForm):
    """The part of a project's form that says what is built; needs `principal` and `project` before `set_up_sources`."""

    repository = forms.ChoiceField(required=False, label="Source")
    git_type = forms.ChoiceField(required=False, label="Server", choices=list(SERVER_WORDS.items()))
    location = forms.CharField(
        required=False,
        max_length=2100,
        label="Location",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    source_version = forms.CharField(
        required=False,
        label="Branch or version",
        max_length=source_rules.MAX_VERSION,
        help_text="A branch, a tag or a commit id; of an object its ETag. Empty means the default branch, or the object"
        " as it is.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    clone_depth = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=source_rules.MAX_DEPTH,
        label="Depth of the history",
        help_text="How many commits the build gets. Empty means all.",
    )
    submodules = forms.BooleanField(required=False, label="Fetch submodules")
    insecure_ssl = forms.BooleanField(
        required=False,
        label="Don't check the server's certificate",
        help_text="Whoever is between this server and that one can then read the token and change the source.",
    )

    def set_up_sources(self, principal: Principal, project: Project | None) -> None:
        """Fill in the repositories that this person may build from: a build shows what is in them."""
        names = [
            one.name
            for one in Repository.objects.order_by("name")
            if is_allowed(principal, "codecommit:GitPull", one.arn)
        ]
        present = project.repository_name if project is not None else ""
        if present and present not in names:
            names.insert(0, present)
        field = self.fields["repository"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            ("Repositories of this server", [(name, name) for name in names]),
            ("Elsewhere", [(ELSEWHERE, "A git repository by its URL"), (OBJECT_STORAGE, "Objects of a bucket")]),
            ("", "No source: the buildspec brings everything"),
        ]
        if names and project is None and "repository" in self.initial:
            self.initial["repository"] = self.initial["repository"] or names[0]

    def source_of(self, project: Project | None, origin: str) -> dict[str, Any]:
        """The ProjectSource of a valid form, without its buildspec; `origin` goes into the clone URL."""
        given = self.cleaned_data
        before = {} if project is None else project.source
        chosen = given["repository"]
        if not chosen:
            return {"type": "NO_SOURCE"}
        if chosen == OBJECT_STORAGE:
            return {"type": "S3", "location": given["location"].removeprefix("s3://")}
        if chosen == ELSEWHERE:
            source: dict[str, Any] = {"type": given["git_type"], "location": given["location"]}
            source |= {"insecureSsl": True} if given["insecure_ssl"] else {}
        elif project is not None and chosen == project.repository_name:
            source = {"type": "CODECOMMIT", "location": before["location"]}
        else:
            source = {"type": "CODECOMMIT", "location": Repository(name=chosen).clone_url(origin)}
        if before.get("type") == source["type"]:
            source |= {name: before[name] for name in _KEPT if name in before}
        if given["clone_depth"]:
            source["gitCloneDepth"] = given["clone_depth"]
        if given["submodules"]:
            source["gitSubmodulesConfig"] = {"fetchSubmodules": True}
        return source

    def field_of(self, member: str) -> str | None:
        """The field that shows a member of the API."""
        if member == "source.location" and self.cleaned_data.get("repository") not in (ELSEWHERE, OBJECT_STORAGE):
            return "repository"
        return _FIELD_OF_MEMBER.get(member)


def initial_source(project: Project) -> dict[str, Any]:
    """What the fields show of a project."""
    source = project.source
    kind = source.get("type", "")
    elsewhere = {"S3": OBJECT_STORAGE, "NO_SOURCE": "", "CODECOMMIT": project.repository_name}
    return {
        "repository": elsewhere.get(kind, ELSEWHERE),
        "git_type": kind if kind in SERVER_WORDS else "GITHUB",
        "location": source.get("location", "") if kind not in ("CODECOMMIT", "NO_SOURCE") else "",
        "source_version": project.source_version,
        "clone_depth": source.get("gitCloneDepth") or None,
        "submodules": (source.get("gitSubmodulesConfig") or {}).get("fetchSubmodules", False),
        "insecure_ssl": source.get("insecureSsl", False),
    }


class SecondaryForm(ConsoleForm):
    """One row of the table of secondary sources; a row without an identifier and a location is none."""

    identifier = forms.CharField(required=False, max_length=127, widget=forms.TextInput(attrs=code_attributes()))
    type = forms.ChoiceField(
        required=False,
        choices=[("CODECOMMIT", "This server"), ("S3", "Bucket"), *((one, one) for one in source_rules.GIT_TYPES)],
    )
    location = forms.CharField(required=False, max_length=2100, widget=forms.TextInput(attrs=code_attributes()))
    version = forms.CharField(
        required=False, max_length=source_rules.MAX_BUILD_VERSION, widget=forms.TextInput(attrs=code_attributes())
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs |= {"aria-label": f"{name.capitalize()} of secondary source"}
            if name != "type":
                field.widget.attrs["placeholder"] = name.capitalize()


class SecondaryFormSet(forms.BaseFormSet):
    """The table of secondary sources."""

    def members(self, project: Project | None) -> dict[str, Any]:
        """CreateProject's secondarySources and secondarySourceVersions of a valid table."""
        before = {} if project is None else {one["sourceIdentifier"]: one for one in project.secondary_sources}
        rows = [row for row in self.cleaned_data if row.get("identifier") or row.get("location")]
        sources, versions = [], []
        for row in rows:
            kept = before.get(row["identifier"], {})
            given = {"type": row["type"], "location": row["location"], "sourceIdentifier": row["identifier"]}
            sources.append({**kept, **given} if kept.get("type") == row["type"] else given)
            if row.get("version"):
                versions.append({"sourceIdentifier": row["identifier"], "sourceVersion": row["version"]})
        return {"secondarySources": sources, "secondarySourceVersions": versions}


def secondary_rows(data: Any = None, project: Project | None = None) -> SecondaryFormSet:
    """The table with some empty rows below. A form that was sent without the table leaves it as it is."""
    made: type[Any] = forms.formset_factory(
        SecondaryForm,
        formset=SecondaryFormSet,
        extra=EMPTY_ROWS,
        max_num=source_rules.MAX_SECONDARY,
        absolute_max=source_rules.MAX_SECONDARY,
    )
    versions = (
        {}
        if project is None
        else {one["sourceIdentifier"]: one["sourceVersion"] for one in project.secondary_source_versions}
    )
    initial = (
        []
        if project is None
        else [
            {
                "identifier": one["sourceIdentifier"],
                "type": one["type"],
                "location": one["location"],
                "version": versions.get(one["sourceIdentifier"], ""),
            }
            for one in project.secondary_sources
        ]
    )
    if data is not None and "secondary-TOTAL_FORMS" not in data:
        data = None
    rows: SecondaryFormSet = made(data, initial=initial, prefix="secondary")
    return rows


class CredentialForm(ConsoleForm):
    """A token for the git servers of one kind. It is never shown again, nor sent anywhere but to the host it is for."""

    server_type = forms.ChoiceField(label="Server", choices=list(SERVER_WORDS.items()))
    host = forms.CharField(
        required=False,
        max_length=255,
        label="Host",
        help_text="For a server of one's own: git.example.com, with the port where it is not 443.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    auth_type = forms.ChoiceField(
        label="Kind",
        choices=list(KIND_WORDS.items()),
    )
    username = forms.CharField(
        required=False,
        max_length=credentials.MAX_USER_NAME_CHARACTERS,
        label="User name",
        help_text="Only beside an app password.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    token = forms.CharField(
        max_length=credentials.MAX_TOKEN_CHARACTERS,
        label="Token, app password or ARN",
        error_messages={"required": "The token is required."},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
    )

    def members(self) -> dict[str, str]:
        """ImportSourceCredentials' members of a valid form, and the host."""
        given = self.cleaned_data
        names = {"server_type": "serverType", "auth_type": "authType"}
        return {names.get(name, name): value for name, value in given.items()}
