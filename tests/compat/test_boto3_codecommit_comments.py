"""Comments and reactions as boto3 sees them."""

from __future__ import annotations

import uuid

import pytest
from botocore.config import Config

from codeservices.audit.models import Event
from codeservices.iam.models import User
from repos.models import Comment, Repository
from tests import factories, gitrepo
from tests.compat.refusals import refused
from tests.compat.test_boto3_codecommit import ARN

DEMO = {"repositoryName": "demo"}
NOBODY = str(uuid.uuid4())


@pytest.fixture
def erin(client_of):
    return client_of(factories.user("erin", "AWSCodeCommitPowerUser"), "codecommit")


@pytest.fixture
def pair(codecommit) -> tuple[str, str]:
    """Two commits of “demo”."""
    codecommit.create_repository(**DEMO)
    with Repository.objects.get().git as git:
        return gitrepo.commit(git, {"a": "1\n2\n3", "old": "x\n"}), gitrepo.commit(git, {"a": "1\n2\n", "old": None})


def posted(client, pair, content="Well.", **params):
    return client.post_comment_for_compared_commit(
        **DEMO, beforeCommitId=pair[0], afterCommitId=pair[1], content=content, **params
    )


def test_a_comment_is_posted_read_changed_and_deleted(alice, codecommit, pair):
    answer = posted(codecommit, pair, "Ärger? <b>", clientRequestToken="t1")
    comment = answer["comment"]
    assert (answer["repositoryName"], answer["beforeCommitId"], answer["afterCommitId"]) == ("demo", *pair)
    assert "location" not in answer and "beforeBlobId" not in answer
    assert comment == {
        "commentId": comment["commentId"],
        "content": "Ärger? <b>",
        "creationDate": comment["creationDate"],
        "lastModifiedDate": comment["creationDate"],
        "authorArn": alice.arn,
        "deleted": False,
        "clientRequestToken": "t1",
        "callerReactions": [],
        "reactionCounts": {},
    }
    one = {"commentId": comment["commentId"]}
    assert codecommit.get_comment(**one)["comment"] == comment
    changed = codecommit.update_comment(**one, content="Better.")["comment"]
    assert changed["content"] == "Better." and changed["lastModifiedDate"] > changed["creationDate"]
    gone = codecommit.delete_comment_content(**one)["comment"]
    assert gone["deleted"] and "content" not in gone
    assert Comment.objects.get().content == ""
    listed = codecommit.get_comments_for_compared_commit(**DEMO, afterCommitId=pair[1])
    assert listed["commentsForComparedCommitData"][0]["comments"] == [gone]
    for operation, params in (
        (codecommit.get_comment, {}),
        (codecommit.update_comment, {"content": "x"}),
        (codecommit.delete_comment_content, {}),
        (codecommit.put_comment_reaction, {"reactionValue": "👍"}),
        (codecommit.get_comment_reactions, {}),
    ):
        assert refused(operation, **one, **params)[0] == "CommentDeletedException"


def test_comments_lie_at_files_and_lines_and_replies_beside_them(codecommit, erin, pair):
    at_line = {"filePath": "a", "filePosition": 3, "relativeFileVersion": "BEFORE"}
    first = posted(codecommit, pair, "Why?", location=at_line)
    assert first["location"] == at_line
    assert first["beforeBlobId"] != first["afterBlobId"]
    reply = erin.post_comment_reply(inReplyTo=first["comment"]["commentId"], content="So.")["comment"]
    assert reply["inReplyTo"] == first["comment"]["commentId"]
    whole = posted(erin, pair, "All of it")["comment"]
    gone = posted(erin, pair, "Good riddance", location={"filePath": "old"})
    assert gone["location"] == {"filePath": "old", "relativeFileVersion": "AFTER"}
    assert "afterBlobId" not in gone
    alone = codecommit.post_comment_for_compared_commit(**DEMO, afterCommitId=pair[0], content="First")
    assert "beforeCommitId" not in alone

    def told(**params):
        found = codecommit.get_comments_for_compared_commit(**DEMO, **params)["commentsForComparedCommitData"]
        return [(one.get("location"), [each["commentId"] for each in one["comments"]]) for one in found]

    wanted = [
        (at_line, [first["comment"]["commentId"], reply["commentId"]]),
        (None, [whole["commentId"]]),
        (gone["location"], [gone["comment"]["commentId"]]),
    ]
    assert told(afterCommitId=pair[1]) == told(beforeCommitId=pair[0], afterCommitId=pair[1]) == wanted
    assert told(beforeCommitId=pair[1], afterCommitId=pair[0]) == []
    assert told(afterCommitId=pair[0]) == [(None, [alone["comment"]["commentId"]])]


