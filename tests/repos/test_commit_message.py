"""What a commit's message leads to: commits of the repository and addresses of the web, and nowhere else."""

from __future__ import annotations


def body(client, oid: str) -> str:
    page = client.get(f"/repositories/demo/commit/{oid}").content.decode()
    return page.partition("<pre>")[2].partition("</pre>")[0]


def test_commits_that_a_message_names_are_linked(alice_client, stored):
    first = stored.commit({"a": "1\n"}, "First")
    blob = stored.blob("no commit\n")
    text = f"This reverts commit {first}.\nSee {first[:9]} (and x{first[:9]}), {'f' * 12}, {blob}, 1234567."
    second = stored.commit({"a": "2\n"}, f"Second\n\n{text}", [first])
    link = f'<a href="/repositories/demo/commit/{first}">'
    rest = f"(and x{first[:9]}), {'f' * 12}, {blob}, 1234567."
    assert body(alice_client, second) == (f"This reverts commit {link}{first}</a>.\nSee {link}{first[:9]}</a> {rest}")


def test_a_branch_called_like_an_id_is_not_meant(alice_client, stored):
    first = stored.commit({"a": "1\n"}, "First")
    stored.git("update-ref", "refs/heads/abcdef1", first)
    second = stored.commit({"a": "2\n"}, "Second\n\nSince abcdef1.", [first])
    assert body(alice_client, second) == "Since abcdef1."


def test_addresses_of_the_web_are_linked_and_nothing_else(alice_client, stored):
    text = 'See (https://example.org/a?b=1&c="x), http://e.org/y. javascript:alert(1) <img src=x>'
    oid = stored.commit({"a": "1\n"}, f"First\n\n{text}")
    rel = 'rel="nofollow noopener noreferrer"'
    assert body(alice_client, oid) == (
        f'See (<a href="https://example.org/a?b=1&amp;c=" {rel}>https://example.org/a?b=1&amp;c=</a>&quot;x), '
        f'<a href="http://e.org/y" {rel}>http://e.org/y</a>. javascript:alert(1) &lt;img src=x&gt;'
    )
