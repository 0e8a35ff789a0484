"""What a newcomer is told when everything runs."""

from __future__ import annotations

import json
import os
from typing import Any

from deploy import places, say


def told() -> dict[str, Any]:
    """The contents of var/admin.json; empty where it is gone, as it should be after a while."""
    try:
        found = json.loads((places.var() / "admin.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def lines(admin: dict[str, Any], *, is_first: bool) -> list[str]:
    """The last lines of `make up`; secrets only the first time."""
    _, http_port = places.http_address()
    _, https_port = places.https_address()
    ca = places.var() / "tls" / "ca.pem"
    origin = admin.get("https_url") or f"https://localhost:{https_port}"
    text = [
        "",
        "Code Services is running.",
        f"  Console    http://127.0.0.1:{http_port}  (this machine only)",
        f"             {origin}  (authority to trust: {ca})",
    ]
    if not admin:
        return text
    if not is_first:
        return [*text, f"  Sign in    {admin['username']}; password and keys: {places.var() / 'admin.json'}"]
    return [
        *text,
        f"  Sign in    {admin['username']}  {admin['password']}",
        f"             also in {places.var() / 'admin.json'}, with the keys used below; remove it when you have them",
        "",
        "Try next:",
        f"  {_git()} clone -c http.sslCAInfo={ca} {origin}/v1/repos/sample",
        f"      username {admin['git_username']}",
        f"      password {admin['git_password']}",
        f"  export AWS_ACCESS_KEY_ID={admin['AccessKeyId']} AWS_SECRET_ACCESS_KEY={admin['SecretAccessKey']}",
        f"  export AWS_DEFAULT_REGION={admin['region']} AWS_ENDPOINT_URL={origin} AWS_CA_BUNDLE={ca}",
        "  aws codecommit create-repository --repository-name MyDemoRepo",
        "  aws codebuild start-build --project-name sample",
        "  make status    make logs    make down",
    ]


def _git() -> str:
    """git, without the variable that would overrule the authority that the command names."""
    return "env -u GIT_SSL_CAINFO git" if "GIT_SSL_CAINFO" in os.environ else "git"


def show(*, is_first: bool) -> None:
    """Print it."""
    for text in lines(told(), is_first=is_first):
        say.line(text)
