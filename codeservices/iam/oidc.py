"""Sign-in through an OpenID Connect provider: the authorization code flow with PKCE, state and nonce.

Authlib speaks the protocol; what is believed is decided here. A person at the provider is known by issuer and subject
alone. Names and e-mail addresses change hands there, so they never lead to a user who is bound to somebody else.

Source: OpenID Connect Core 1.0, sections 3.1 and 3.1.3.7; OpenID Connect Discovery 1.0; RFC 7636 (PKCE).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.django_client import DjangoOAuth2App, OAuth
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from joserfc.errors import JoseError

from codeservices.errors import Conflict, ServiceError
from codeservices.iam import sessions, users
from codeservices.iam.authorize import authorize
from codeservices.iam.models import FederatedIdentity, User
from codeservices.iam.names import USER_NAME
from codeservices.iam.principal import Principal

# A provider that is slower than this leaves people in front of a blank page.
_TIMEOUT_SECONDS = 10
_LEEWAY_SECONDS = 60
# Signatures by a key pair alone: never "none", and never a secret that the client shares.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


class OidcError(ServiceError):
    """The provider, or what it says, can't be believed; the sentence is for the person who wanted to sign in."""

    code = "Failed authentication"
    status = 401


@dataclass(frozen=True)
class Identity:
    """Who the provider says has signed in there.

    Attributes:
        issuer, subject: The person, for ever.
        name: The claim that CODESERVICES_OIDC_USERNAME_CLAIM names; may be empty.
        email: May be empty, and is only written down for a user that is made from it.
        is_mfa_authenticated: Whether the provider asked for more than one factor (RFC 8176: amr has "mfa").
    """

    issuer: str
    subject: str
    name: str
    email: str
    is_mfa_authenticated: bool


class _App(DjangoOAuth2App):
    """Authlib's client, which believes the configured issuer alone and no weak signature."""

    def load_server_metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = super().load_server_metadata()
        if metadata.get("issuer") != settings.OIDC_ISSUER:
            raise OidcError("The identity provider calls itself by another name than CODESERVICES_OIDC_ISSUER has.")
        told = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [one for one in told if one in _ALGORITHMS]
        return metadata


class _OAuth(OAuth):
    oauth2_client_cls = _App


def is_configured() -> bool:
    """Whether people may sign in through a provider."""
    return bool(settings.OIDC_ISSUER)


def begin(request: HttpRequest, redirect_uri: str) -> HttpResponse:
    """Send the browser to the provider; the session keeps state, nonce and code verifier.

    Raises:
        OidcError: The provider does not answer, or not as one.
    """
    return _told(lambda: _app().authorize_redirect(request, redirect_uri))


def finish(request: HttpRequest) -> Identity:
    """Who came back from the provider.

    Raises:
        OidcError: State, code, signature, issuer, audience, nonce or time is wrong, or the provider refused.
    """
    claims_options = {
        "iss": {"essential": True, "values": [settings.OIDC_ISSUER]},
        "aud": {"essential": True, "values": [settings.OIDC_CLIENT_ID]},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "nonce": {"essential": True},
    }
    app = _app()
    # Authlib looks at a refusal first, and its words would be anybody's who makes a link to this server.
    if app.framework.get_state_data(request.session, request.GET.get("state", "")) is None:
        raise OidcError("This sign-in was not begun in this browser, or it is over already. Begin it again.")
    token = _told(lambda: app.authorize_access_token(request, claims_options=claims_options, leeway=_LEEWAY_SECONDS))
    claims = token.get("userinfo")
    if not claims:
        raise OidcError("The identity provider did not say who you are: its answer has no ID token.")
    amr = claims.get("amr")
    return Identity(
        issuer=settings.OIDC_ISSUER,
        subject=str(claims["sub"])[:255],
        name=_text(claims.get(settings.OIDC_USERNAME_CLAIM)),
        email=_text(claims.get("email")),
        is_mfa_authenticated=isinstance(amr, list) and "mfa" in amr,
    )


