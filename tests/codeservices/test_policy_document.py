"""What the grammar refuses, with every fault's line, column and reason, and what it takes."""

from __future__ import annotations

import json

import pytest

from codeservices.iam import policy
from codeservices.iam.policy import patterns
from tests.endless import ends


def refused(document: str) -> policy.MalformedPolicy:
    with pytest.raises(policy.MalformedPolicy) as caught:
        policy.parse(document)
    assert caught.value.code == "MalformedPolicyDocument"
    return caught.value


def statement(**parts: object) -> str:
    return json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", **parts}})


def condition(**operators: object) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": operators},
        }
    )


@pytest.mark.parametrize(
    ("document", "line", "column", "sentence"),
    [
        ("", 1, 1, "This is not JSON: The document ends here, where a value is expected."),
        ("{", 1, 2, "This is not JSON: A key in double quotes is expected here."),
        ('{"Statement": [', 1, 16, "ends here, where a value is expected"),
        ('{\n  "Statement": [\n  ],\n}', 4, 1, "A comma may not stand before a closing bracket."),
        ('{"a": [1, ]}', 1, 11, "a comma may not stand before a closing bracket"),
        ('{"a" 1}', 1, 6, "A colon is expected after the key “a”."),
        ('{"a": 1 "b": 2}', 1, 9, "A comma or “}” is expected here."),
        ("{'a': 1}", 1, 2, "A key in double quotes"),
        ("{\"a\": 'b'}", 1, 7, "Texts stand in plain double quotes"),
        ('{"a": “b”}', 1, 7, "Texts stand in plain double quotes"),
        ('{"a": NaN}', 1, 7, "“NaN” is no JSON value"),
        ('{"a": -Infinity}', 1, 7, "A value is expected here."),
        ('{"a": 01}', 1, 8, "A comma or “}” is expected here."),
        ('{"a": ١}', 1, 7, "A value is expected here."),
        ('{"a": 1} {}', 1, 10, "Nothing may follow"),
        ('\ufeff{"a": 1}', 1, 1, "byte order mark"),
        ('{"a": "b\nc"}', 1, 9, "Invalid control character."),
        ('{"a": "\\x"}', 1, 8, "Invalid \\escape."),
        ('{"a": "b', 1, 7, "Unterminated string starting."),
        ('{"a": "\\ud800"}', 1, 7, "half of a surrogate pair"),
        ('{"Version": "2012-10-17", "Version": "2012-10-17"}', 1, 27, "The key “Version” stands twice"),
        ("[" * 100_000, 1, 21, "nested 20 deep at most"),
        ('{"a":' * 20_000, 1, 101, "nested 20 deep at most"),
        ("[]", 1, 1, "The policy must be an object"),
        ('"text"', 1, 1, "The policy must be an object"),
        ("{}", 1, 1, "The policy needs a Statement"),
        ('{"Statement": []}', 1, 15, "The policy needs at least one statement."),
        ('{"Statement": [1]}', 1, 16, "A statement must be an object"),
        ('{"Statements": []}', 1, 2, "The policy has no element “Statements”. Did you mean Statement?"),
        ('{"Version": "2020-01-01", "Statement": []}', 1, 13, "not “2020-01-01”"),
        ('{"Version": 20121017, "Statement": []}', 1, 13, "Version must be a text"),
        ('{"Id": 7, "Statement": []}', 1, 8, "Id must be a text"),
    ],
)
def test_a_fault_has_its_line_column_and_reason(document: str, line: int, column: int, sentence: str) -> None:
    error = refused(document)
    assert error.problems[0][:2] == (line, column)
    assert sentence in error.problems[0].sentence
    assert f"Line {line}, column {column}: " in error.message


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (statement(Effect="allow"), "needs an Effect of Allow or Deny. Did you mean Allow?"),
        (statement(Effect=["Allow"]), "Effect must be a text"),
        ('{"Statement": {"Action": "*", "Resource": "*"}}', "needs an Effect"),
        (statement(Sid="no spaces"), "A Sid has letters A to Z and digits only."),
        (statement(Sid="Gründe"), "A Sid has letters A to Z and digits only."),
        (statement(Sid=1), "Sid must be a text"),
        (statement(Actions="*"), "A statement has no element “Actions”. Did you mean Action?"),
        (statement(effect="Allow"), "no element “effect”. Did you mean Effect?"),
        (statement(Principal="*"), "Principal may stand only in the policy of a resource or a role's trust policy."),
        (statement(NotPrincipal="*"), "NotPrincipal may stand only in"),
        (statement(NotAction="*"), "exactly one of Action and NotAction"),
        ('{"Statement": {"Effect": "Allow", "Resource": "*"}}', "exactly one of Action and NotAction"),
        ('{"Statement": {"Effect": "Allow", "Action": "*"}}', "exactly one of Resource and NotResource"),
        (statement(Action=[]), "Action may not be an empty list"),
        (statement(Action=["*", 1]), "Action must be a text or a list of texts"),
        (statement(Action=""), "none of them empty"),
        (statement(Action="read"), "“read” is no action; write service:Name, such as codecommit:GitPull."),
        (statement(Action="codecommit*:Get"), "is no action"),
        (statement(Action="codecommit:Get Branch"), "is no action"),
        (statement(Resource="demo"), "“demo” is no resource; write an ARN"),
        (statement(Resource="arn:aws:codecommit:demo"), "is no resource"),
        (statement(Resource={"a": "b"}), "Resource must be a text or a list of texts"),
        (statement(Condition=[]), "Condition must be an object"),
        (condition(StringEqual={"aws:username": "a"}), "no condition operator. Did you mean StringEquals?"),
        (condition(stringEquals={"aws:username": "a"}), "Did you mean StringEquals?"),
        (condition(**{"ForSome:StringEquals": {"aws:username": "a"}}), "“ForSome” is no prefix"),
        (condition(NullIfExists={"aws:username": "true"}), "Null takes neither IfExists nor a set prefix"),
        (condition(**{"ForAnyValue:Null": {"aws:username": "true"}}), "Null takes neither IfExists"),
        (condition(StringEquals="a"), "StringEquals must be an object of condition keys"),
        (condition(StringEquals={}), "StringEquals must be an object of condition keys"),
        (condition(StringEquals={"username": "a"}), "“username” is no condition key"),
        (condition(StringEquals={"aws:username": []}), "may not be an empty list"),
        (condition(StringEquals={"aws:username": None}), "must be texts, numbers or booleans"),
        (condition(StringEquals={"aws:username": ["a", ["b"]]}), "must be texts, numbers or booleans"),
        (condition(Null={"aws:username": "yes"}), "“yes” is neither true nor false."),
        (condition(Bool={"aws:SecureTransport": 1}), "“1” is neither true nor false."),
        (condition(NumericEquals={"x:n": "ten"}), "“ten” is no number."),
        (condition(NumericEquals={"x:n": "nan"}), "“nan” is no number."),
        (condition(NumericEquals={"x:n": "1" * 5000}), "is no number."),
        (condition(NumericEquals={"x:n": "${aws:username}"}), "is no number."),
        (condition(DateLessThan={"aws:CurrentTime": "tomorrow"}), "“tomorrow” is no date"),
        (condition(DateLessThan={"aws:CurrentTime": "2026-13-01"}), "is no date"),
        (condition(DateLessThan={"aws:CurrentTime": "2026-W01-1"}), "is no date"),
        (condition(IpAddress={"aws:SourceIp": "10.0.0.0/33"}), "“10.0.0.0/33” is no address"),
        (condition(NotIpAddress={"aws:SourceIp": "localhost"}), "is no address"),
        (condition(BinaryEquals={"x:key": "???"}), "is not in base64"),
        (condition(ArnLike={"aws:PrincipalArn": "alice"}), "“alice” is no ARN"),
        (condition(StringLike={"x:owner": "${aws:username"}), "“${aws:username” is no policy variable"),
        (condition(StringLike={"x:owner": "${*"}), "“${*” is no policy variable"),
        (condition(StringLike={"x:owner": "${aws:username, 'a' 'b'}"}), "is no policy variable"),
        (condition(StringLike={"x:owner": "${aws:username,}"}), "is no policy variable"),
        (condition(StringLike={"x:owner": "${}"}), "“${}” is no policy variable"),
        (condition(StringLike={"x:owner": "${username}"}), "with a condition key such as aws:username"),
        (condition(StringLike={"x:owner": "${aws:username, none}"}), "is no policy variable"),
    ],
)
def test_each_rule_of_the_grammar(document: str, sentence: str) -> None:
    error = refused(document)
    assert sentence in error.message
    assert len(error.problems) == 1


