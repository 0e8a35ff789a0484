"""What a parameter may be called, and how one or a version of one is named in a request.

Source: AWS Systems Manager User Guide, "About requirements and constraints for parameter names"; API Reference,
PutParameter and GetParameter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from codeservices.errors import InvalidInput

MAX_LEVELS = 15
# An ARN has at most 2,048 characters, of which AWS keeps 1,037 for itself.
MAX_CHARACTERS = 1011
_NAME = re.compile(r"/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")
_PATH = re.compile(r"/|(?:/[A-Za-z0-9_.-]+)+/?")
_RESERVED = ("aws", "ssm")
_LABEL = re.compile(r"(?!(?i:aws|ssm))[A-Za-z_.-][A-Za-z0-9_.-]{0,99}")


def refused(sentence: str, hint: str = "") -> InvalidInput:
    """The error that Parameter Store has for values that break a rule."""
    return InvalidInput(sentence, code="ValidationException", hint=hint)


@dataclass(frozen=True)
class Reference:
    """A parameter as a request names it.

    Attributes:
        name: The name; of an ARN, what follows “parameter/”, which may stand for the same with a slash before it.
        selector: A version or a label, or empty.
        is_arn: Whether it was an ARN.
    """

    name: str
    selector: str = ""
    is_arn: bool = False

    @property
    def resource_name(self) -> str:
        return self.name.removeprefix("/")

    @property
    def version(self) -> int | None:
        """The selector as a number; None where it is a label or empty."""
        return int(self.selector) if self.selector.isascii() and self.selector.isdigit() else None


def check(text: str) -> str:
    """The name of a new parameter without blanks around it.

    Raises:
        InvalidInput: No parameter may have that name, or it has more than MAX_LEVELS levels.
    """
    name = text.strip()
    bare = name.removeprefix("/")
    if not _NAME.fullmatch(name) or bare.lower().startswith(_RESERVED):
        raise refused(
            'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive). If formed as a path, it can '
            "consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers "
            "and the following 3 symbols .-_",
            f"“{name[:100]}” can't.",
        )
    if len(name) > MAX_CHARACTERS:
        raise refused(f"Parameter name: has at most {MAX_CHARACTERS} characters, not {len(name)}.")
    if "/" in bare and not name.startswith("/"):
        raise refused("Parameter name must be a fully qualified name.", f"Begin it with a slash: /{name[:100]}.")
    if any(level in (".", "..") for level in bare.split("/")):
        raise refused("Parameter name: no level of it can be “.” or “..” on this server.")
    if bare.count("/") + 1 > MAX_LEVELS:
        raise InvalidInput(
            f"A hierarchy can have a maximum of {MAX_LEVELS} levels; “{name[:100]}” has {bare.count('/') + 1}.",
            code="HierarchyLevelLimitExceededException",
        )
    return name


def reference(text: str, account_id: str) -> Reference:
    """What a request's Name names: a name or an ARN of this account, either with “:VERSION” or “:LABEL” behind it.

    Raises:
        InvalidInput: No parameter can be called so.
    """
    text = text.strip()
    is_arn = text.startswith("arn:")
    if is_arn:
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[2] != "ssm" or parts[4] != account_id or not parts[5].startswith("parameter/"):
            raise refused(f"“{text[:200]}” is not the ARN of a parameter here.")
        text = parts[5].removeprefix("parameter/")
    name, separator, selector = text.partition(":")
    is_selector = bool(_LABEL.fullmatch(selector)) or (selector.isascii() and selector.isdigit() and len(selector) < 19)
    if not _NAME.fullmatch(name) or (separator and not is_selector):
        raise refused(
            f"Invalid parameter name: “{text[:200]}”.",
            "Name a parameter, or one version of it as NAME:VERSION or NAME:LABEL.",
        )
    return Reference(name, selector, is_arn)


def check_path(text: str) -> str:
    """The path that GetParametersByPath asks about, without a slash at its end ("" is the top); raises InvalidInput."""
    path = text.strip()
    if not _PATH.fullmatch(path):
        raise refused(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward "
            'slash "/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, '
            "numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not "
            'allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: '
            "/get/parameters2-/by1./path0_."
        )
    return path.rstrip("/")


def is_label(text: str) -> bool:
    """Whether a version may have that label."""
    return bool(_LABEL.fullmatch(text))


def is_below(name: str, path: str, *, is_recursive: bool) -> bool:
    """Whether a parameter lies under a path of `check_path`, directly or, where asked, further down."""
    full = name if name.startswith("/") else f"/{name}"
    if not full.startswith(f"{path}/"):
        return False
    return is_recursive or "/" not in full[len(path) + 1 :]
