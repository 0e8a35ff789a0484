"""Virtual MFA devices: authenticator apps."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from codeservices.aws.dispatch import Call, operation
from codeservices.iam import mfa, totp
from codeservices.iam.aws.lists import listed, user_name_of
from codeservices.iam.models import MfaDevice, User
from codeservices.iam.users import find_user, user_for


@operation("iam", "CreateVirtualMFADevice")
def create_virtual_mfa_device(call: Call) -> dict[str, Any]:
    tags = {tag["Key"]: tag["Value"] for tag in call.params.get("Tags", [])}
    name = call.params["VirtualMFADeviceName"]
    device, secret = mfa.create_device(call.principal, name, path=call.params.get("Path", "/"), tags=tags)
    picture = totp.picture_png(totp.uri(secret, name, f"Code Services {settings.ACCOUNT_ID}"))
    return {"VirtualMFADevice": {**_device(device), "Base32StringSeed": secret.encode(), "QRCodePNG": picture}}


@operation("iam", "EnableMFADevice")
def enable_mfa_device(call: Call) -> None:
    user = _user(call, "iam:EnableMFADevice")
    mfa.enable_device(call.principal, user, *_device_and_codes(call))


@operation("iam", "ResyncMFADevice")
def resync_mfa_device(call: Call) -> None:
    user = _user(call, "iam:ResyncMFADevice")
    mfa.resync_device(call.principal, user, *_device_and_codes(call))


@operation("iam", "DeactivateMFADevice")
def deactivate_mfa_device(call: Call) -> None:
    """The device stays in the list as nobody's until it is deleted."""
    user = _user(call, "iam:DeactivateMFADevice")
    mfa.deactivate_device(call.principal, user, call.params["SerialNumber"], keep=True)


@operation("iam", "DeleteVirtualMFADevice")
def delete_virtual_mfa_device(call: Call) -> None:
    mfa.delete_device(call.principal, call.params["SerialNumber"])


@operation("iam", "ListMFADevices")
def list_mfa_devices(call: Call) -> dict[str, Any]:
    devices = mfa.list_devices(call.principal, _user(call, "iam:ListMFADevices")).select_related("user")
    return listed(call, "MFADevices", devices, _by_age, _enabled_device)


@operation("iam", "ListVirtualMFADevices")
def list_virtual_mfa_devices(call: Call) -> dict[str, Any]:
    devices = mfa.list_virtual_devices(call.principal, call.params.get("AssignmentStatus", "Any"))
    return listed(call, "VirtualMFADevices", devices, _by_age, _device)


def _user(call: Call, action: str) -> User:
    """The user whose device a call is about: one's own needs no policy to be found."""
    name = user_name_of(call)
    if call.principal.kind == "user" and call.principal.name.lower() == name.lower():
        return find_user(name)
    return user_for(call.principal, action, name)


def _enabled_device(device: MfaDevice) -> dict[str, Any]:
    assert device.user is not None
    return {
        "UserName": device.user.name,
        "SerialNumber": device.serial_number,
        "EnableDate": device.enabled_at,
    }


def _device(device: MfaDevice) -> dict[str, Any]:
    user = device.user
    owner = (
        {
            "Path": user.path,
            "UserName": user.name,
            "UserId": user.user_id,
            "Arn": user.arn,
            "CreateDate": user.created_at,
        }
        if user
        else None
    )
    return {"SerialNumber": device.serial_number, "EnableDate": device.enabled_at, "User": owner}


def _by_age(device: MfaDevice) -> str:
    return f"{device.created_at.isoformat()} {device.pk}"


def _device_and_codes(call: Call) -> tuple[str, str, str]:
    """Which device, and the two codes in a row that prove it."""
    params = call.params
    return params["SerialNumber"], params["AuthenticationCode1"], params["AuthenticationCode2"]