def find_user(identity: Identity) -> User | None:
    """The user who is bound to the person, or None."""
    bound = FederatedIdentity.objects.filter(issuer=identity.issuer, subject=identity.subject).select_related("user")
    found = bound.first()
    return found.user if found is not None else None


def namesake(identity: Identity) -> User | None:
    """The user of the same name, to be bound to the person; None where there is none.

    Raises:
        OidcError: Somebody else is bound to the user, or CODESERVICES_OIDC_LINK_BY_NAME does not allow it.
    """
    # User names are ASCII's. PostgreSQL takes an “ı” without its dot for an “I”, which is another person's name.
    is_name = bool(identity.name) and identity.name.isascii()
    user = User.objects.filter(name__iexact=identity.name).first() if is_name else None
    if user is None:
        return None
    if not settings.OIDC_LINK_BY_NAME or user.federated_identities.filter(issuer=identity.issuer).exists():
        raise OidcError(
            f"There is a user called {user.name} already, who is not bound to your account at the identity provider. "
            "An administrator can bind them."
        )
    return user


@transaction.atomic
def create_user(principal: Principal, identity: Identity) -> User:
    """A new user for the person, without any policy, where CODESERVICES_OIDC_CREATE_USERS allows it."""
    if not settings.OIDC_CREATE_USERS:
        raise OidcError("Nobody here is bound to your account at the identity provider. An administrator can bind it.")
    if not re.fullmatch(USER_NAME, identity.name) or not identity.name.isascii():
        raise OidcError(
            f"The identity provider calls you “{identity.name[:64]}”, which can't be a user name here: the claim "
            f"{settings.OIDC_USERNAME_CLAIM} must have 1 to 64 letters, digits or the characters _ + = , . @ -."
        )
    user = users.create_user(principal, identity.name, email=identity.email)
    bind(user, identity.issuer, identity.subject)
    return user


def bind(user: User, issuer: str, subject: str) -> None:
    """Let a person at the provider sign in as the user; raises Conflict where they are bound already."""
    try:
        with transaction.atomic():
            FederatedIdentity.objects.create(user=user, issuer=issuer, subject=subject)
    except IntegrityError:
        raise Conflict(f"{subject} of {issuer} is bound to a user already.", code="EntityAlreadyExists") from None


def unbind(principal: Principal, identity: FederatedIdentity) -> None:
    """Let a person at the provider sign in no more as the user; all sessions of the user end."""
    authorize(principal, "iam:UpdateLoginProfile", identity.user.arn)
    with transaction.atomic():
        identity.delete()
        sessions.end_all(identity.user)


def _app() -> _App:
    """A client that knows nothing yet: what the provider says of itself and its keys is asked for at each sign-in."""
    client_kwargs: dict[str, Any] = {
        "scope": settings.OIDC_SCOPES,
        "code_challenge_method": "S256",
        "default_timeout": _TIMEOUT_SECONDS,
    }
    if not settings.OIDC_CLIENT_SECRET:
        client_kwargs["token_endpoint_auth_method"] = "none"  # noqa: S105  the method of clients without a secret
    registry = _OAuth()
    registry.register(
        "provider",
        client_id=settings.OIDC_CLIENT_ID,
        client_secret=settings.OIDC_CLIENT_SECRET or None,
        server_metadata_url=f"{settings.OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs=client_kwargs,
    )
    return registry.create_client("provider")


def _told(ask: Any) -> Any:
    """Ask the provider, with whatever goes wrong told in a sentence."""
    try:
        return ask()
    except requests.RequestException as error:
        raise OidcError("The identity provider does not answer. Try again, or sign in with a password.") from error
    except AuthlibBaseError as error:
        reason = (error.description or error.error or "").rstrip(".")
        raise OidcError(f"The identity provider's answer was not accepted: {reason[:200]}.") from error
    except JoseError as error:
        reason = (error.description or error.error).rstrip(".")
        raise OidcError(f"The identity provider's ID token was not accepted: {reason[:200]}.") from error
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise OidcError("The identity provider's answer could not be read.") from error


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