def test_comments_come_in_pages(codecommit, pair):
    made = [posted(codecommit, pair, str(number))["comment"]["commentId"] for number in range(5)]
    pages = codecommit.get_paginator("get_comments_for_compared_commit")
    found = [
        [each["commentId"] for one in page["commentsForComparedCommitData"] for each in one["comments"]]
        for page in pages.paginate(**DEMO, afterCommitId=pair[1], PaginationConfig={"PageSize": 2})
    ]
    assert found == [made[:2], made[2:4], made[4:]]


def test_the_same_token_makes_one_comment_and_never_another(codecommit, erin, pair):
    first = posted(codecommit, pair, clientRequestToken="same")["comment"]
    assert posted(codecommit, pair, clientRequestToken="same")["comment"] == first
    other = {**DEMO, "afterCommitId": pair[1], "clientRequestToken": "same"}
    code = "IdempotencyParameterMismatchException"
    assert refused(codecommit.post_comment_for_compared_commit, **other, content="Else.")[0] == code
    reply = {"inReplyTo": first["commentId"], "content": "Well."}
    assert refused(codecommit.post_comment_reply, **reply, clientRequestToken="same")[0] == code
    one = codecommit.post_comment_reply(**reply, clientRequestToken="reply")["comment"]
    assert codecommit.post_comment_reply(**reply, clientRequestToken="reply")["comment"] == one
    assert posted(erin, pair, clientRequestToken="same")["comment"] != first
    assert Comment.objects.count() == 3


def test_a_comment_is_its_authors_alone(alice, codecommit, erin, pair):
    one = {"commentId": posted(erin, pair)["comment"]["commentId"]}
    assert refused(codecommit.update_comment, **one, content="x")[0] == "CommentNotCreatedByCallerException"
    assert refused(codecommit.delete_comment_content, **one)[0] == "CommentNotCreatedByCallerException"
    User.objects.filter(name="erin").update(name="erna")  # a new name makes nobody another
    erin.update_comment(**one, content="Better.")
    # AWS's policy for power users deletes no comments.
    assert refused(erin.delete_comment_content, **one)[0] == "AccessDeniedException"


def test_reactions_are_one_of_each_person(alice, codecommit, erin, pair):
    one = {"commentId": posted(codecommit, pair)["comment"]["commentId"]}
    for value in ("👍", ":heart:", "U+1F44F", "clap"):
        codecommit.put_comment_reaction(**one, reactionValue=value)
    erin.put_comment_reaction(**one, reactionValue=":CLAP:")
    erin.put_comment_reaction(**one, reactionValue=":clap:")
    comment = codecommit.get_comment(**one)["comment"]
    assert (comment["callerReactions"], comment["reactionCounts"]) == (["CLAP"], {"CLAP": 2})
    erin_arn = User.objects.get(name="erin").arn
    assert codecommit.get_comment_reactions(**one)["reactionsForComment"] == [
        {
            "reaction": {"emoji": "👏", "shortCode": "clap", "unicode": "U+1F44F"},
            "reactionUsers": [alice.arn, erin_arn],
            "reactionsFromDeletedUsersCount": 0,
        }
    ]
    mine = codecommit.get_comment_reactions(**one, reactionUserArn=alice.arn)["reactionsForComment"]
    assert [row["reactionUsers"] for row in mine] == [[alice.arn]]
    codecommit.put_comment_reaction(**one, reactionValue="none")
    User.objects.filter(name="erin").delete()
    [row] = codecommit.get_comment_reactions(**one)["reactionsForComment"]
    assert (row["reactionUsers"], row["reactionsFromDeletedUsersCount"]) == ([], 1)
    assert codecommit.get_comment(**one)["comment"]["callerReactions"] == []