@pytest.mark.parametrize(
    "value", ["${" * 1_000_000, "${a" + " " * 2_000_000 + "b}", "${" + " " * 2_000_000 + ",'" + "}"]
)
def test_no_variable_however_long_takes_for_ever(value: str) -> None:
    """Longer ones than a document holds, so that a square of the length is hours."""
    with ends(), pytest.raises(ValueError, match="is no policy variable"):
        patterns.read(value, variables=True)


def test_a_document_that_is_far_too_long_is_not_looked_at() -> None:
    longest = statement() + " " * (policy.document.MAX_CHARACTERS - len(statement()))
    policy.parse(longest)
    assert refused(f"{longest} ").problems[0].sentence.startswith("The document has 131,073 characters")


def test_all_faults_are_told_at_once_in_the_order_of_the_text() -> None:
    document = """{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "A", "Effect": "allow", "Action": "read", "Resource": "*"},
    {"Sid": "A", "Effect": "Deny", "Action": "s3:*",
     "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "10.0.0.0/99"]}}}
  ]
}"""
    assert [problem[:2] for problem in refused(document).problems] == [(4, 28), (4, 47), (5, 13), (6, 82)]


def test_a_message_tells_five_faults_and_counts_the_rest() -> None:
    document = json.dumps({"Statement": [{}] * 10})
    error = refused(document)
    assert len(error.problems) == 30
    assert error.message.count("Line 1, ") == 5
    assert error.message.endswith("And 25 more.")


