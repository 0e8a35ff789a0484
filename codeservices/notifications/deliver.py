"""Deliver: claim, send, note what came of it; redeliver."""

from __future__ import annotations

import uuid

from codeservices.iam.principal import Principal
from codeservices.notifications.models import Delivery


def redeliver(principal: Principal, delivery_id: uuid.UUID) -> Delivery:
    """Send a delivery's message to its subscription once more, as a delivery of its own.

    Raises:
        AccessDenied: Of sns:Publish on the topic.
        NotFound: There is no such delivery.
        InvalidInput: The subscription is gone.
    """
    raise NotImplementedError