def test_reactions_come_in_pages(codecommit, erin, pair):
    one = {"commentId": posted(codecommit, pair)["comment"]["commentId"]}
    codecommit.put_comment_reaction(**one, reactionValue=":angry:")
    erin.put_comment_reaction(**one, reactionValue="❤")
    first = codecommit.get_comment_reactions(**one, maxResults=1)
    second = codecommit.get_comment_reactions(**one, maxResults=1, nextToken=first["nextToken"])
    codes = [page["reactionsForComment"][0]["reaction"]["shortCode"] for page in (first, second)]
    assert (codes, "nextToken" in second) == (["heart", "angry"], False)


WRONG_COMMENTS = [
    ({"content": ""}, "CommentContentRequiredException"),
    ({"content": " \n"}, "CommentContentRequiredException"),
    ({"content": "x" * 10_241}, "CommentContentSizeLimitExceededException"),
    ({"afterCommitId": ""}, "CommitIdRequiredException"),
    ({"afterCommitId": "main"}, "InvalidCommitIdException"),
    ({"beforeCommitId": "main"}, "InvalidCommitIdException"),
    ({"afterCommitId": "1" * 40}, "CommitDoesNotExistException"),
    ({"beforeCommitId": "1" * 40}, "CommitDoesNotExistException"),
    ({"beforeCommitId": "after"}, "BeforeCommitIdAndAfterCommitIdAreSameException"),
    ({"location": {"filePosition": 1}}, "InvalidFileLocationException"),
    ({"location": {"filePath": ""}}, "PathRequiredException"),
    ({"location": {"filePath": "../a"}}, "InvalidPathException"),
    ({"location": {"filePath": "none"}}, "PathDoesNotExistException"),
    ({"location": {"filePath": "a", "filePosition": 0}}, "InvalidFilePositionException"),
    ({"location": {"filePath": "a", "filePosition": 3}}, "InvalidFilePositionException"),
    ({"location": {"filePath": "a", "filePosition": 2**62}}, "InvalidFilePositionException"),
    ({"location": {"filePath": "old", "filePosition": 1}}, "InvalidFilePositionException"),
    ({"location": {"filePath": "a", "relativeFileVersion": "LATER"}}, "InvalidRelativeFileVersionEnumException"),
    (
        {"location": {"filePath": "a", "relativeFileVersion": "BEFORE"}, "beforeCommitId": ""},
        "InvalidRelativeFileVersionEnumException",
    ),
    ({"clientRequestToken": ""}, "ClientRequestTokenRequiredException"),
    ({"clientRequestToken": "t" * 129}, "InvalidClientRequestTokenException"),
    ({"repositoryName": "none"}, "RepositoryDoesNotExistException"),
]


def test_what_a_comment_is_refused_for_has_its_own_code(codecommit, pair):
    for params, code in WRONG_COMMENTS:
        asked = {**DEMO, "beforeCommitId": pair[0], "afterCommitId": pair[1], "content": "x", **params}
        asked = {name: pair[1] if value == "after" else value for name, value in asked.items()}
        assert refused(codecommit.post_comment_for_compared_commit, **asked)[0] == code, params
    assert not Comment.objects.exists()


WRONG_CALLS = [
    ("get_comment", {"commentId": ""}, "CommentIdRequiredException"),
    ("get_comment", {"commentId": "7"}, "InvalidCommentIdException"),
    ("get_comment", {"commentId": NOBODY}, "CommentDoesNotExistException"),
    ("get_comment", {"commentId": f"{NOBODY}:{NOBODY}"}, "CommentDoesNotExistException"),
    ("get_comment", {"commentId": "-" * 36}, "CommentDoesNotExistException"),
    ("update_comment", {"commentId": NOBODY, "content": "x"}, "CommentDoesNotExistException"),
    ("update_comment", {"commentId": NOBODY, "content": ""}, "CommentContentRequiredException"),
    ("delete_comment_content", {"commentId": NOBODY}, "CommentDoesNotExistException"),
    ("post_comment_reply", {"inReplyTo": "", "content": "x"}, "CommentIdRequiredException"),
    ("post_comment_reply", {"inReplyTo": NOBODY, "content": "x"}, "CommentDoesNotExistException"),
    ("put_comment_reaction", {"commentId": NOBODY, "reactionValue": "🐌"}, "InvalidReactionValueException"),
    ("put_comment_reaction", {"commentId": NOBODY, "reactionValue": "👍"}, "CommentDoesNotExistException"),
    ("get_comment_reactions", {"commentId": NOBODY, "reactionUserArn": "x"}, "InvalidReactionUserArnException"),
    ("get_comment_reactions", {"commentId": NOBODY, "maxResults": 1001}, "InvalidMaxResultsException"),
    ("get_comments_for_compared_commit", {"afterCommitId": "1" * 40}, "CommitDoesNotExistException"),
    ("get_comments_for_compared_commit", {"afterCommitId": "x"}, "InvalidCommitIdException"),
    ("get_comments_for_compared_commit", {"afterCommitId": "x", "maxResults": 501}, "InvalidMaxResultsException"),
    (
        "get_comments_for_compared_commit",
        {"afterCommitId": "1" * 40, "nextToken": "x"},
        "InvalidContinuationTokenException",
    ),
]


