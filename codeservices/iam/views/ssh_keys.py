"""SSH public keys of a user, one's own or, with the right, anybody's."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam import ssh_keys
from codeservices.iam.views.credentials import back


@require_POST
def ssh_key_upload(request: ConsoleRequest, name: str) -> HttpResponse:
    """Keep a public key for a user."""
    made = ssh_keys.upload(request.principal, name, request.POST.get("body", ""))
    messages.success(request, f"SSH public key {made.key_id} is kept. Its fingerprint is {made.fingerprint}.")
    return back(request, name)


@require_POST
def ssh_key(request: ConsoleRequest, name: str, key_id: str) -> HttpResponse:
    """Activate, deactivate or delete one key."""
    change = request.POST.get("change", "")
    if change == "delete":
        confirmed(request, key_id)
        ssh_keys.delete(request.principal, name, key_id)
        messages.success(request, f"SSH public key {key_id} is deleted; it stopped working at once.")
    else:
        ssh_keys.update(request.principal, name, key_id, change)
    return back(request, name)
