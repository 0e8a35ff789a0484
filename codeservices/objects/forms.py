"""The forms of buckets: make one, and upload an object."""

from __future__ import annotations

from django import forms

from codeservices.forms import ConsoleForm, code_attributes
from codeservices.objects.names import MAX_KEY_BYTES


class BucketForm(ConsoleForm):
    """A new bucket."""

    name = forms.CharField(
        max_length=63,
        help_text="3 to 63 lower-case letters, digits, periods and dashes. It can't be changed.",
        widget=forms.TextInput(attrs=code_attributes(placeholder="build-sources")),
    )


class UploadForm(ConsoleForm):
    """One file, and the key that it gets."""

    file = forms.FileField(allow_empty_file=True)
    folder = forms.CharField(
        required=False,
        max_length=MAX_KEY_BYTES,
        strip=False,
        help_text="What the key begins with, up to the last slash; empty for the bucket's root.",
        widget=forms.TextInput(attrs=code_attributes(placeholder="releases/")),
    )
    name = forms.CharField(
        required=False,
        max_length=MAX_KEY_BYTES,
        strip=False,
        help_text="The file's own where it is left empty.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    replaces = forms.BooleanField(required=False, label="Replace the object that has this key")

    def key(self) -> str:
        """The object's key."""
        given = self.cleaned_data
        folder: str = given["folder"]
        name: str = given["name"] or given["file"].name
        return f"{folder}/{name}" if folder and not folder.endswith("/") else f"{folder}{name}"
