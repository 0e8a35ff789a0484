"""SNS as boto3, the aws command and Terraform's provider use it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from codeservices import outbound
from codeservices.audit import cloudtrail
from codeservices.audit.models import Event
from codeservices.notifications import deliver, outbox
from codeservices.notifications.models import Message, Subscription, SubscriptionState, Topic
from tests import factories
from tests.codeservices.receiver import Receiver, receiver
from tests.compat.refusals import refusal

ACCOUNT = "123456789012"
ARN = f"arn:aws:sns:us-east-1:{ACCOUNT}:"


@pytest.fixture(autouse=True)
def _reachable(settings, monkeypatch) -> None:
    settings.OUTBOUND_RULES = outbound.Rules(["localhost"])
    monkeypatch.setattr(outbox, "wake", lambda *_, **__: True)  # no broker runs here; `deliver_all` is its part


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def sns(alice, client_of):
    return client_of(alice, "sns")


def deliver_all() -> None:
    while pks := deliver.due():
        for pk in pks:
            deliver.deliver(pk)


def test_a_topic_is_made_once_read_changed_and_deleted(sns):
    made = sns.create_topic(Name="news", Attributes={"DisplayName": "News"}, Tags=[{"Key": "a", "Value": "b"}])
    arn = made["TopicArn"]
    assert arn == f"{ARN}news"
    assert sns.create_topic(Name="news")["TopicArn"] == arn
    assert sns.create_topic(Name="news", Attributes={"DisplayName": "News"})["TopicArn"] == arn
    assert refusal(sns.create_topic, Name="news", Attributes={"DisplayName": "Other"})[:2] == ("InvalidParameter", 400)
    assert "different tags" in refusal(sns.create_topic, Name="news", Tags=[{"Key": "a", "Value": "c"}])[2]
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    expected = {"TopicArn": arn, "Owner": ACCOUNT, "DisplayName": "News", "SubscriptionsPending": "0",
                "SubscriptionsConfirmed": "0", "SubscriptionsDeleted": "0", "SignatureVersion": "1",
                "TracingConfig": "PassThrough"}  # fmt: skip
    assert {name: attributes[name] for name in expected} == expected
    assert json.loads(attributes["Policy"])["Id"] == "__default_policy_ID"
    retries = json.loads(attributes["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"]
    assert (retries, "DeliveryPolicy" in attributes) == (3, False)
    sns.set_topic_attributes(TopicArn=arn, AttributeName="SignatureVersion", AttributeValue="2")
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SignatureVersion"] == "2"
    assert sns.list_topics()["Topics"] == [{"TopicArn": arn}]
    for _ in range(2):
        sns.delete_topic(TopicArn=arn)
    assert refusal(sns.get_topic_attributes, TopicArn=arn)[:2] == ("NotFound", 404)


def test_lists_come_a_hundred_a_page(sns):
    Topic.objects.bulk_create(Topic(name=f"t{number:03d}") for number in range(230))
    Topic.objects.create(name="hidden", managed_by="repository x trigger y")
    pages = list(sns.get_paginator("list_topics").paginate())
    assert [len(page["Topics"]) for page in pages] == [100, 100, 30]
    assert refusal(sns.list_topics, NextToken="made-up")[:2] == ("InvalidParameter", 400)


def test_tags_are_read_and_changed(sns):
    arn = sns.create_topic(Name="news", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
    sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "c", "Value": ""}, {"Key": "a", "Value": "z"}])
    sns.untag_resource(ResourceArn=arn, TagKeys=["none"])
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [
        {"Key": "a", "Value": "z"},
        {"Key": "c", "Value": ""},
    ]
    assert refusal(sns.list_tags_for_resource, ResourceArn=f"{ARN}none")[:2] == ("ResourceNotFound", 404)
    many = [{"Key": str(number), "Value": "x"} for number in range(51)]
    assert refusal(sns.tag_resource, ResourceArn=arn, Tags=many)[:2] == ("TagLimitExceeded", 400)


def test_an_endpoint_subscribes_confirms_and_gets_what_is_published(sns, hook):
    arn = sns.create_topic(Name="news")["TopicArn"]
    asked = sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=hook.url)
    assert asked["SubscriptionArn"] == "pending confirmation"
    [row] = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert row == {"SubscriptionArn": "PendingConfirmation", "Owner": ACCOUNT, "Protocol": "http",
                   "Endpoint": hook.url, "TopicArn": arn}  # fmt: skip
    deliver_all()
    token = hook.last.members["Token"]
    confirmed = sns.confirm_subscription(TopicArn=arn, Token=token, AuthenticateOnUnsubscribe="true")["SubscriptionArn"]
    assert confirmed.startswith(f"{arn}:")
    assert [one["SubscriptionArn"] for one in sns.list_subscriptions()["Subscriptions"]] == [confirmed]
    attributes = sns.get_subscription_attributes(SubscriptionArn=confirmed)["Attributes"]
    expected = {"ConfirmationWasAuthenticated": "true", "PendingConfirmation": "false", "RawMessageDelivery": "false",
                "Protocol": "http", "Endpoint": hook.url}  # fmt: skip
    assert {name: attributes[name] for name in expected} == expected
    sns.set_subscription_attributes(
        SubscriptionArn=confirmed, AttributeName="FilterPolicy", AttributeValue='{"kind": ["storm"]}'
    )
    attributes = sns.get_subscription_attributes(SubscriptionArn=confirmed)["Attributes"]
    assert (attributes["FilterPolicy"], attributes["FilterPolicyScope"]) == ('{"kind": ["storm"]}', "MessageAttributes")
    told = {
        "kind": {"DataType": "String", "StringValue": "storm"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x01"},
    }
    published = sns.publish(TopicArn=arn, Message="wind", Subject="Weather", MessageAttributes=told)
    sns.publish(TargetArn=arn, Message="calm")
    deliver_all()
    members = hook.last.members
    assert (members["MessageId"], members["Message"], members["Subject"]) == (published["MessageId"], "wind", "Weather")
    assert members["MessageAttributes"] == {
        "kind": {"Type": "String", "Value": "storm"}, "raw": {"Type": "Binary", "Value": "AQ=="}
    }  # fmt: skip
    assert len(hook.taken) == 2
    for _ in range(2):
        sns.unsubscribe(SubscriptionArn=confirmed)
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SubscriptionsDeleted"] == "1"
    kept = json.dumps([cloudtrail.record(event) for event in Event.objects.all()])
    assert token not in kept and "wind" not in kept and "(4 characters)" in kept


@pytest.mark.parametrize(
    ("protocol", "endpoint", "sentence"),
    [
        ("sqs", f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "sqs subscriptions are not available on this server"),
        ("email", "a@example.org", "email subscriptions are not available on this server"),
        ("carrier-pigeon", "x", "It is http or https."),
        ("https", "", "The URL must begin with https://"),
        ("https", "http://localhost/", "The URL must begin with https://"),
        ("https", "https://user:pass@localhost/", "carries no user name or password"),
        ("http", "http://169.254.169.254/latest/meta-data", "an address of this machine or of a private network"),
        ("http", "http://[::ffff:10.0.0.1]/", "an address of this machine or of a private network"),
    ],
)
def test_an_endpoint_that_nothing_is_sent_to_is_refused(sns, protocol, endpoint, sentence):
    arn = sns.create_topic(Name="news")["TopicArn"]
    code, status, message = refusal(sns.subscribe, TopicArn=arn, Protocol=protocol, Endpoint=endpoint)
    assert (code, status) == ("InvalidParameter", 400)
    assert sentence in message
    assert not Subscription.all_objects.exists()


def test_what_is_not_here_is_told(sns):
    assert (
        "FIFO topics are not available" in refusal(sns.create_topic, Name="a.fifo", Attributes={"FifoTopic": "true"})[2]
    )
    arn = sns.create_topic(Name="news")["TopicArn"]
    wrong = {
        "KmsMasterKeyId": "alias/aws/sns",
        "TracingConfig": "Active",
        "HTTPSuccessFeedbackRoleArn": "arn:aws:iam::1:role/x",
        "HTTPSuccessFeedbackSampleRate": "50",
        "Invented": "x",
        "Policy": '{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sns:*", "Resource": "*"}]}',
        "DeliveryPolicy": "{}{}",
    }
    for name, value in wrong.items():
        code = refusal(sns.set_topic_attributes, TopicArn=arn, AttributeName=name, AttributeValue=value)
        assert code[:2] == ("InvalidParameter", 400), name
    nothing = {"AttributeName": "SQSSuccessFeedbackSampleRate", "AttributeValue": "0"}
    sns.set_topic_attributes(TopicArn=arn, **nothing)  # as Terraform says of every topic
    assert "Text messages are not available" in refusal(sns.publish, PhoneNumber="+15555550100", Message="x")[2]
    assert refusal(sns.publish, TopicArn="nonsense", Message="x")[:2] == ("InvalidParameter", 400)
    assert refusal(sns.publish, TopicArn=arn, Message="")[2] == "Invalid parameter: Empty message"


def test_a_batch_sends_what_it_can(sns):
    arn = sns.create_topic(Name="news")["TopicArn"]
    entries = [{"Id": "good", "Message": "x"}, {"Id": "bad", "Message": "x", "Subject": "a\nb"}]
    answer = sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=entries)
    assert [one["Id"] for one in answer["Successful"]] == ["good"]
    assert [(one["Id"], one["Code"], one["SenderFault"]) for one in answer["Failed"]] == [
        ("bad", "InvalidParameter", True)
    ]
    assert Message.objects.count() == 1
    for wrong, code in (
        ([{"Id": "a", "Message": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": str(number), "Message": "x"} for number in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a b", "Message": "x"}], "InvalidBatchEntryId"),
        ([{"Id": str(number), "Message": "x" * 140_000} for number in range(2)], "BatchRequestTooLong"),
    ):
        assert refusal(sns.publish_batch, TopicArn=arn, PublishBatchRequestEntries=wrong)[0] == code


def test_what_policies_refuse_is_called_as_sns_calls_it(carol, client_of, sns):
    arn = sns.create_topic(Name="news")["TopicArn"]
    code, status, message = refusal(client_of(carol, "sns").publish, TopicArn=arn, Message="x")
    assert (code, status) == ("AuthorizationError", 403)
    assert message.endswith(
        f"is not authorized to perform: sns:Publish on resource: {arn} because no identity-based policy allows the "
        "sns:Publish action"
    )


def test_a_policy_about_tags_decides_on_topics(client_of, sns):
    document = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "sns:Publish",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "ops"}},
        },
    }
    dora = client_of(factories.user("dora", document=document), "sns")
    open_arn = sns.create_topic(Name="open", Tags=[{"Key": "team", "Value": "ops"}])["TopicArn"]
    closed_arn = sns.create_topic(Name="closed")["TopicArn"]
    assert dora.publish(TopicArn=open_arn, Message="x")["MessageId"]
    assert refusal(dora.publish, TopicArn=closed_arn, Message="x")[0] == "AuthorizationError"


def test_a_power_user_of_codecommit_subscribes_to_its_topics_alone(client_of, sns):
    dora = client_of(factories.user("dora", "AWSCodeCommitPowerUser"), "sns")
    for name in ("codecommit-news", "news"):
        sns.create_topic(Name=name)
    endpoint = {"Protocol": "http", "Endpoint": "http://localhost:1/"}
    assert dora.subscribe(TopicArn=f"{ARN}codecommit-news", **endpoint)["SubscriptionArn"] == "pending confirmation"
    assert refusal(dora.subscribe, TopicArn=f"{ARN}news", **endpoint)[0] == "AuthorizationError"
    assert refusal(dora.create_topic, Name="codecommit-more")[0] == "AuthorizationError"
    full = client_of(factories.user("erin", "AWSCodeCommitFullAccess"), "sns")
    assert full.create_topic(Name="codecommit-more")["TopicArn"] == f"{ARN}codecommit-more"
    assert refusal(full.create_topic, Name="more")[0] == "AuthorizationError"
    assert len(full.list_topics()["Topics"]) == 3


def test_terraform_makes_reads_changes_and_removes_a_topic_with_a_subscription(sns, hook):
    """The calls of the AWS provider's aws_sns_topic and aws_sns_topic_subscription, in its order."""
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "codestar-notifications.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": f"{ARN}news",
                }
            ],
        }
    )
    delivery = json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 5}}})
    arn = sns.create_topic(Name="news", Attributes={}, Tags=[{"Key": "Name", "Value": "news"}])["TopicArn"]
    for name, value in {
        "DisplayName": "News",
        "Policy": policy,
        "DeliveryPolicy": delivery,
        "SignatureVersion": "2",
    }.items():
        sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value)
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert (attributes["Policy"], attributes["DeliveryPolicy"]) == (policy, delivery)
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "Name", "Value": "news"}]

    subscription = sns.subscribe(
        TopicArn=arn,
        Protocol="http",
        Endpoint=hook.url,
        ReturnSubscriptionArn=True,
        Attributes={"RawMessageDelivery": "true", "FilterPolicy": '{"a":["b"]}', "FilterPolicyScope": "MessageBody"},
    )["SubscriptionArn"]
    read = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert (read["PendingConfirmation"], read["RawMessageDelivery"], read["FilterPolicyScope"]) == (
        "true", "true", "MessageBody"
    )  # fmt: skip
    Subscription.objects.update(state=SubscriptionState.CONFIRMED)  # endpoint_auto_confirms
    sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue="{}")
    sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="false"
    )
    read = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert (read["PendingConfirmation"], read["RawMessageDelivery"], "FilterPolicy" in read) == (
        "false",
        "false",
        False,
    )
    sns.unsubscribe(SubscriptionArn=subscription)
    assert refusal(sns.get_subscription_attributes, SubscriptionArn=subscription)[:2] == ("NotFound", 404)
    sns.delete_topic(TopicArn=arn)
    assert refusal(sns.get_topic_attributes, TopicArn=arn)[:2] == ("NotFound", 404)


def test_the_aws_command_goes_the_whole_way(aws, hook):
    def run(*arguments: str) -> dict[str, str]:
        done = aws("sns", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    arn = run("create-topic", "--name", "news")["TopicArn"]
    run("subscribe", "--topic-arn", arn, "--protocol", "http", "--notification-endpoint", hook.url)
    Subscription.objects.update(state=SubscriptionState.CONFIRMED)
    message_id = run("publish", "--topic-arn", arn, "--subject", "Hello", "--message", "from the shell")["MessageId"]
    deliver_all()
    assert (hook.last.members["MessageId"], hook.last.members["Message"]) == (message_id, "from the shell")
