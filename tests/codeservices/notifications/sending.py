"""What sends messages to real web servers, and what a subscriber makes of them."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from django.test import Client

from codeservices.iam.models import User
from codeservices.notifications import deliver, publish, subscriptions
from codeservices.notifications.models import Delivery, Subscription, SubscriptionState, Topic
from tests.codeservices.receiver import Receiver

ORIGIN = "https://code.example:8443"


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
