"""Projects whose builds count, and the console that shows what they have counted."""

from __future__ import annotations

import urllib.parse
import urllib.request
import uuid
from http.cookiejar import CookieJar

from tests.fixtures.installation import Installation


def make_project(installation: Installation, buildspec: str) -> str:
    """A new project without a source; its name."""
    name = f"counting-{uuid.uuid4().hex[:8]}"
    installation.client("codebuild").create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": buildspec},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "codeservices/base",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=f"arn:aws:iam::{installation.admin['account_id']}:role/codebuild-service-role",
    )
    return name


class Console:
    """A browser's session, as urllib has it."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.opener.open(installation.url + "/sign-in/", timeout=20).read()
        token = next(cookie.value for cookie in self.jar if cookie.name == "codeservices_csrf")
        fields = {"username": installation.admin["username"], "password": installation.admin["password"]}
        body = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": token}).encode()
        self.opener.open(installation.url + "/sign-in/", body, timeout=20).read()

    def open(self, path: str, **headers: str):
        request = urllib.request.Request(self.installation.url + path, headers=headers)
        return self.opener.open(request, timeout=30)


def page(build: dict) -> str:
    return f"/projects/{build['projectName']}/builds/{build['buildNumber']}/"
