from repos.git import refs
from repos.git.ref_answers import MAX_ANSWER_BYTES, RefAnswers, key_of
from tests import gitrepo


def test_an_answer_is_given_again_and_the_one_used_longest_ago_leaves_first():
    answers = RefAnswers(max_bytes=10)
    answers.put(b"a", b"12345")
    answers.put(b"b", b"1234")
    assert answers.get(b"a") == b"12345"
    answers.put(b"c", b"1234")
    assert [answers.get(key) for key in (b"a", b"b", b"c")] == [b"12345", None, b"1234"]


def test_an_answer_that_is_put_twice_counts_once_and_a_huge_one_is_not_kept():
    answers = RefAnswers(max_bytes=10)
    for _ in range(5):
        answers.put(b"a", b"12345")
    answers.put(b"b", b"12345")
    assert [answers.get(key) for key in (b"a", b"b")] == [b"12345", b"12345"]
    answers.put(b"c", b"x" * 11)
    assert answers.get(b"c") is None
    larger = RefAnswers(max_bytes=2 * MAX_ANSWER_BYTES)
    larger.put(b"a", bytes(MAX_ANSWER_BYTES + 1))
    assert larger.get(b"a") is None


def test_parts_of_a_key_do_not_run_into_each_other():
    assert key_of("ab", "c") != key_of("a", "bc")
    assert key_of("ab", b"c") == key_of(b"ab", "c")


def test_the_stored_state_changes_with_every_move_even_there_and_back(tmp_path):
    repository = gitrepo.create(tmp_path)
    states = [refs.stored_state(repository)]
    first = gitrepo.commit(repository, {"a": "1"})
    states.append(refs.stored_state(repository))
    second = gitrepo.commit(repository, {"a": "2"})
    for refname, oid in (
        ("refs/heads/main", first),
        ("refs/heads/main", second),
        ("refs/heads/x", first),
        ("refs/internal/x", first),
    ):
        gitrepo.update_ref(repository, refname, oid)
        states.append(refs.stored_state(repository))
    gitrepo.git(repository, "update-ref", "-d", "refs/heads/x")
    states.append(refs.stored_state(repository))
    gitrepo.git(repository, "symbolic-ref", "HEAD", "refs/heads/other")
    states.append(refs.stored_state(repository))
    gitrepo.git(repository, "pack-refs", "--all")
    states.append(refs.stored_state(repository))
    assert len({state.digest for state in states}) == len(states)
    assert refs.stored_state(repository) == states[-1]


def test_the_stored_state_knows_what_refs_name_and_no_more(tmp_path):
    repository = gitrepo.create(tmp_path)
    gone = gitrepo.commit(repository, {"a": "1"})
    tip = gitrepo.commit(repository, {"a": "2"})
    tag = gitrepo.tag(repository, "v1", tip, "First")
    for pack in (False, True):
        if pack:
            gitrepo.git(repository, "pack-refs", "--all")
        state = refs.stored_state(repository)
        assert state.names_all([tip.encode(), tag.encode()])
        assert not state.names_all([tip.encode(), gone.encode()])
