"""Forms of commits made in the browser. The rules are those of rules.py and git/paths.py."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from codeservices.forms import ConsoleForm
from repos.editing.tips import Target
from repos.forms import checked, plain_input
from repos.git import refs

HERE, NEW = "here", "new"


class CommitForm(ConsoleForm):
    """What every commit asks: its message, and which branch it goes on."""

    message = forms.CharField(
        required=False,
        label="Commit message",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "true"}),
    )
    where = forms.ChoiceField(label="Commit to", widget=forms.RadioSelect, required=False)
    new_branch = forms.CharField(required=False, label="New branch", max_length=1000, widget=plain_input())
    odd_name = forms.BooleanField(required=False, label="Use this name all the same")

    def __init__(self, *args: Any, branch: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.branch = branch
        self.asks_name = False  # whether a name has to be ticked, since it reads otherwise than it is
        self.fields["where"].choices = [  # type: ignore[attr-defined]
            (HERE, f"The branch {refs.shown(branch)}"),
            (NEW, "A new branch, which begins here"),
        ]
        self.initial.setdefault("where", HERE)

    def clean(self) -> dict[str, Any]:
        """A new branch has a name."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("where") == NEW:
            try:
                checked(refs.check_branch_name, cleaned.get("new_branch", ""))
            except ValidationError as error:
                self.add_error("new_branch", error)
        return cleaned

    @property
    def target(self) -> Target:
        """Where the commit goes, as a valid form says."""
        is_new = self.cleaned_data.get("where") == NEW
        return Target(self.branch, self.cleaned_data["new_branch"] if is_new else "")


class FileForm(CommitForm):
    """A file: where it is, and its text."""

    path = forms.CharField(
        label="Path", max_length=5000, help_text="Folders stand before the name, as in docs/guide.md.",
        error_messages={"required": "A path is required."}, widget=plain_input(),
    )  # fmt: skip
    content = forms.CharField(
        required=False,
        label="Text",
        strip=False,
        widget=forms.Textarea(
            attrs={"class": "code", "rows": 24, "spellcheck": "false", "wrap": "off", "autocapitalize": "off",
                   "autocomplete": "off", "data-code-editor": ""}
        ),
    )  # fmt: skip


class MultipleFileInput(forms.ClearableFileInput):
    """A field for any number of files."""

    allow_multiple_selected = True


class UploadForm(CommitForm):
    """Files from the person's own machine, and the folder they go into."""

    folder = forms.CharField(
        required=False, label="Into the folder", max_length=5000, help_text="Empty for the root.", widget=plain_input()
    )
    uploads = forms.FileField(required=False, label="Files", widget=MultipleFileInput(attrs={"data-upload-files": ""}))


class PickForm(CommitForm):
    """Which branch a commit is reverted on or applied to."""

    onto = forms.CharField(label="Branch", max_length=1000, widget=plain_input())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["where"].choices = [  # type: ignore[attr-defined]
            (HERE, "That branch"),
            (NEW, "A new branch, which begins there"),
        ]

    def clean_onto(self) -> str:
        """The name by the rules of branches."""
        return checked(refs.check_branch_name, self.cleaned_data["onto"])

    @property
    def target(self) -> Target:
        """The branch that was typed, or a new one that begins there."""
        return Target(self.cleaned_data["onto"], super().target.new_branch)
