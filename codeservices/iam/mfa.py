"""Second factors: authenticator apps (virtual MFA devices) and recovery codes. Console and API call these functions.

A user may have several devices; a code of any of them does. Recovery codes stand in for a device that is lost.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from codeservices.errors import Conflict, LimitExceeded, NotFound, ServiceError
from codeservices.iam import arn, names, rules, secrets, sessions, throttle, totp
from codeservices.iam.authorize import authorize
from codeservices.iam.models import MfaDevice, RecoveryCode, User
from codeservices.iam.own import authorize_own
from codeservices.iam.principal import Principal

# IAM and AWS STS quotas: MFA devices a user.
MAX_DEVICES = 8
RECOVERY_CODES = 10


class WrongCode(ServiceError):
    """A code proves nothing."""

    code = "InvalidAuthenticationCode"
    status = 403


def has_device(user: User) -> bool:
    """Whether sign-in asks the user for a second factor."""
    return user.mfa_devices.exists()


def is_right(user: User, code: str) -> bool:
    """Whether this is a code of one of the user's devices, or a recovery code, that was not used before; it is now."""
    typed = re.sub(r"[\s-]", "", code).lower()
    if re.fullmatch(rf"[0-9]{{{totp.DIGITS}}}", typed):
        return any(_use_code(device, typed) for device in user.mfa_devices.all())
    spelled = f"{typed[:5]}-{typed[5:]}"
    return bool(RecoveryCode.objects.filter(user=user, code_hash=secrets.keyed_hash(spelled)).delete()[0])


def create_device(
    principal: Principal, name: str, *, path: str = "/", tags: Mapping[str, str] | None = None
) -> tuple[MfaDevice, str]:
    """A device that is nobody's yet, and its secret in base32, which is shown only here."""
    tags = dict(tags or {})
    context = rules.tag_context(tags) if tags else None
    authorize(principal, "iam:CreateVirtualMFADevice", arn.mfa_arn(settings.ACCOUNT_ID, path, name), context)
    secret = totp.new_secret()
    device = MfaDevice(name=name, path=path, sealed_secret=secrets.seal(secret), tags=names.check_tags(tags))
    rules.save_new(device, f"MFADevice entity at the same path and name already exists: {name}.")
    return device, secret


def enable_device(principal: Principal, user: User, serial_number: str, first: str, second: str) -> None:
    """Give a device to a user, who proves with two codes in a row that it works.

    Raises:
        WrongCode: The codes are not two in a row of this device.
        Conflict: The device is somebody's already (EntityAlreadyExists).
        LimitExceeded: The user has MAX_DEVICES.
        NotFound: There is no such device (NoSuchEntity).
    """
    authorize_own(principal, "iam:EnableMFADevice", user)
    device = _device(serial_number)
    if device.user is not None:
        raise Conflict("MFA Device is already in use.", code="EntityAlreadyExists")
    with throttle.counted(user):
        step = _two_in_a_row(secrets.unseal(device.sealed_secret), first, second)
    with transaction.atomic():
        _check_room(user)
        taken = MfaDevice.objects.filter(pk=device.pk, user=None).update(
            user=user, enabled_at=timezone.now(), last_used_step=step
        )
        if not taken:
            raise Conflict("MFA Device is already in use.", code="EntityAlreadyExists")
        sessions.end_all(user)


def enrol(principal: Principal, user: User, secret: str, first: str, second: str) -> list[str]:
    """What the console does in one step: a new device with a secret that a page has shown, enabled for the user.

    Returns:
        Recovery codes, shown only here; none where the user has some already.

    Raises as `enable_device` does. The user's other sessions end.
    """
    authorize_own(principal, "iam:EnableMFADevice", user)
    with throttle.counted(user):
        step = _two_in_a_row(secret, first, second)
    with transaction.atomic():
        _check_room(user)
        device = MfaDevice(
            name=_free_name(user),
            user=user,
            sealed_secret=secrets.seal(secret),
            enabled_at=timezone.now(),
            last_used_step=step,
        )
        rules.save_new(device, "This device's name has just been taken. Try again.")
        sessions.end_all(user)
        return [] if user.recovery_codes.exists() else _issue_recovery_codes(user)


def renew_recovery_codes(principal: Principal, user: User, password: str, code: str) -> list[str]:
    """New recovery codes in place of the old ones, for somebody who proves password and device once more."""
    authorize_own(principal, "iam:EnableMFADevice", user)
    _prove_again(user, password, code)
    return _issue_recovery_codes(user)


def deactivate_own(principal: Principal, user: User, serial_number: str, password: str, code: str) -> None:
    """A person does without one of their devices, proving password and code once more; other sessions end.

    Raises:
        WrongCode: Password or code is not right.
        NotFound: The device is not the person's.
    """
    authorize_own(principal, "iam:DeactivateMFADevice", user)
    device = _device_of(user, serial_number)
    _prove_again(user, password, code)
    _remove(user, device)


