"""The master key is changed under a running server: nothing becomes unreadable, and the old key is needed nowhere."""

from __future__ import annotations

import fcntl
import os
import stat
from io import StringIO
from pathlib import Path

import pytest
from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management import CommandError, call_command
from django.urls import reverse

from codeservices import key_rotation, keys, master_key, registry
from codeservices.audit import chain
from codeservices.audit.models import Event
from codeservices.env import SettingError
from codeservices.iam import credentials, secrets
from codeservices.iam.models import AccessKey
from codeservices.secretstore.models import ParameterVersion, SecretVersion
from codeservices.secretstore.parameters import values
from codeservices.secretstore.secrets_manager.versions import content_of
from tests.factories import SERVICE
from tests.killing import dies, kill_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path: Path) -> Path:
    """The folder of an installation's keys, with its first master key."""
    settings.MASTER_KEY, settings.HASH_KEY, settings.KEYS_ROOT = "", "", tmp_path
    keys.load_or_create(tmp_path / "master_key", keys.new_master_key)
    return tmp_path


@pytest.fixture
def stored(alice) -> dict[str, str]:
    """What was encrypted and hashed under the first key, as whoever it belongs to knows it."""
    from codeservices.secretstore.parameters.writing import Wanted, put_parameter
    from codeservices.secretstore.secrets_manager.versions import Content
    from codeservices.secretstore.secrets_manager.writing import create_secret

    put_parameter(SERVICE, Wanted("/shop/password", "parameter", type="SecureString"))
    create_secret(SERVICE, "shop/db", Content.of("secret", None), version_id="1" * 32)
    _, secret = credentials.issue_access_key(alice)
    _, password = credentials.issue_git_credential(alice)
    return {"secret": secret, "password": password, "chain": chain.checkpoint_mac(7, "a")}


def check(alice, stored: dict[str, str]) -> None:
    """All of it is what it was."""
    assert secrets.unseal(AccessKey.objects.get().encrypted_secret) == stored["secret"]
    assert values.value_of(ParameterVersion.objects.get()) == "parameter"
    assert content_of(SecretVersion.objects.get()).data == b"secret"
    assert secrets.matches(stored["password"], alice.git_credentials.get().password_hash)
    assert chain.checkpoint_mac(7, "a") == stored["chain"]


def run(*arguments: str) -> str:
    said = StringIO()
    call_command("rotate_master_key", *arguments, stdout=said, stderr=said)
    return said.getvalue()


def test_every_value_follows_the_new_key_and_the_old_one_is_needed_nowhere(alice, stored, folder):
    old = (folder / "master_key").read_text().strip()
    assert run().endswith("Encrypted 3 values anew; the old key still decrypts; retire it with --retire.\n")
    assert master_key.in_force()[1:] == (old,) and len(master_key.in_force()) == 2
    check(alice, stored)
    # A process wrote back a row that it had read before.
    row = AccessKey.objects.get()
    row.encrypted_secret = _sealed_with(old, stored["secret"])
    row.save()
    assert run("--retire").endswith("Encrypted 1 values anew; the old keys are retired.\n")
    (new,) = master_key.in_force()
    assert new != old and old not in (folder / "master_key").read_text()
    check(alice, stored)
    for name in ("master_key", "hash_key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    told = Event.objects.filter(event_source="kms.amazonaws.com").order_by("pk")
    assert [one.event_name for one in told] == ["RotateMasterKey", "RetireMasterKey"]


def test_a_second_change_keeps_the_first_key_for_hashes(alice, stored, folder):
    first = (folder / "master_key").read_text()
    for _ in range(2):
        run()
        run("--retire")
    check(alice, stored)
    assert (folder / "hash_key").read_text() == first


def test_a_process_that_runs_reads_and_writes_with_the_new_key_at_once(folder):
    before = secrets.seal("before")
    new = keys.new_master_key()
    keys.load_or_create(folder / "hash_key", master_key.hash_key)
    keys.replace(folder / "master_key", f"{new}\n{master_key.in_force()[0]}")
    assert secrets.unseal(before) == "before"
    after = secrets.seal("after")
    keys.replace(folder / "master_key", new)
    assert secrets.unseal(after) == "after"
    with pytest.raises(InvalidToken):
        secrets.unseal(before)


def test_every_encrypted_column_of_the_database_is_registered():
    found = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.name.startswith(("sealed_", "encrypted_"))
    }
    assert {str(one) for one in registry.sealed_columns} == found


