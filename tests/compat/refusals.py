"""What a client of ours hears when it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refusal(function: Callable[..., Any], **params: Any) -> tuple[str, int, str]:
    """Code, status and sentence of a call that has to be refused."""
    with pytest.raises(ClientError) as caught:
        function(**params)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def refused(function: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """Code and sentence of a call that has to be refused with the status 400, as JSON services refuse everything."""
    code, status, sentence = refusal(function, **params)
    assert status == 400
    return code, sentence
