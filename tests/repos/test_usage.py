from __future__ import annotations

import os

import pytest

from repos import usage
from repos.git.store import RepositoryMissing
from repos.models import Repository
from tests import factories, gitrepo

pytestmark = pytest.mark.django_db


def test_a_repositorys_size_is_that_of_its_files():
    repository = factories.repository()
    empty = usage.measure_size(repository)
    gitrepo.blob(repository.git, os.urandom(100_000))
    assert 100_000 < usage.measure_size(repository) - empty < 110_000
    kept = Repository.objects.get()
    assert (kept.size_bytes, kept.size_measured_at) == (repository.size_bytes, repository.size_measured_at)


def test_a_repository_whose_files_are_gone_keeps_what_was_measured_last():
    repository = factories.repository()
    size_bytes = usage.measure_size(repository)
    repository.git.path.rename(repository.git.path.with_suffix(".away"))
    with pytest.raises(RepositoryMissing):
        usage.measure_size(Repository.objects.get())
    assert Repository.objects.get().size_bytes == size_bytes