def test_what_is_asked_of_comments_wrongly_has_its_own_code(codecommit):
    codecommit.create_repository(**DEMO)
    for operation, params, code in WRONG_CALLS:
        where = DEMO if operation == "get_comments_for_compared_commit" else {}
        assert refused(getattr(codecommit, operation), **where, **params)[0] == code, (operation, params)


def test_members_left_out_have_their_errors_even_from_clients_that_check_nothing(alice, client_of, pair):
    careless = client_of(alice, "codecommit", config=Config(parameter_validation=False, retries={"max_attempts": 1}))
    for operation, params, code in (
        (careless.post_comment_for_compared_commit, DEMO, "CommitIdRequiredException"),
        (
            careless.post_comment_for_compared_commit,
            {**DEMO, "afterCommitId": pair[1]},
            "CommentContentRequiredException",
        ),
        (careless.post_comment_reply, {"content": "x"}, "CommentIdRequiredException"),
        (careless.get_comment, {}, "CommentIdRequiredException"),
        (careless.put_comment_reaction, {"commentId": NOBODY}, "ReactionValueRequiredException"),
        (careless.get_comments_for_compared_commit, DEMO, "CommitIdRequiredException"),
    ):
        assert refused(operation, **params)[0] == code


def test_ids_tell_nobody_where_comments_are(codecommit, client_of, pair):
    one = posted(codecommit, pair)["comment"]["commentId"]
    document = factories.allow("codecommit:GetComment", resource=ARN + "other")
    client = client_of(factories.user("dora", document=document), "codecommit")
    there, absent = (refused(client.get_comment, commentId=each) for each in (one, NOBODY))
    assert there == absent
    assert there[0] == "AccessDeniedException"


def test_an_archived_repository_takes_no_comments_and_a_deleted_one_shows_none(codecommit, pair):
    one = {"commentId": posted(codecommit, pair)["comment"]["commentId"]}
    Repository.objects.update(archived_at="2026-01-01T00:00:00Z")
    for operation, params in (
        (codecommit.update_comment, {**one, "content": "x"}),
        (codecommit.delete_comment_content, one),
        (codecommit.post_comment_reply, {"inReplyTo": one["commentId"], "content": "x"}),
        (codecommit.put_comment_reaction, {**one, "reactionValue": "👍"}),
        (codecommit.post_comment_for_compared_commit, {**DEMO, "afterCommitId": pair[1], "content": "x"}),
    ):
        assert refused(operation, **params)[0] == "OperationNotAllowedException"
    assert codecommit.get_comment(**one)["comment"]["content"] == "Well."
    Repository.objects.update(archived_at=None)
    codecommit.delete_repository(**DEMO)
    assert refused(codecommit.get_comment, **one)[0] == "CommentDoesNotExistException"


def test_the_trail_tells_that_a_comment_was_posted_and_not_what_it_said(codecommit, pair):
    posted(codecommit, pair, "secret words")
    event = Event.objects.get(event_name="PostCommentForComparedCommit")
    assert event.request_parameters["content"] == "(12 characters)"
    assert event.response_elements["comment"]["content"] == "(12 characters)"
    assert event.resource_arn == ARN + "demo"
