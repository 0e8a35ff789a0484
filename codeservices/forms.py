"""What every form of the console shares."""

from __future__ import annotations

from typing import Any

from django import forms


class ConsoleForm(forms.Form):
    """Labels without a colon behind them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


def plain_attributes(**more: Any) -> dict[str, Any]:
    """Attributes of an input whose text no browser completes, capitalizes or corrects, and whatever else it has."""
    return {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", **more}


def code_attributes(**more: Any) -> dict[str, Any]:
    """The same of an input for names and patterns, which is set in the type of code."""
    return plain_attributes(**{"class": "code", **more})
