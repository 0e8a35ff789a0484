"""The plain rules of notifications: filter policies, delivery policies, attributes, subjects, names."""

from __future__ import annotations

import json

import pytest

from codeservices.errors import InvalidInput
from codeservices.notifications import delivery_policy, filter_policy, message_attributes, topics


def attribute(kind: str, value: str) -> dict[str, str]:
    return {"Type": kind, "Value": value}


def wants(policy: object, **attributes: dict[str, str]) -> bool:
    return filter_policy.parse(json.dumps(policy)).matches_attributes(attributes)


TEXT, NUMBER = attribute("String", "Storm-7"), attribute("Number", "150.0")
ARRAY = attribute("String.Array", '["rugby", 12, true, null]')


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("Storm-7", TEXT, True),
        ("storm-7", TEXT, False),
        ({"prefix": "Sto"}, TEXT, True),
        ({"prefix": "sto"}, TEXT, False),
        ({"suffix": "-7"}, TEXT, True),
        ({"suffix": "-8"}, TEXT, False),
        ({"equals-ignore-case": "sTORM-7"}, TEXT, True),
        ({"equals-ignore-case": "sTORM"}, TEXT, False),
        ({"wildcard": "S*m-*"}, TEXT, True),
        ({"wildcard": "S*x*"}, TEXT, False),
        ({"wildcard": "Storm-7*7"}, TEXT, False),
        ({"anything-but": "calm"}, TEXT, True),
        ({"anything-but": ["calm", "Storm-7"]}, TEXT, False),
        ({"anything-but": {"prefix": "Sto"}}, TEXT, False),
        ({"anything-but": {"suffix": "x"}}, TEXT, True),
        ({"anything-but": [150]}, NUMBER, False),
        ({"exists": True}, TEXT, True),
        ({"exists": False}, TEXT, False),
        (150, NUMBER, True),
        ("150", NUMBER, False),
        (True, attribute("Number", "1"), False),
        ({"numeric": ["=", 150]}, NUMBER, True),
        ({"numeric": [">", 100, "<=", 150]}, NUMBER, True),
        ({"numeric": [">", 150]}, NUMBER, False),
        ({"numeric": [">=", 0]}, TEXT, False),
        ("rugby", ARRAY, True),
        (12, ARRAY, True),
        (True, ARRAY, True),
        (None, ARRAY, True),
        ("tennis", ARRAY, False),
        ("Storm-7", attribute("Binary", "Storm-7"), False),
        ("Storm-7", attribute("String.custom", "Storm-7"), True),
    ],
)
def test_a_filter_matches_an_attribute(condition, value, expected):
    assert wants({"key": [condition]}, key=value) is expected


def test_every_key_must_match_and_any_of_its_values_does():
    policy = {"a": ["x", "y"], "b": [{"exists": False}]}
    assert wants(policy, a=attribute("String", "y"))
    assert not wants(policy, a=attribute("String", "z"))
    assert not wants(policy, a=attribute("String", "x"), b=TEXT)
    assert not wants(policy)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"event": {"kind": "storm", "at": {"wind": 11}}}', True),
        ('{"event": {"kind": ["calm", "storm"], "at": [{"wind": 2}, {"wind": 12}]}}', True),
        ('{"event": {"kind": "storm", "at": {"wind": 9}}}', False),
        ('{"event": {"kind": "storm"}}', False),
        ('{"event": "storm"}', False),
        ("storm", False),
        ("[1]", False),
        ("[" * 100_000, False),
    ],
)
def test_a_filter_matches_a_body(body, expected):
    policy = {"event": {"kind": ["storm"], "at": {"wind": [{"numeric": [">", 10]}]}}}
    assert filter_policy.parse(json.dumps(policy)).matches_body(filter_policy.read_body(body)) is expected


def test_a_key_may_be_absent_from_a_body():
    assert filter_policy.parse('{"a": {"b": [{"exists": false}]}}').matches_body({})