def deactivate_device(principal: Principal, user: User, serial_number: str, *, keep: bool = False) -> None:
    """Take a device from a user, as an administrator does where it is lost.

    Args:
        keep: Whether it stays in the list as nobody's, as the API has it, until it is deleted.
    """
    authorize(principal, "iam:DeactivateMFADevice", user.arn)
    device = _device_of(user, serial_number)
    if keep:
        with transaction.atomic():
            MfaDevice.objects.filter(pk=device.pk).update(user=None, enabled_at=None, last_used_step=None)
            _after_removal(user)
    else:
        _remove(user, device)


def delete_device(principal: Principal, serial_number: str) -> None:
    """Remove a device that is nobody's; raises Conflict (DeleteConflict) where it is somebody's."""
    authorize(principal, "iam:DeleteVirtualMFADevice", serial_number)
    device = _device(serial_number)
    if device.user is not None:
        raise Conflict("Cannot delete an MFA device that is in use: deactivate it first.", code="DeleteConflict")
    device.delete()


def resync_device(principal: Principal, user: User, serial_number: str, first: str, second: str) -> None:
    """Check that a device still gives right codes; a clock that drifts further than the window is not followed."""
    authorize(principal, "iam:ResyncMFADevice", user.arn)
    device = _device_of(user, serial_number)
    with throttle.counted(user):
        step = _two_in_a_row(secrets.unseal(device.sealed_secret), first, second)
    _unused(device, step).update(last_used_step=step)


def list_devices(principal: Principal, user: User) -> QuerySet[MfaDevice]:
    """A user's devices; everybody may see their own."""
    authorize_own(principal, "iam:ListMFADevices", user)
    return user.mfa_devices.all()


def list_virtual_devices(principal: Principal, assignment: str = "Any") -> QuerySet[MfaDevice]:
    """The account's devices: "Assigned", "Unassigned" or "Any"."""
    authorize(principal, "iam:ListVirtualMFADevices", "*")
    found = MfaDevice.objects.select_related("user")
    return found if assignment == "Any" else found.filter(user__isnull=assignment == "Unassigned")


def _use_code(device: MfaDevice, code: str) -> bool:
    step = totp.matching_step(secrets.unseal(device.sealed_secret), code, timezone.now())
    if step is None:
        return False
    # Of two requests with the same code one finds the step used.
    return _unused(device, step).update(last_used_step=step) == 1


def _unused(device: MfaDevice, step: int) -> QuerySet[MfaDevice]:
    """The device, while neither that step's code nor a later one was used."""
    return MfaDevice.objects.filter(Q(last_used_step=None) | Q(last_used_step__lt=step), pk=device.pk)


def _two_in_a_row(secret: str, first: str, second: str) -> int:
    step = totp.follows(secret, first.strip(), second.strip(), timezone.now())
    if step is None:
        raise WrongCode("These are not two codes in a row of this device. Wait for the next code, and enter both.")
    return step


def _prove_again(user: User, password: str, code: str) -> None:
    with throttle.counted(user):
        # Both are looked at, so that the answer does not tell which was wrong; a code that was right is used up.
        is_password_right, is_code_right = user.check_password(password), is_right(user, code)
        if not (is_password_right and is_code_right):
            raise WrongCode("The password or the code is not right.")


def _check_room(user: User) -> None:
    User.objects.select_for_update().get(pk=user.pk)
    if user.mfa_devices.count() >= MAX_DEVICES:
        raise LimitExceeded(f"User {user.name} has {MAX_DEVICES} MFA devices already.", code="LimitExceeded")


def _free_name(user: User) -> str:
    taken = {name.lower() for name in MfaDevice.objects.values_list("name", flat=True)}
    names_in_turn = (f"{user.name}-{number}" if number > 1 else user.name for number in itertools.count(1))
    return next(name for name in names_in_turn if name.lower() not in taken)


def _issue_recovery_codes(user: User) -> list[str]:
    codes = [secrets.new_recovery_code() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        user.recovery_codes.all().delete()
        RecoveryCode.objects.bulk_create(RecoveryCode(user=user, code_hash=secrets.keyed_hash(code)) for code in codes)
    return codes


def _remove(user: User, device: MfaDevice) -> None:
    with transaction.atomic():
        device.delete()
        _after_removal(user)


def _after_removal(user: User) -> None:
    if not user.mfa_devices.exists():
        user.recovery_codes.all().delete()
    sessions.end_all(user)


def _device(serial_number: str) -> MfaDevice:
    name = serial_number.rpartition("/")[2]
    device = MfaDevice.objects.select_related("user").filter(name__iexact=name).first()
    if device is None or device.serial_number != serial_number:
        raise NotFound(f"VirtualMFADevice with serial number {serial_number} doesn't exist.", code="NoSuchEntity")
    return device


def _device_of(user: User, serial_number: str) -> MfaDevice:
    device = _device(serial_number)
    if device.user_id != user.pk:
        raise NotFound(f"MFA Device {serial_number} of user {user.name} doesn't exist.", code="NoSuchEntity")
    return device
