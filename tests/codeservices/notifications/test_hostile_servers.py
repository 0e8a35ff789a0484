"""Receivers that redirect, move inside, drip, never end, speak no HTTP, or are not who they say."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import pytest

from codeservices import outbound
from codeservices.iam.models import User
from codeservices.notifications import deliver, http_post, subscriptions
from codeservices.notifications.models import Attempt, Delivery, DeliveryState, Subscription, SubscriptionState, Topic
from tests.codeservices.notifications.sending import confirmed, sent
from tests.codeservices.receiver import make_certificate, receiver, status

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("here")]


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