def test_arrays_in_arrays_are_looked_through_however_deep():
    body = filter_policy.read_body('{"a": ' + "[" * 900 + '"x"' + "]" * 900 + "}")
    assert filter_policy.parse('{"a": ["x"]}').matches_body(body)


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ("{", "failed to parse JSON."),
        ("[]", "Filter policy must be an object, in braces."),
        ('{"a": "x"}', "“a” must be an object or an array, and not empty."),
        ('{"a": []}', "“a” must be an object or an array, and not empty."),
        ('{"a": [["x"]]}', "Match value of “a” must be String, number, true, false, null or an object."),
        ('{"a": [{"like": "x"}]}', "Unrecognized match type “like”."),
        ('{"a": [{"cidr": "10.0.0.0/8"}]}', "Unrecognized match type “cidr”."),
        ('{"a": [{"prefix": ""}]}', "prefix match pattern must be a string, and not empty."),
        ('{"a": [{"exists": "yes"}]}', "exists match pattern must be either true or false."),
        ('{"a": [{"numeric": [">", "1"]}]}', "Value of a numeric match must be"),
        ('{"a": [{"numeric": ["<", 1, ">", 0]}]}', "A numeric range is a lower bound"),
        ('{"a": [{"anything-but": []}]}', "anything-but list must contain only strings or numbers, at least one."),
        ('{"$or": [{"a": ["x"]}]}', "“$or” is not available on this server."),
        (json.dumps({str(key): ["x"] for key in range(6)}), "Filter policy is too complex"),
        (json.dumps({"a": list(range(13)), "b": list(range(12))}), "Filter policy is too complex"),
        (json.dumps({"a": [{"anything-but": list(range(151))}]}), "Filter policy is too complex"),
        (json.dumps({"a": [{"anything-but": {"prefix": ["x"] * 151}}]}), "Filter policy is too complex"),
    ],
    ids=str,
)
def test_a_filter_that_breaks_a_rule_is_told(policy, sentence):
    with pytest.raises(filter_policy.PolicyError) as caught:
        filter_policy.parse(policy)
    assert str(caught.value).startswith(sentence)


def test_a_pathological_wildcard_takes_no_time():
    policy = filter_policy.parse('{"a": [{"wildcard": "*a*b*"}]}')
    assert not policy.matches_attributes({"a": attribute("String", "a" * 200_000)})


# ---- delivery policies -----------------------------------------------------------------------------------------------


def retry(**members: object) -> delivery_policy.DeliveryPolicy:
    return delivery_policy.parse_subscription(json.dumps({"healthyRetryPolicy": members}))


def test_without_a_policy_there_are_three_retries_twenty_seconds_apart():
    assert delivery_policy.effective("", "").delays() == [20.0, 20.0, 20.0]
    assert delivery_policy.DEFAULT.max_attempts == 4


def test_the_phases_follow_each_other():
    policy = retry(
        numRetries=9, numNoDelayRetries=2, minDelayTarget=10, numMinDelayRetries=1, maxDelayTarget=40,
        numMaxDelayRetries=2, backoffFunction="linear",
    )  # fmt: skip
    assert policy.delays() == [0, 0, 10, 10, 20, 30, 40, 40, 40]


@pytest.mark.parametrize("function", ["linear", "arithmetic", "geometric", "exponential"])
def test_each_backoff_goes_from_the_least_delay_to_the_greatest(function):
    delays = retry(numRetries=5, minDelayTarget=1, maxDelayTarget=100, backoffFunction=function).delays()
    assert (delays[0], delays[-1]) == (1, 100)
    assert delays == sorted(delays)


def test_a_subscription_beats_its_topic_unless_the_topic_says_no():
    topic = '{"http": {"defaultHealthyRetryPolicy": {"numRetries": 5}, "disableSubscriptionOverrides": %s}}'
    own = '{"healthyRetryPolicy": {"numRetries": 1}}'
    assert delivery_policy.effective(topic % "false", own).max_attempts == 2
    assert delivery_policy.effective(topic % "true", own).max_attempts == 6
    assert delivery_policy.effective(topic % "false", "").max_attempts == 6
    assert delivery_policy.effective(
        "", '{"requestPolicy": {"headerContentType": "application/json"}}'
    ).content_type == ("application/json")


def of_retry(members: str) -> str:
    return f'{{"http": {{"defaultHealthyRetryPolicy": {{{members}}}}}}}'


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ("nonsense", "A delivery policy must be JSON."),
        ('{"http": {"retry": {}}}', "“http” has no member “retry”"),
        (of_retry('"numRetries": 101'), "numRetries must be a whole number from 0"),
        (of_retry('"numRetries": true'), "numRetries must be a whole number from 0"),
        (of_retry('"minDelayTarget": 0'), "minDelayTarget must be a whole number"),
        (of_retry('"minDelayTarget": 30'), "minDelayTarget must not be greater"),
        (of_retry('"numNoDelayRetries": 4'), "The retries of the phases are more"),
        (of_retry('"numRetries": 100, "maxDelayTarget": 3600'), "The delays of all retries together"),
        (of_retry('"backoffFunction": "cubic"'), "backoffFunction must be one of linear"),
        ('{"http": {"defaultRequestPolicy": {"headerContentType": "image/png"}}}', "headerContentType must be"),
        (
            '{"http": {"defaultRequestPolicy": {"headerContentType": "text/plain;\\r\\nX-Evil: 1"}}}',
            "headerContentType must be",
        ),
        ('{"http": {"defaultThrottlePolicy": {"maxReceivesPerSecond": 0}}}', "maxReceivesPerSecond must be"),
    ],
    ids=str,
)
def test_a_delivery_policy_that_breaks_a_rule_is_told(policy, sentence):
    with pytest.raises(delivery_policy.PolicyError) as caught:
        delivery_policy.parse_topic(policy)
    assert str(caught.value).startswith(sentence)


