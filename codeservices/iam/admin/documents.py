"""The entry of a JSON document in forms of the admin panel."""

from __future__ import annotations

from typing import Any

from django import forms


class DocumentField(forms.CharField):
    """A policy document. Line ends are those of the stored text, so that what nobody edited is not changed."""

    def __init__(self, label: str = "JSON document", **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 22, "cols": 100, "spellcheck": "false", "class": "document"})
        super().__init__(label=label, widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(initial), data)
