"""Changing the master key while the server runs.

A new key is written before the old one in var/keys/master_key: it encrypts from then on, and both decrypt. Then every
stored value is encrypted anew. Nothing of it is remembered elsewhere, so that a change that was interrupted at any
point is taken up by beginning again: whether a value has been done is seen by whether the new key decrypts it.

The old key stays until it is retired by a second command, since a process may hold a row that it read before and write
it back as it was. Where the keys come from CODESERVICES_MASTER_KEY, on many machines, whoever runs them changes the
variable, and only the encrypting is done here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db.models import Model

from codeservices import keys, master_key, registry
from codeservices.errors import Conflict, ServiceError
from codeservices.registry import SealedColumn

BATCH_ROWS = 200


@dataclass
class Outcome:
    """What a walk over all values came to.

    Attributes:
        resealed: How many values were encrypted anew.
        unreadable: Of each column, how many values no key decrypts: of an installation whose key was lost.
    """

    resealed: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)


def rotate() -> Outcome:
    """Make a new key the one that encrypts, unless a change has been begun already, and encrypt every value with it.

    Raises:
        Conflict: Another process is at it, or the key comes from the environment, which has no new one yet.
    """
    with _alone():
        if len(master_key.in_force()) == 1:
            if settings.MASTER_KEY:
                raise Conflict(
                    "The master key comes from CODESERVICES_MASTER_KEY, which this command can't change.",
                    hint="Put a new key before the present one, on every machine, as docs/operations.md tells.",
                )
            _begin()
        return reseal()


def retire() -> Outcome:
    """Encrypt what is not yet encrypted with the new key, and forget the old ones.

    Raises:
        Conflict: Another process is at it, or there is one key only.
    """
    with _alone():
        if len(master_key.in_force()) == 1:
            raise Conflict("There is one master key only: none is to be retired.")
        outcome = reseal()
        if not settings.MASTER_KEY:
            keys.replace(master_key.path(), master_key.in_force()[0])
        return outcome


def reseal() -> Outcome:
    """Encrypt every stored value with the first key; again and again, until a walk finds nothing to do."""
    outcome = Outcome()
    while True:
        before, outcome.unreadable = outcome.resealed, {}
        for column in registry.sealed_columns:
            for row in _rows(column.model):
                _reseal_row(column, row, outcome)
        if outcome.resealed == before:
            return outcome


def _begin() -> None:
    """The order counts: with the first change the key of hashes would be lost if it did not lie by itself before."""
    if not settings.HASH_KEY and not master_key.hash_key_path().exists():
        keys.load_or_create(master_key.hash_key_path(), master_key.hash_key)
    keys.replace(master_key.path(), "\n".join([keys.new_master_key(), *master_key.in_force()]))


def _reseal_row(column: SealedColumn, row: Model, outcome: Outcome) -> None:
    before = getattr(row, column.field)
    try:
        after = column.reseal(row)
    except (InvalidToken, ServiceError):
        outcome.unreadable[str(column)] = outcome.unreadable.get(str(column), 0) + 1
        return
    if after is not None:
        # Whoever changed the row meanwhile used the new key, or the next walk finds it.
        same = column.model._base_manager.filter(pk=row.pk, **{column.field: before})
        outcome.resealed += same.update(**{column.field: after})


def _rows(model: type[Model]) -> Iterator[Model]:
    """Every row, a batch at a time: no transaction is held open, and what is added meanwhile needs no change."""
    rows = model._base_manager.order_by("pk")
    batch = list(rows[:BATCH_ROWS])
    while batch:
        yield from batch
        batch = list(rows.filter(pk__gt=batch[-1].pk)[:BATCH_ROWS])


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One process of a machine at a time; the lock is on the folder of the keys and ends with its process."""
    folder = os.open(settings.KEYS_ROOT, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("Another process is changing the master key.") from None
        yield
    finally:
        os.close(folder)
