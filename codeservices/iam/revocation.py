"""End temporary credentials before their time."""

from __future__ import annotations

from codeservices.errors import NotFound
from codeservices.iam.authorize import authorize
from codeservices.iam.models import TemporaryCredential
from codeservices.iam.principal import Principal

# AWS has no operation for it: there, sessions are outlived or their role is denied. Taking a key away is the nearest.
ACTION = "iam:DeleteAccessKey"


def owner_arn(credential: TemporaryCredential) -> str:
    """The ARN of the user or role whose session it is: acts on it are decided there."""
    owner = credential.user or credential.role
    assert owner is not None  # a constraint of the table
    return owner.arn


def end_temporary_credential(principal: Principal, access_key_id: str) -> None:
    """The very next request signed with it is refused; raises NotFound where it has ended already."""
    found = TemporaryCredential.objects.select_related("user", "role").filter(access_key_id=access_key_id).first()
    authorize(principal, ACTION, owner_arn(found) if found else "*")
    if found is None:
        raise NotFound(f"The temporary credential with id {access_key_id} cannot be found.", code="NoSuchEntity")
    found.delete()
