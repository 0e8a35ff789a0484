"""What is sent: the layout, the signature, the text of each protocol, and which messages."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest

from codeservices.notifications import publish, topics
from codeservices.notifications.models import DeliveryState, SigningCertificate
from tests.codeservices.notifications.sending import confirmed, run_all, sent, verified

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("here")]

ACCOUNT = "123456789012"


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_notification_has_the_layout_and_a_signature_that_verifies(alice, topic, hook, version):
    topics.set_topic_attribute(alice.principal, topic.arn, "SignatureVersion", version)
    found = confirmed(alice, topic, hook)
    message = publish.publish(
        alice.principal,
        topic.arn,
        'Ünïcode "quoted"\nline',
        "Weather",
        {"n": {"DataType": "Number", "StringValue": "5"}},
    )
    run_all()
    taken = hook.last
    assert list(taken.members) == [
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
        "SigningCertURL", "UnsubscribeURL", "MessageAttributes",
    ]  # fmt: skip
    assert taken.body.startswith(f'{{\n  "Type" : "Notification",\n  "MessageId" : "{message.message_id}",\n')
    assert '  "MessageAttributes" : {\n    "n" : {"Type":"Number","Value":"5"}\n  }\n}' in taken.body
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", taken.members["Timestamp"])
    assert taken.members["SignatureVersion"] == version
    assert verified(taken.members)
    wanted = {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": str(message.message_id),
        "x-amz-sns-topic-arn": f"arn:aws:sns:us-east-1:{ACCOUNT}:news",
        "x-amz-sns-subscription-arn": found.arn,
        "content-type": "text/plain; charset=UTF-8",
        "user-agent": "Amazon Simple Notification Service Agent",
        "accept-encoding": "gzip,deflate",
        "host": urlsplit(hook.url).netloc,
    }
    assert {name: taken.headers.get(name) for name in wanted} == wanted


def test_raw_delivery_sends_the_message_alone(alice, topic, hook):
    confirmed(alice, topic, hook, RawMessageDelivery="true")
    sent(alice, topic, '{"a":1}')
    assert (hook.last.body, hook.last.headers["x-amz-sns-rawdelivery"]) == ('{"a":1}', "true")


def test_each_protocol_gets_its_own_text(alice, topic, hook):
    confirmed(alice, topic, hook)
    texts = {"default": "for all", "http": "for http", "sqs": 5}
    sent(alice, topic, json.dumps(texts), structure="json")
    assert hook.last.members["Message"] == "for http"


def test_a_filter_keeps_messages_back(alice, topic, hook):
    confirmed(alice, topic, hook, FilterPolicy='{"kind": ["storm"]}')
    storm = {"kind": {"DataType": "String", "StringValue": "storm"}}
    assert publish.publish(alice.principal, topic.arn, "calm").deliveries.count() == 0
    assert sent(alice, topic, "wind", attributes=storm).state == DeliveryState.SUCCEEDED


def test_a_certificate_is_used_for_a_year_and_read_for_ever(alice, topic, hook, clock):
    confirmed(alice, topic, hook)
    sent(alice, topic)
    old = hook.last.members
    clock.advance(days=366)
    sent(alice, topic)
    assert hook.last.members["SigningCertURL"] != old["SigningCertURL"]
    assert verified(old)
    assert "PRIVATE" not in str(SigningCertificate.objects.values_list("sealed_key", "certificate_pem"))
