"""Messages reach real web servers: the handshake, the layout, the signature, retries, limits and the outbound guard."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from django.db import transaction
from django.test import Client
from django.utils import timezone

from codeservices import outbound
from codeservices.iam.models import User
from codeservices.notifications import deliver, delivery_log, http_post, outbox, publish, signing, subscriptions, topics
from codeservices.notifications.models import (
    Attempt,
    Delivery,
    DeliveryState,
    Message,
    SigningCertificate,
    Subscription,
    SubscriptionState,
    Topic,
)
from tests.codeservices.receiver import Receiver, make_certificate, receiver, status

pytestmark = pytest.mark.django_db

ACCOUNT = "123456789012"
ORIGIN = "https://code.example:8443"


@pytest.fixture(scope="module")
def certificate(django_db_setup, django_db_blocker) -> dict[str, str]:
    """One signing key for all tests here: making one takes longer than most of them."""
    with django_db_blocker.unblock(), transaction.atomic():
        made = signing.current()
        transaction.set_rollback(True)
    return {name: getattr(made, name) for name in ("name", "certificate_pem", "sealed_key")}


@pytest.fixture(autouse=True)
def _here(settings, monkeypatch, db, certificate) -> None:
    settings.OUTBOUND_RULES = outbound.Rules(["localhost"])
    settings.BASE_URL = ORIGIN
    SigningCertificate.objects.create(**certificate)
    monkeypatch.setattr(outbox, "wake", lambda *_, **__: True)  # the broker; `run_all` is what it would wake


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def topic(alice: User) -> Topic:
    return topics.create_topic(alice.principal, "news")


def run_all() -> None:
    """What the workers do, without waiting for what is to be tried again later."""
    while pks := deliver.due():
        for pk in pks:
            deliver.deliver(pk)


def confirmed(alice: User, topic: Topic, hook: Receiver, **attributes: str) -> Subscription:
    found = subscriptions.subscribe(alice.principal, topic.arn, hook.url.partition(":")[0], hook.url, attributes)
    Subscription.objects.filter(pk=found.pk).update(state=SubscriptionState.CONFIRMED)
    Delivery.objects.all().delete()
    found.refresh_from_db()
    return found


def sent(alice: User, topic: Topic, text: str = "hello", **options) -> Delivery:
    """Publish, run the workers, and tell what became of it."""
    message = publish.publish(alice.principal, topic.arn, text, **options)
    run_all()
    return message.deliveries.get()


def verified(members: dict[str, str]) -> bool:
    """Whether a subscriber that follows the guide believes the message; raises InvalidSignature where not."""
    keys = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    if members["Type"] == "Notification":
        keys.remove("SubscribeURL"), keys.remove("Token")
    text = "".join(f"{key}\n{members[key]}\n" for key in keys if key in members)
    path = urlsplit(members["SigningCertURL"]).path
    pem = Client().get(path)
    assert (pem.status_code, members["SigningCertURL"]) == (200, ORIGIN + path)
    key = x509.load_pem_x509_certificate(pem.content).public_key()
    digest = {"1": hashes.SHA1(), "2": hashes.SHA256()}[members["SignatureVersion"]]
    key.verify(base64.b64decode(members["Signature"]), text.encode(), padding.PKCS1v15(), digest)
    return True


# ---- the handshake ---------------------------------------------------------------------------------------------------


def test_an_endpoint_is_asked_confirms_by_its_link_and_gets_messages(alice, topic, hook):
    pending = subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    run_all()
    asked = hook.last
    assert asked.path == "/hook"
    assert list(asked.members) == [
        "Type", "MessageId", "Token", "TopicArn", "Message", "SubscribeURL", "Timestamp", "SignatureVersion",
        "Signature", "SigningCertURL",
    ]  # fmt: skip
    assert asked.members["Message"] == (
        f"You have chosen to subscribe to the topic {topic.arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    )
    assert asked.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert "x-amz-sns-subscription-arn" not in asked.headers
    assert verified(asked.members)

    link = urlsplit(asked.members["SubscribeURL"])
    assert parse_qs(link.query) == {
        "Action": ["ConfirmSubscription"], "TopicArn": [topic.arn], "Token": [asked.members["Token"]]
    }  # fmt: skip
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{ORIGIN}/"
    answer = Client().get(f"/?{link.query}")
    assert answer.status_code == 200
    assert f"<SubscriptionArn>{pending.arn}</SubscriptionArn></ConfirmSubscriptionResult>" in answer.content.decode()
    assert Client().get(f"/?{link.query}").content.count(b"SubscriptionArn") == 2  # a second visit changes nothing

    delivery = sent(alice, topic, "It rains.", subject="Weather")
    assert (delivery.state, delivery.attempt_count, delivery.last_status) == (DeliveryState.SUCCEEDED, 1, 200)
    assert hook.last.members["Message"] == "It rains."


def test_a_token_is_kept_as_a_hash_and_shown_to_nobody(alice, topic, hook):
    subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    run_all()
    token = hook.last.members["Token"]
    kept = [*Subscription.objects.values_list("token_hash"), *Message.objects.values_list("sealed_token")]
    kept += Delivery.objects.values_list("request_body")
    assert token not in str(kept)
    assert '"Token" : "HIDDEN"' in Delivery.objects.get().request_body


@pytest.mark.parametrize("wrong", ["", "x" * 43])
def test_a_wrong_token_confirms_nothing(alice, topic, hook, wrong):
    found = subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    answer = Client().get("/", {"Action": "ConfirmSubscription", "TopicArn": topic.arn, "Token": wrong})
    assert (answer.status_code, b"<Code>InvalidParameter</Code>" in answer.content) == (400, True)
    found.refresh_from_db()
    assert found.is_pending


def test_a_token_is_worth_nothing_for_another_topic_or_after_three_days(alice, topic, hook, clock):
    other = topics.create_topic(alice.principal, "other")
    found = subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    run_all()
    query = {"Action": "ConfirmSubscription", "TopicArn": other.arn, "Token": hook.last.members["Token"]}
    assert Client().get("/", query).status_code == 400
    clock.advance(days=3, seconds=1)
    answer = Client().get("/", {**query, "TopicArn": topic.arn})
    assert (answer.status_code, b"expired" in answer.content) == (400, True)
    found.refresh_from_db()
    assert found.is_pending


def test_subscribing_again_asks_again_and_the_first_link_is_void(alice, topic, hook):
    first = subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    run_all()
    old = hook.last.members["SubscribeURL"]
    again = subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    run_all()
    assert (again.pk, len(hook.taken)) == (first.pk, 2)
    assert Client().get(f"/?{urlsplit(old).query}").status_code == 400
    assert Client().get(f"/?{urlsplit(hook.last.members['SubscribeURL']).query}").status_code == 200


def test_an_endpoint_unsubscribes_by_its_link_is_told_and_takes_it_back(alice, topic, hook):
    found = confirmed(alice, topic, hook)
    sent(alice, topic)
    link = urlsplit(hook.last.members["UnsubscribeURL"])
    assert parse_qs(link.query) == {"Action": ["Unsubscribe"], "SubscriptionArn": [found.arn]}
    assert Client().get(f"/?{link.query}").status_code == 200
    assert not Subscription.objects.exists()
    run_all()
    told = hook.last
    assert told.headers["x-amz-sns-message-type"] == told.members["Type"] == "UnsubscribeConfirmation"
    assert told.headers["x-amz-sns-subscription-arn"] == found.arn
    assert verified(told.members)
    assert publish.publish(alice.principal, topic.arn, "nobody hears this").deliveries.count() == 0
    assert Client().get(f"/?{urlsplit(told.members['SubscribeURL']).query}").status_code == 200
    assert sent(alice, topic).state == DeliveryState.SUCCEEDED


def test_an_endpoint_that_a_person_has_sent_away_does_not_come_back_by_itself(alice, topic, hook):
    found = confirmed(alice, topic, hook)
    subscriptions.unsubscribe(alice.principal, found.arn)
    run_all()
    assert hook.last.members["Type"] == "UnsubscribeConfirmation"
    assert "does not restore it" in hook.last.members["Message"]
    assert Client().get(f"/?{urlsplit(hook.last.members['SubscribeURL']).query}").status_code == 400
    assert not Subscription.objects.exists()


def test_only_get_opens_the_links_and_only_these_two(topic):
    for query in ({"Action": "ListTopics", "Version": "2010-03-31"}, {"Action": "DeleteTopic", "TopicArn": topic.arn}):
        assert Client().get("/", query).status_code in (400, 403)
    link = {"Action": "Unsubscribe", "SubscriptionArn": f"{topic.arn}:00000000-0000-4000-8000-000000000000"}
    assert Client().get("/", link).status_code == 200
    form = {"data": urlencode({**link, "Version": "2010-03-31"}), "content_type": "application/x-www-form-urlencoded"}
    assert Client().post("/", **form).status_code == 403
    assert Topic.objects.exists()


# ---- what is sent ----------------------------------------------------------------------------------------------------


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


# ---- retries ---------------------------------------------------------------------------------------------------------


def test_an_error_of_the_server_is_tried_again_with_the_same_message(alice, topic, hook, clock):
    confirmed(alice, topic, hook)
    hook.answers = [status(500, b"busy"), status(429), status(503), status(204)]
    delivery = sent(alice, topic)
    assert (delivery.state, delivery.last_error) == (DeliveryState.WAITING, "The endpoint answered with status 500.")
    for _ in range(3):
        wait = delivery.next_attempt_at - timezone.now()
        assert timedelta(seconds=17) < wait <= timedelta(seconds=22)
        clock.advance(seconds=wait.total_seconds() + 1)
        run_all()
        delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt_count, delivery.last_error) == (DeliveryState.SUCCEEDED, 4, "")
    assert len({one.body for one in hook.taken}) == 1
    told = [(one.number, one.response_status, one.response_body) for one in delivery.attempts.all()]
    assert told == [(1, 500, "busy"), (2, 429, ""), (3, 503, ""), (4, 204, "")]


def test_after_the_last_retry_a_delivery_has_failed(alice, topic, hook, clock):
    confirmed(alice, topic, hook, DeliveryPolicy='{"healthyRetryPolicy": {"numRetries": 1}}')
    hook.answers = [status(500)]
    delivery = sent(alice, topic)
    clock.advance(seconds=30)
    run_all()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt_count) == (DeliveryState.FAILED, 2)


@pytest.mark.parametrize("code", [400, 404, 410])
def test_an_error_of_the_request_is_final(alice, topic, hook, code):
    confirmed(alice, topic, hook)
    hook.answers = [status(code)]
    delivery = sent(alice, topic)
    assert (delivery.state, delivery.last_error) == (
        DeliveryState.FAILED, f"The endpoint answered with status {code}."
    )  # fmt: skip


def test_redelivering_sends_the_same_message_once_more(alice, topic, hook):
    confirmed(alice, topic, hook)
    hook.answers = [status(404), status(200)]
    failed = sent(alice, topic)
    again = delivery_log.redeliver(alice.principal, failed.delivery_id)
    run_all()
    again.refresh_from_db()
    assert (again.state, again.is_redelivery, again.message_id) == (DeliveryState.SUCCEEDED, True, failed.message_id)
    assert hook.taken[0].body == hook.taken[1].body


def test_a_delivery_is_sent_once_however_often_its_message_comes(alice, topic, hook):
    confirmed(alice, topic, hook)
    delivery = sent(alice, topic)
    assert [deliver.deliver(delivery.pk) for _ in range(3)] == [False, False, False]
    assert len(hook.taken) == 1


def test_what_a_dead_worker_held_is_sent_by_another(alice, topic, hook, clock):
    confirmed(alice, topic, hook)
    message = publish.publish(alice.principal, topic.arn, "hello")
    dead = deliver.claim(message.deliveries.get().pk)
    assert (dead is not None, deliver.due()) == (True, [])
    clock.advance(seconds=deliver.LEASE.total_seconds() + 1)
    run_all()
    delivery = message.deliveries.get()
    assert (delivery.state, delivery.attempt_count, len(hook.taken)) == (DeliveryState.SUCCEEDED, 2, 1)


def test_one_receiver_has_two_places_and_another_waits_for_none(alice, topic, hook):
    confirmed(alice, topic, hook)
    many = [publish.publish(alice.principal, topic.arn, str(number)).deliveries.get().pk for number in range(4)]
    with receiver() as other:
        other_topic = topics.create_topic(alice.principal, "other")
        confirmed_pks = set(many)
        subscription = subscriptions.subscribe(alice.principal, other_topic.arn, "http", other.url)
        Subscription.objects.filter(pk=subscription.pk).update(state=SubscriptionState.CONFIRMED)
        lone = publish.publish(alice.principal, other_topic.arn, "x").deliveries.get().pk
        claimed = [pk for pk in (*many, lone) if deliver.claim(pk) is not None]
    assert claimed == [*many[:2], lone]
    assert confirmed_pks.isdisjoint({lone})


def test_a_throttle_spreads_messages(alice, topic, hook, clock):
    confirmed(alice, topic, hook, DeliveryPolicy='{"throttlePolicy": {"maxReceivesPerSecond": 1}}')
    pks = [publish.publish(alice.principal, topic.arn, str(number)).deliveries.get().pk for number in range(2)]
    assert [deliver.deliver(pk) for pk in pks] == [True, False]
    wait = Delivery.objects.get(pk=pks[1]).next_attempt_at - timezone.now()
    assert wait == timedelta(seconds=1)


def test_what_nobody_wants_any_more_is_not_sent(alice, topic, hook):
    found = confirmed(alice, topic, hook)
    message = publish.publish(alice.principal, topic.arn, "late")
    subscriptions.unsubscribe(alice.principal, found.arn)
    run_all()
    assert [one.members["Type"] for one in hook.taken] == ["UnsubscribeConfirmation"]
    assert message.deliveries.get().last_error == "The subscription was ended before this was delivered."


def test_old_deliveries_are_removed_and_running_ones_kept(alice, topic, hook, clock):
    confirmed(alice, topic, hook)
    sent(alice, topic)
    hook.answers = [status(500)]
    sent(alice, topic)
    clock.advance(days=31)
    assert delivery_log.prune(30) == 1
    assert [one.state for one in Delivery.objects.all()] == [DeliveryState.WAITING]
    assert (Attempt.objects.count(), Message.objects.filter(deliveries=None).count()) == (1, 0)


# ---- hostile servers -------------------------------------------------------------------------------------------------


def failure(alice: User, topic: Topic) -> str:
    return sent(alice, topic).last_error


def test_a_redirect_is_not_followed(alice, topic, hook):
    with receiver() as elsewhere:
        confirmed(alice, topic, hook)
        hook.answers = [status(302, Location=elsewhere.url)]
        delivery = sent(alice, topic)
        assert (delivery.state, elsewhere.taken) == (DeliveryState.FAILED, [])
        assert delivery.last_error.startswith("The endpoint answered with a redirect (302), and none is followed")


def test_a_name_that_comes_to_lead_inside_is_refused_at_the_attempt(alice, topic, hook, settings, monkeypatch):
    settings.OUTBOUND_RULES = outbound.Rules([])
    real = socket.getaddrinfo
    answers = iter(["93.184.216.34", "169.254.169.254", "127.0.0.1", "::ffff:127.0.0.1"])
    port = urlsplit(hook.url).port

    def rebound(host, *arguments, **options):
        return real(next(answers) if host == "moving.example" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    found = subscriptions.subscribe(alice.principal, topic.arn, "http", f"http://moving.example:{port}/hook")
    Subscription.objects.filter(pk=found.pk).update(state=SubscriptionState.CONFIRMED)
    Delivery.objects.all().delete()
    for _ in range(3):
        assert "leads to an address of this machine or of a private network" in failure(alice, topic)
    assert hook.taken == []


def test_the_connection_goes_to_the_address_that_was_judged(alice, topic, hook, settings, monkeypatch):
    settings.OUTBOUND_RULES = outbound.Rules(["good.example"])
    real, asked = socket.getaddrinfo, []

    def once(host, *arguments, **options):
        asked.append(host)
        return real("127.0.0.1" if host == "good.example" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    hook.url = hook.url.replace("localhost", "good.example")
    confirmed(alice, topic, hook)
    asked.clear()
    assert sent(alice, topic).state == DeliveryState.SUCCEEDED
    assert asked.count("good.example") == 1
    assert hook.last.headers["host"] == urlsplit(hook.url).netloc


def test_a_server_that_drips_its_answer_is_left_when_the_time_is_over(alice, topic, hook, monkeypatch):
    monkeypatch.setattr(deliver, "TIMEOUT_SECONDS", 0.5)

    def drip(handler):
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    confirmed(alice, topic, hook)
    hook.answers = [drip]
    assert failure(alice, topic) == "No answer came within 0.5 seconds."  # at its end it would be "no HTTP"


def test_a_server_that_never_ends_is_read_up_to_a_limit(alice, topic, hook):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"x" * 65536)

    confirmed(alice, topic, hook)
    hook.answers = [endless]
    delivery = sent(alice, topic)
    assert delivery.state == DeliveryState.SUCCEEDED
    assert len(delivery.attempts.get().response_body) == http_post.MAX_BODY_BYTES


def test_what_is_no_http_and_who_is_not_there_are_told(alice, topic, hook, settings):
    confirmed(alice, topic, hook)
    hook.answers = [lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\0\r\n")]
    assert failure(alice, topic) == "The answer is no HTTP: BadStatusLine."
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings.OUTBOUND_RULES = outbound.Rules(["127.0.0.1"])
    hook.url = f"http://127.0.0.1:{port}/"
    Subscription.objects.all().delete()
    confirmed(alice, topic, hook)
    assert failure(alice, topic) == f"No connection to 127.0.0.1:{port}: Connection refused."


def test_texts_that_no_database_keeps_are_kept_readable(alice, topic, hook):
    confirmed(alice, topic, hook)
    hook.answers = [status(200, b"a\0b\xff", X_Odd="caf\xe9")]
    sent(alice, topic)
    assert Attempt.objects.get().response_body == "a�b�"


def test_tls_is_verified_for_the_host_of_the_url(alice, topic, tmp_path, settings):
    authority, certificate = make_certificate(tmp_path, "localhost")
    with receiver(certificate) as hook:
        confirmed(alice, topic, hook)
        assert failure(alice, topic).startswith("The certificate of localhost can't be trusted: ")
        settings.OUTBOUND_CA_BUNDLE = str(authority)
        delivery = sent(alice, topic)
        assert (delivery.state, delivery.attempts.get().address) == (DeliveryState.SUCCEEDED, "127.0.0.1")


def test_a_certificate_for_another_host_is_refused(alice, topic, tmp_path, settings):
    authority, certificate = make_certificate(tmp_path, "other.example")
    settings.OUTBOUND_CA_BUNDLE = str(authority)
    with receiver(certificate) as hook:
        confirmed(alice, topic, hook)
        assert "Hostname mismatch" in failure(alice, topic)
        assert hook.taken == []
