"""Who is asking: the value that every door hands to `authorize`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["user", "role", "service", "anonymous"]


@dataclass(frozen=True)
class Principal:
    """An authenticated caller, or nobody.

    Attributes:
        kind: "user" (a person or their keys), "role" (a session of a role, as builds have), "service" (this
            server's own work, such as a scheduled task) or "anonymous".
        arn: The caller's ARN; for a role's session the `assumed-role` form of STS.
        account_id: Twelve digits.
        principal_id: AIDA…, or AROA…:SESSION for a role's session.
        name: User or role name, for people to read.
        user_pk, role_pk: The row whose policies decide.
        access_key_id: The key that signed the request, where one did.
        session_name: The role session's name.
        tags: Key and value pairs that policies see as aws:PrincipalTag; a session's beat its role's.
        role_arn: Of a role's session, the role's own ARN.
        session_policies: JSON documents that bound a session of temporary credentials: together they must allow too.
        session_context: Condition keys and values that the service which began the session gave it.
        session_started_at: When the temporary credentials were issued; None for long-term ones.
        is_mfa_authenticated: Whether a second factor proved who this is.
    """

    kind: Kind
    arn: str
    account_id: str
    principal_id: str
    name: str
    user_pk: int | None = None
    role_pk: int | None = None
    access_key_id: str = ""
    session_name: str = ""
    role_arn: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    session_policies: tuple[str, ...] = ()
    session_context: tuple[tuple[str, str], ...] = ()
    session_started_at: datetime | None = None
    is_mfa_authenticated: bool = False

    @property
    def is_anonymous(self) -> bool:
        return self.kind == "anonymous"

    @staticmethod
    def anonymous(account_id: str = "") -> Principal:
        """Nobody: every decision about it is a denial."""
        return Principal("anonymous", "anonymous", account_id, "", "anonymous")
