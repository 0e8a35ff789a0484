"""What the pages of topics share."""

from __future__ import annotations

from django import forms

from codeservices.audit.acts import current_act
from codeservices.errors import ServiceError

PAGE = 50


def told(form: forms.Form, error: ServiceError) -> None:
    """Tell of a refusal above the form, and in the trail."""
    act = current_act()
    if act is not None:
        act.fail(error)
    form.add_error(None, f"{error.message} {error.hint}".strip())
