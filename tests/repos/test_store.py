import time
import uuid

import pytest

from codeservices.errors import InvalidInput
from repos.git import store
from tests import gitrepo

_UUID1 = "57f71590-e9e7-11f1-a98c-02fc00000001"
_UUID4 = "a55eb9ff-405e-4190-9af7-49a864f12674"


def test_a_new_repository_is_an_empty_one_to_git_and_to_dulwich(tmp_path):
    repository_id = str(uuid.uuid4())
    with store.create_repository(tmp_path, repository_id) as made:
        assert gitrepo.git(made, "symbolic-ref", "HEAD") == "refs/heads/main"
        assert gitrepo.git(made, "rev-parse", "--is-bare-repository", "--show-object-format") == "true\nsha1"
        gitrepo.git(made, "fsck", "--strict")
        assert made.dulwich.get_refs() == {}
    assert (tmp_path / repository_id[:2] / f"{repository_id}.git").is_dir()


def test_opening_finds_what_was_committed(tmp_path):
    repository_id = str(uuid.uuid4())
    oid = gitrepo.commit(store.create_repository(tmp_path, repository_id), {"a.txt": "hello"})
    with store.open_repository(tmp_path, repository_id) as opened:
        assert opened.dulwich.head() == oid.encode()
    opened.close()
    assert opened.dulwich.head() == oid.encode()
    opened.close()


def test_a_missing_repository_is_named(tmp_path):
    repository_id = str(uuid.uuid4())
    with pytest.raises(store.RepositoryMissing, match=f"objects of repository {repository_id} are missing"):
        store.open_repository(tmp_path, repository_id)


@pytest.mark.parametrize("repository_id", ["", "..", "../../etc", "demo", "A" * 36, _UUID1, _UUID4 + "\n"])
@pytest.mark.parametrize("act", [store.open_repository, store.create_repository, store.remove_repository])
def test_an_id_that_is_no_uuid4_is_refused(tmp_path, act, repository_id):
    with pytest.raises(InvalidInput, match="is no repository id"):
        act(tmp_path, repository_id)


def test_a_second_repository_under_one_id_is_refused_and_harms_nothing(tmp_path):
    repository_id = str(uuid.uuid4())
    oid = gitrepo.commit(store.create_repository(tmp_path, repository_id), {"a.txt": "hello"})
    with pytest.raises(store.RepositoryExists, match="exists already"):
        store.create_repository(tmp_path, repository_id)
    assert gitrepo.git(store.open_repository(tmp_path, repository_id), "rev-parse", "main") == oid


def test_a_creation_that_dies_leaves_nothing_where_repositories_lie(tmp_path, monkeypatch):
    repository_id = str(uuid.uuid4())

    def dies(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_write_durably", dies)
    with pytest.raises(OSError, match="No space left"):
        store.create_repository(tmp_path, repository_id)
    with pytest.raises(store.RepositoryMissing):
        store.open_repository(tmp_path, repository_id)
    monkeypatch.undo()
    store.create_repository(tmp_path, repository_id).close()


def test_removing_takes_everything_and_removing_again_is_fine(tmp_path):
    repository_id = str(uuid.uuid4())
    gitrepo.commit(store.create_repository(tmp_path, repository_id), {"a.txt": "hello"})
    store.remove_repository(tmp_path, repository_id)
    store.remove_repository(tmp_path, repository_id)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_sweep_clears_old_leftovers_and_spares_young_ones(tmp_path, monkeypatch):
    assert store.sweep(tmp_path) == 0
    leftover = tmp_path / store.SCRATCH / "half-made"
    leftover.mkdir(parents=True)
    assert store.sweep(tmp_path) == 0
    later = time.time() + 2 * store.SCRATCH_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)
    assert store.sweep(tmp_path) == 1
    assert not leftover.exists()


def test_a_folder_for_a_while_lies_where_a_sweep_looks_whoever_it_is_for(tmp_path):
    repository = store.create_repository(tmp_path, str(uuid.uuid4()))
    with store.draft(repository) as draft:
        for one in (repository, draft):
            with store.scratch(one) as folder:
                assert folder.parent == (tmp_path / store.SCRATCH).resolve()
                assert folder.stat().st_mode & 0o077 == 0
                (folder / "a").mkdir()
            assert not folder.exists()


def test_what_is_set_aside_is_gone_for_everybody_and_still_whole(tmp_path):
    repository_id = str(uuid.uuid4())
    gitrepo.commit(store.create_repository(tmp_path, repository_id), {"a.txt": "hello"})
    assert not store.is_empty(tmp_path, repository_id)
    aside = store.set_aside(tmp_path, repository_id)
    with pytest.raises(store.RepositoryMissing):
        store.open_repository(tmp_path, repository_id)
    assert gitrepo.git(aside, "rev-list", "--count", "main") == "1"
    assert not store.set_aside(tmp_path, repository_id).exists()


def test_repositories_that_are_an_hour_old_are_listed_by_their_ids(tmp_path, monkeypatch):
    repository_id = str(uuid.uuid4())
    store.create_repository(tmp_path, repository_id)
    (tmp_path / "ab" / "strange.git").mkdir(parents=True)
    assert list(store.repository_ids(tmp_path)) == []
    later = time.time() + 2 * store.SCRATCH_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)
    assert list(store.repository_ids(tmp_path)) == [repository_id]
    assert store.is_empty(tmp_path, repository_id)


def test_nobody_else_may_read_a_repository(tmp_path):
    made = gitrepo.create(tmp_path / "git")
    assert made.path.parent.stat().st_mode & 0o077 == 0