def test_a_content_type_carries_no_line_feed_into_a_header():
    policy = json.dumps({"requestPolicy": {"headerContentType": "text/plain;\r\n charset=utf-8"}})
    assert delivery_policy.parse_subscription(policy).content_type == "text/plain; charset=UTF-8"


def test_the_effective_policies_have_the_shapes_of_the_api():
    assert json.loads(delivery_policy.DEFAULT.for_topic())["http"]["defaultHealthyRetryPolicy"] == {
        "numRetries": 3, "numNoDelayRetries": 0, "minDelayTarget": 20, "maxDelayTarget": 20, "numMinDelayRetries": 0,
        "numMaxDelayRetries": 0, "backoffFunction": "linear",
    }  # fmt: skip
    assert delivery_policy.parse_topic(delivery_policy.DEFAULT.for_topic()) == delivery_policy.DEFAULT
    assert delivery_policy.parse_subscription(delivery_policy.DEFAULT.for_subscription()) == delivery_policy.DEFAULT


# ---- messages and names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", ["x" * 101, "two\nlines", "tab\t", " blank first", "Grüße"])
def test_a_subject_that_breaks_the_rule_is_refused(subject):
    with pytest.raises(InvalidInput, match="A subject has at most 100 ASCII characters"):
        message_attributes.check_subject(subject)


@pytest.mark.parametrize(
    ("message", "structure", "sentence"),
    [
        ("", "", "Empty message"),
        ("x", "xml", "“xml” is no MessageStructure: it is json, or left out."),
        ("x", "json", "Message Structure - JSON message body failed to parse"),
        ('{"http": "x"}', "json", "Message Structure - No default entry in JSON message body"),
        ('{"default": 5}', "json", "Message Structure - No default entry in JSON message body"),
        (r'{"default": "x\u0000"}', "json", "Message Structure - JSON message body holds a NUL"),
        (r'{"default": "x", "\ud800": "y"}', "json", "Message Structure - JSON message body holds a NUL"),
    ],
)
def test_a_message_that_is_none_is_refused(message, structure, sentence):
    with pytest.raises(InvalidInput) as caught:
        message_attributes.bodies_of(message, structure)
    assert caught.value.message.startswith(f"Invalid parameter: {sentence}")
    assert caught.value.code == "InvalidParameterException"


@pytest.mark.parametrize("name", ["", ".a", "a.", "a..b", "AWS.x", "amazon.x", "a b", "x" * 257])
def test_a_name_that_no_attribute_may_have_is_refused(name):
    with pytest.raises(InvalidInput, match="can't name a message attribute"):
        message_attributes.check_attributes({name: {"DataType": "String", "StringValue": "x"}})


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"DataType": "Text", "StringValue": "x"},
        {"DataType": "String", "StringValue": ""},
        {"DataType": "String", "BinaryValue": "eA=="},
        {"DataType": "Number", "StringValue": "1_000"},
        {"DataType": "Number", "StringValue": "nan"},
        {"DataType": "Number", "StringValue": "1e999"},
        {"DataType": "String.Array", "StringValue": "[[1]]"},
        {"DataType": "String.Array", "StringValue": "{}"},
    ],
    ids=str,
)
def test_a_value_that_is_not_of_its_type_is_refused(value):
    with pytest.raises(InvalidInput, match="Invalid parameter"):
        message_attributes.check_attributes({"a": value})


def test_message_and_attributes_count_together():
    attributes = message_attributes.check_attributes({"a": {"DataType": "String", "StringValue": "é" * 100}})
    message_attributes.check_size("x" * (256 * 1024 - 207), attributes)
    with pytest.raises(InvalidInput, match="Message too long: 262145 bytes"):
        message_attributes.check_size("x" * (256 * 1024 - 206), attributes)


@pytest.mark.parametrize("name", ["", "a b", "x" * 257, "a/b", "ä", "a\n"])
def test_a_name_that_no_topic_may_have_is_refused(name):
    with pytest.raises(InvalidInput, match="Topic Name"):
        topics.check_name(name)


def test_fifo_topics_are_refused_with_a_sentence():
    with pytest.raises(InvalidInput, match="FIFO topics are not available on this server"):
        topics.check_name("orders.fifo")
