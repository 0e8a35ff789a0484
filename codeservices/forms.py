"""What every form of the console shares."""

from __future__ import annotations

from typing import Any

from django import forms


class ConsoleForm(forms.Form):
    """Labels without a colon behind them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
