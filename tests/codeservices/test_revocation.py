"""Temporary credentials ended before their time, SSH keys switched off, and inline policies, through their services."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from codeservices.errors import AccessDenied, NotFound
from codeservices.iam import attachments, revocation, ssh_keys
from codeservices.iam.models import Group, SshPublicKey, TemporaryCredential
from tests.codeservices.behind_doors import DOCUMENT

pytestmark = pytest.mark.django_db


def test_a_temporary_credential_ends_once_and_for_those_who_may_take_keys_away(alice, bob, carol):
    made = TemporaryCredential.objects.create(user=bob, expires_at=timezone.now() + timedelta(hours=1))
    with pytest.raises(AccessDenied, match="iam:DeleteAccessKey"):
        revocation.end_temporary_credential(carol.principal, made.access_key_id)
    revocation.end_temporary_credential(alice.principal, made.access_key_id)
    assert not TemporaryCredential.objects.exists()
    with pytest.raises(NotFound, match=made.access_key_id):
        revocation.end_temporary_credential(alice.principal, made.access_key_id)


def test_an_ssh_key_is_switched_off_and_removed_by_its_users_name(alice, bob, carol):
    key = SshPublicKey.objects.create(user=bob, body="ssh-ed25519 AAAA", fingerprint=":".join(["ab"] * 16))
    ssh_keys.update(alice.principal, "bob", key.key_id, "Inactive")
    key.refresh_from_db()
    assert key.status == "Inactive"
    with pytest.raises(NotFound, match="Public Key"):
        ssh_keys.delete(alice.principal, "carol", key.key_id)
    ssh_keys.delete(alice.principal, "bob", key.key_id)
    assert not SshPublicKey.objects.exists()


def test_an_inline_policy_needs_one_owner_and_no_more(alice):
    group = Group.objects.create(name="team")
    made = attachments.put_inline(alice.principal, attachments.GROUP, "team", "mine", DOCUMENT)
    assert made.owner == group and made.document == DOCUMENT