def test_what_no_key_decrypts_is_counted_and_stays_as_it_is(alice, stored):
    lost = _sealed_with(keys.new_master_key(), "lost")
    AccessKey.objects.update(encrypted_secret=lost)
    assert "iam.AccessKey.encrypted_secret: 1 values can be decrypted with none of the keys" in run()
    assert AccessKey.objects.get().encrypted_secret == lost


def test_what_is_empty_has_nothing_to_encrypt():
    assert secrets.reseal("") is None


def test_bytes_in_a_column_follow_as_text_does(folder):
    from builds.models import SourceCredential

    old = secrets.seal("token").encode()
    row = SourceCredential.objects.create(server_type="GITHUB", auth_type="PERSONAL_ACCESS_TOKEN", encrypted_token=old)
    key_rotation.rotate()
    row.refresh_from_db()
    assert bytes(row.encrypted_token) != old and secrets.unseal(bytes(row.encrypted_token).decode()) == "token"


def test_one_key_is_not_retired_and_two_processes_do_not_change_it_at_once(folder):
    with pytest.raises(CommandError, match="There is one master key only"):
        run("--retire")
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(CommandError, match="Another process is changing the master key"):
            run()
    finally:
        os.close(descriptor)
    assert len(master_key.in_force()) == 1


def test_keys_of_the_environment_are_changed_by_whoever_set_them(alice, stored, settings, folder):
    settings.MASTER_KEY = first = (folder / "master_key").read_text().strip()
    with pytest.raises(CommandError, match="CODESERVICES_MASTER_KEY, which this command can't change"):
        run()
    settings.MASTER_KEY = f"{keys.new_master_key()},{first}"
    with pytest.raises(SettingError, match="CODESERVICES_HASH_KEY must say"):
        master_key.hash_key()
    settings.HASH_KEY = first
    assert "Encrypted 3 values anew" in run()
    run("--retire")
    settings.MASTER_KEY = settings.MASTER_KEY.partition(",")[0]
    check(alice, stored)


def test_what_a_session_holds_under_a_retired_key_is_made_anew(alice_client, folder):
    url = reverse("iam:mfa_enrol")
    shown = alice_client.get(url).context["secret"]
    run()
    run("--retire")
    answer = alice_client.post(url, {"first_code": "123456", "second_code": "654321"})
    assert answer.status_code == 200 and answer.context["secret"] not in ("", shown)


@pytest.mark.parametrize("text", ["", " , ", "short", "A" * 44, f"{'A' * 43}= short"])
def test_a_text_that_holds_no_key_is_refused(text: str):
    with pytest.raises(ValueError):
        keys.master_keys(text)


@pytest.mark.django_db(transaction=True)
def test_killed_at_each_of_its_steps_it_goes_on_when_it_is_run_again(alice, stored, folder):
    points = [
        (keys, "load_or_create", 1, True),
        (keys, "replace", 1, False),
        (keys, "replace", 1, True),
        (key_rotation, "_reseal_row", 1, True),
        (key_rotation, "_reseal_row", 2, False),
        (key_rotation, "_reseal_row", 2, True),
    ]
    for where, name, number, is_after in points:
        with pytest.MonkeyPatch.context() as patched:
            kill_in(patched, where, name, number=number, is_after=is_after)
            dies(key_rotation.rotate)
        check(alice, stored)
    assert len(master_key.in_force()) == 2, "a change that was begun is gone on with, and none begun beside it"
    for is_after in (False, True):
        with pytest.MonkeyPatch.context() as patched:
            kill_in(patched, keys, "replace", is_after=is_after)
            dies(key_rotation.retire)
        check(alice, stored)
    assert len(master_key.in_force()) == 1
    assert {one.name for one in folder.iterdir() if not one.name.startswith(".")} == {"master_key", "hash_key"}


def _sealed_with(key: str, text: str) -> str:
    from cryptography.fernet import Fernet

    return Fernet(key).encrypt(text.encode()).decode()