def test_what_is_quoted_is_short_and_printable() -> None:
    sentence = refused(statement(Action="a\x00\n" + "b" * 5000)).message
    assert "“a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}bbb" in sentence
    assert len(sentence) < 300


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(line_end: str) -> None:
    assert refused(line_end.join(["{", '  "Statement":', "  7", "}"])).problems[0][:2] == (3, 3)


@pytest.mark.parametrize(
    "document",
    [
        statement(Sid=""),
        statement(Action=["codecommit:Git*", "s3:Get?bject"]),
        statement(Resource=["arn:aws:s3:::bucket/*", "*"]),
        statement(Resource="arn:aws:iam::*:user/${aws:username"),  # without a Version there are no variables
        condition(StringEquals={"aws:username": 1.50}, NumericLessThan={"x:n": [1, "2", 1e3]}),
        condition(DateLessThan={"aws:CurrentTime": "2026-01-31T12:00Z"}),
        '\n {"Id": "mine", "Statement": [{"Effect":"Deny","NotAction":"a:b","NotResource":"*"}]} \t\r\n',
    ],
)
def test_what_is_right_is_taken(document: str) -> None:
    assert len(policy.parse(document).statements) == 1


def test_a_statement_is_told_as_json_on_one_line() -> None:
    document = '{"Statement": {"Effect": "Allow",\n "Action": "*", "Resource": ["*"]}}'
    assert policy.parse(document).statements[0].text == '{"Effect": "Allow", "Action": "*", "Resource": ["*"]}'


def test_the_keys_that_a_policy_asks_for_are_known() -> None:
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Action": "*",
                "Resource": "arn:aws:iam::*:user/${aws:username}",
                "Condition": {
                    "StringEquals": {"x:owner": "${aws:PrincipalTag/owner}"},
                    "Null": {"X:Owner": "false"},
                },
            },
        }
    )
    assert policy.parse(document).keys == ("x:owner", "aws:PrincipalTag/owner", "aws:username")
