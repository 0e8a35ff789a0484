"""A build's variables out of the two stores: read as its role, all problems at once, never in the trail."""

from __future__ import annotations

import json

import pytest

from builds import stored_values
from builds.environment import PARAMETER_STORE, PLAINTEXT, SECRETS_MANAGER, Variable
from builds.runner.executor import PhaseError
from codeservices.audit.models import Event, Outcome
from codeservices.secretstore.parameters.writing import Wanted, put_parameter
from codeservices.secretstore.secrets_manager.versions import Content
from codeservices.secretstore.secrets_manager.writing import create_secret, put_secret_value
from tests import factories
from tests.factories import SERVICE, allow

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/db-AbC123"
DOCUMENT = allow(
    "ssm:GetParameters",
    "secretsmanager:GetSecretValue",
    resource=["arn:aws:ssm:*:*:parameter/shop/*", "arn:aws:secretsmanager:*:*:secret:shop/*"],
)


@pytest.fixture
def stores(db) -> None:
    put_parameter(SERVICE, Wanted("/shop/key", "old key", type="SecureString"))
    put_parameter(SERVICE, Wanted("/shop/key", "new key", overwrite=True))
    put_parameter(SERVICE, Wanted("/other/key", "other", type="String"))
    create_secret(SERVICE, "shop/db", Content(b'{"user": "erin", "password": "old"}'))
    put_secret_value(SERVICE, "shop/db", Content(b'{"user": "erin", "password": "new"}'))
    create_secret(SERVICE, "shop/bytes", Content(b"\xff", is_binary=True))


def variables(**given: tuple[str, str]) -> dict[str, Variable]:
    return {name: Variable(name, value, kind) for name, (kind, value) in given.items()}


@pytest.mark.usefixtures("stores")
def test_values_are_read_as_the_role_and_the_trail_tells_of_each_once():
    erin = factories.user("erin", document=DOCUMENT).principal
    found = stored_values.values(
        erin,
        "shop:1",
        variables(
            PLAIN=(PLAINTEXT, "as it is"),
            KEY=(PARAMETER_STORE, "/shop/key"),
            AGAIN=(PARAMETER_STORE, "/shop/key"),
            OLD_KEY=(PARAMETER_STORE, "/shop/key:1"),
            USER=(SECRETS_MANAGER, "shop/db:user"),
            OLD=(SECRETS_MANAGER, "shop/db:password:AWSPREVIOUS"),
        ),
    )
    assert found == {"KEY": "new key", "AGAIN": "new key", "OLD_KEY": "old key", "USER": "erin", "OLD": "old"}
    events = list(Event.objects.filter(principal_name="erin").order_by("pk"))
    assert [(one.event_source.partition(".")[0], one.event_name) for one in events] == [
        ("ssm", "GetParameters"),
        ("ssm", "GetParameters"),
        ("secretsmanager", "GetSecretValue"),
        ("secretsmanager", "GetSecretValue"),
    ]
    assert events[0].additional_event_data == {"build": "shop:1"}
    assert events[3].request_parameters == {"secretId": "shop/db", "versionStage": "AWSPREVIOUS"}
    told = json.dumps([[one.request_parameters, one.response_elements, one.error_message] for one in events])
    assert not any(value in told for value in ("new key", "old key", "erin"))


@pytest.mark.usefixtures("stores")
def test_everything_that_is_missing_or_refused_is_told_at_once():
    erin = factories.user("erin", document=DOCUMENT).principal
    with pytest.raises(PhaseError) as caught:
        stored_values.values(
            erin,
            "shop:1",
            variables(
                GOOD=(PARAMETER_STORE, "/shop/key"),
                NONE=(PARAMETER_STORE, "/shop/none"),
                DENIED=(PARAMETER_STORE, "/other/key"),
                ODD=(PARAMETER_STORE, "two words"),
                GONE=(SECRETS_MANAGER, "shop/gone"),
                NO_KEY=(SECRETS_MANAGER, "shop/db:port"),
                BYTES=(SECRETS_MANAGER, "shop/bytes"),
                BOTH=(SECRETS_MANAGER, "shop/db::AWSCURRENT:abc"),
            ),
        )
    error = caught.value
    assert error.status_code == "CLIENT_ERROR"
    sentences = error.message.split("; ")
    assert sentences[0] == "Parameter does not exist: /shop/none (NONE)"
    assert "is not authorized to perform: ssm:GetParameters on resource" in sentences[1]
    assert "parameter/other/key" in sentences[1] and sentences[1].endswith("(DENIED)")
    assert sentences[2].startswith("ValidationException: Invalid parameter name: “two words”")
    assert sentences[3] == "Secrets Manager can't find the specified secret: shop/gone (GONE)"
    assert sentences[4:] == [
        "ResourceNotFoundException: The secret shop/db has no key port. (NO_KEY)",
        "InvalidRequestException: The secret shop/bytes holds binary data, which no variable can have. (BYTES)",
        "“shop/db::AWSCURRENT:abc” has both a version stage and a version id: it may have one. (BOTH)",
    ]
    assert "new key" not in error.message
    denied = Event.objects.filter(outcome=Outcome.DENIED).get()
    assert denied.resource_name == "other/key"
