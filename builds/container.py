"""How programs in a build's container find this server and act as the build's role.

SDKs, the AWS CLI and git look into files and variables that are theirs by convention, so a buildspec need say nothing.
The credentials lie in a file and not in variables: `env`, crash reports and child processes don't spread a file.
AWS's own way, an address in the container's network that answers with credentials, would have to be plain HTTP on one
fixed address for all builds of a host, since SDKs trust no private authority there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import certifi
from django.conf import settings

from builds.runner import agent
from builds.runner.network import HOST_NAME
from codeservices import tls
from codeservices.iam.credentials import IssuedSession

CREDENTIALS = f"{agent.READONLY}/aws-credentials"
AUTHORITIES = f"{agent.READONLY}/authorities.pem"
GIT_LOGIN = f"{agent.READONLY}/git-credentials"
# The other verbs, store and erase, take no option and do nothing.
GIT_HELPER = '!f() { if [ "$1" = get ]; then aws codecommit credential-helper get --ignore-host-check; fi; }; f'


@dataclass(frozen=True)
class Access:
    """What a container needs to act as its role.

    Attributes:
        variables: Environment variables; those that a project or buildspec sets win.
        files: Contents by path.
        secrets: Values that the log must not show.
    """

    variables: Mapping[str, str]
    files: Mapping[str, bytes] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def endpoint() -> str:
    """The origin under which containers reach this server."""
    return settings.BUILD_ENDPOINT_URL or f"https://{HOST_NAME}:{settings.HTTPS_PORT}"


def access(
    session: IssuedSession,
    source_urls: Iterable[str],
    *,
    has_git_credential_helper: bool,
    logins: Mapping[str, tuple[str, str]] | None = None,
) -> Access:
    """The role's session as files and variables.

    Args:
        source_urls: The clone URLs of the build's sources on this server: fetches from their origins go to the endpoint
            instead.
        has_git_credential_helper: The buildspec asks that git signs in with these credentials.
        logins: User name and password by the origin of another git server; git gets them where the buildspec asks.
    """
    origin = endpoint()
    others = dict(logins or {}) if has_git_credential_helper else {}
    helpers = {place: f"{GIT_LOGIN}-{number}" for number, place in enumerate(others)}
    variables = {
        "AWS_ENDPOINT_URL": origin,
        "AWS_CA_BUNDLE": AUTHORITIES,
        "AWS_SHARED_CREDENTIALS_FILE": CREDENTIALS,
        **_git(_git_settings(origin, source_urls, has_git_credential_helper, helpers)),
    }
    lines = (
        "[default]",
        f"aws_access_key_id = {session.access_key_id}",
        f"aws_secret_access_key = {session.secret}",
        f"aws_session_token = {session.session_token}",
        "",
    )
    files = {CREDENTIALS: "\n".join(lines).encode(), AUTHORITIES: authorities()}
    for place, path in helpers.items():
        files[path] = "username={}\npassword={}\n".format(*others[place]).encode()
    passwords = tuple(password for _, password in (logins or {}).values())
    return Access(variables, files, (session.access_key_id, session.secret, session.session_token, *passwords))


def ca_bundle() -> Path | None:
    """The file of certificates that this host's builds trust, where one is set and there."""
    configured = Path(settings.BUILD_CA_BUNDLE) if settings.BUILD_CA_BUNDLE else None
    return configured if configured is not None and configured.is_file() else None


def authorities() -> bytes:
    """Certificates in PEM: those the host's builds trust, or else the public ones; and this server's own authority."""
    common = ca_bundle() or Path(certifi.where())
    own = tls.files(settings.TLS_ROOT).ca
    return b"\n".join(path.read_bytes() for path in (common, own) if path.is_file())


def _git_settings(
    origin: str, source_urls: Iterable[str], has_git_credential_helper: bool, helpers: Mapping[str, str]
) -> list[tuple[str, str]]:
    found = [(f"http.{origin}/.sslCAInfo", AUTHORITIES)]
    own_origins = sorted({origin_of(url) for url in source_urls} - {origin})
    found += [(f"url.{origin}/.insteadOf", f"{one}/") for one in own_origins]
    if has_git_credential_helper:
        found += [(f"credential.{origin}.helper", GIT_HELPER), (f"credential.{origin}.useHttpPath", "true")]
    told = '!f() {{ if [ "$1" = get ]; then cat {}; fi; }}; f'
    return [*found, *((f"credential.{place}.helper", told.format(path)) for place, path in helpers.items())]


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _git(found: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Git's settings as variables. Source: git-config(1), "GIT_CONFIG_COUNT"."""
    variables = {"GIT_CONFIG_COUNT": str(len(found))}
    for place, (key, value) in enumerate(found):
        variables |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
    return variables
