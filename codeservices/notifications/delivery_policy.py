"""Delivery policies: how often, and how long after each other, a message is tried again.

Source: Amazon SNS Developer Guide, "Creating an HTTP/S delivery policy": members, bounds, the four phases of retrying.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_RETRIES = 100
MAX_DELAY_SECONDS = 3600
# The whole of a policy's delays, so that no message waits for days.
MAX_TOTAL_SECONDS = 3600
CONTENT_TYPES = (
    "application/atom+xml",
    "application/json",
    "application/octet-stream",
    "application/soap+xml",
    "application/x-www-form-urlencoded",
    "application/xhtml+xml",
    "application/xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/plain",
    "text/xml",
)
DEFAULT_CONTENT_TYPE = "text/plain; charset=UTF-8"
# AWS names the functions without their formulas; what they have in common is that the first delay of the phase is the
# least and the last the greatest. Each maps 0…1 to 0…1, in the order of how late most of the delay comes.
_BACKOFF: dict[str, Callable[[float], float]] = {
    "linear": lambda place: place,
    "arithmetic": lambda place: place * (place + 1) / 2,
    "geometric": lambda place: place**2,
    "exponential": lambda place: (2 ** (8 * place) - 1) / 255,
}
_RETRY_MEMBERS: dict[str, int] = {
    "numRetries": 3,
    "numNoDelayRetries": 0,
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numMinDelayRetries": 0,
    "numMaxDelayRetries": 0,
}


class PolicyError(ValueError):
    """A delivery policy breaks a rule; the text is a sentence that says which."""


@dataclass(frozen=True)
class DeliveryPolicy:
    """What applies to one subscription.

    Attributes:
        retry: The members of healthyRetryPolicy but backoffFunction: numbers, delays in seconds.
        backoff: The function's name.
        content_type: The Content-Type of what is sent.
        max_per_second: How often a message may be sent, or None.
        allows_overrides: Of a topic's policy, whether a subscription's beats it.
    """

    retry: tuple[tuple[str, int], ...] = tuple(_RETRY_MEMBERS.items())
    backoff: str = "linear"
    content_type: str = DEFAULT_CONTENT_TYPE
    max_per_second: int | None = None
    allows_overrides: bool = True

    @property
    def max_attempts(self) -> int:
        """The first one and every retry."""
        return 1 + dict(self.retry)["numRetries"]

    def delays(self) -> list[float]:
        """Seconds before each retry: at once, at the least delay, backing off, at the greatest delay."""
        retry = dict(self.retry)
        least, greatest = retry["minDelayTarget"], retry["maxDelayTarget"]
        fixed = [0.0] * retry["numNoDelayRetries"] + [float(least)] * retry["numMinDelayRetries"]
        backing_off = retry["numRetries"] - len(fixed) - retry["numMaxDelayRetries"]
        curve = _BACKOFF[self.backoff]
        places = [place / (backing_off - 1) if backing_off > 1 else 0.0 for place in range(backing_off)]
        return [
            *fixed,
            *(least + (greatest - least) * curve(place) for place in places),
            *([float(greatest)] * retry["numMaxDelayRetries"]),
        ]

    def for_topic(self) -> str:
        """As JSON, in the shape of a topic's attribute EffectiveDeliveryPolicy."""
        http = {
            "defaultHealthyRetryPolicy": self._retry(),
            "disableSubscriptionOverrides": not self.allows_overrides,
            **({"defaultThrottlePolicy": self._throttle()} if self.max_per_second else {}),
            "defaultRequestPolicy": {"headerContentType": self.content_type},
        }
        return json.dumps({"http": http}, separators=(",", ":"))

    def for_subscription(self) -> str:
        """As JSON, in the shape of a subscription's attribute EffectiveDeliveryPolicy."""
        members = {
            "healthyRetryPolicy": self._retry(),
            "sicklyRetryPolicy": None,
            "throttlePolicy": self._throttle(),
            "requestPolicy": {"headerContentType": self.content_type},
            "guaranteed": False,
        }
        return json.dumps(members, separators=(",", ":"))

    def _retry(self) -> dict[str, Any]:
        return {**dict(self.retry), "backoffFunction": self.backoff}

    def _throttle(self) -> dict[str, int] | None:
        return {"maxReceivesPerSecond": self.max_per_second} if self.max_per_second else None


DEFAULT = DeliveryPolicy()


def parse_topic(text: str) -> DeliveryPolicy:
    """Read a topic's DeliveryPolicy; an empty text is the default. Raises PolicyError."""
    if not text:
        return DEFAULT
    whole = _object(_json(text), "A topic's delivery policy", ("http",))
    http = _object(
        whole.get("http", {}),
        "“http”",
        ("defaultHealthyRetryPolicy", "disableSubscriptionOverrides", "defaultThrottlePolicy", "defaultRequestPolicy"),
    )
    disabled = http.get("disableSubscriptionOverrides", False)
    if not isinstance(disabled, bool):
        raise PolicyError("disableSubscriptionOverrides must be true or false.")
    return _policy(
        http.get("defaultHealthyRetryPolicy"),
        http.get("defaultThrottlePolicy"),
        http.get("defaultRequestPolicy"),
        DeliveryPolicy(allows_overrides=not disabled),
    )


def parse_subscription(text: str, topic: DeliveryPolicy = DEFAULT) -> DeliveryPolicy:
    """Read a subscription's DeliveryPolicy; what it leaves out is as the topic has it. Raises PolicyError."""
    if not text:
        return topic
    whole = _object(
        _json(text),
        "A subscription's delivery policy",
        ("healthyRetryPolicy", "sicklyRetryPolicy", "throttlePolicy", "requestPolicy", "guaranteed"),
    )
    return _policy(whole.get("healthyRetryPolicy"), whole.get("throttlePolicy"), whole.get("requestPolicy"), topic)


def effective(topic_text: str, subscription_text: str) -> DeliveryPolicy:
    """What applies to a subscription of a topic, of which both texts have been accepted."""
    topic = parse_topic(topic_text)
    return parse_subscription(subscription_text, topic) if topic.allows_overrides else topic


def _policy(retry: Any, throttle: Any, request: Any, default: DeliveryPolicy) -> DeliveryPolicy:
    numbers, backoff = (default.retry, default.backoff) if retry is None else _retry_policy(retry)
    return DeliveryPolicy(
        numbers,
        backoff,
        default.content_type if request is None else _content_type(request),
        default.max_per_second if throttle is None else _max_per_second(throttle),
        default.allows_overrides,
    )


def _retry_policy(value: Any) -> tuple[tuple[tuple[str, int], ...], str]:
    given = _object(value, "A retry policy", (*_RETRY_MEMBERS, "backoffFunction"))
    numbers = {}
    for name, default in _RETRY_MEMBERS.items():
        number = given.get(name, default)
        is_delay = name.endswith("Target")
        least, greatest = (1, MAX_DELAY_SECONDS) if is_delay else (0, MAX_RETRIES)
        if not _is_whole(number) or not least <= number <= greatest:
            raise PolicyError(f"{name} must be a whole number from {least} to {greatest}.")
        numbers[name] = number
    if numbers["minDelayTarget"] > numbers["maxDelayTarget"]:
        raise PolicyError("minDelayTarget must not be greater than maxDelayTarget.")
    phases = numbers["numNoDelayRetries"] + numbers["numMinDelayRetries"] + numbers["numMaxDelayRetries"]
    if phases > numbers["numRetries"]:
        raise PolicyError("The retries of the phases are more than numRetries.")
    backoff = given.get("backoffFunction", "linear")
    if backoff not in _BACKOFF:
        raise PolicyError(f"backoffFunction must be one of {', '.join(_BACKOFF)}.")
    found = tuple(numbers.items())
    if sum(DeliveryPolicy(found, backoff).delays()) > MAX_TOTAL_SECONDS:
        raise PolicyError(f"The delays of all retries together are more than {MAX_TOTAL_SECONDS} seconds.")
    return found, backoff


def _content_type(value: Any) -> str:
    wanted = _object(value, "A request policy", ("headerContentType",)).get("headerContentType", DEFAULT_CONTENT_TYPE)
    kind, _, parameter = wanted.partition(";") if isinstance(wanted, str) else ("", "", "")
    if kind.strip() not in CONTENT_TYPES or parameter.strip().lower() not in ("", "charset=utf-8"):
        raise PolicyError(f"headerContentType must be one of {', '.join(CONTENT_TYPES)}, with charset=UTF-8 at most.")
    return f"{kind.strip()}; charset=UTF-8" if parameter.strip() else kind.strip()


def _max_per_second(value: Any) -> int | None:
    number = _object(value, "A throttle policy", ("maxReceivesPerSecond",)).get("maxReceivesPerSecond")
    if number is None:
        return None
    if not _is_whole(number) or not 1 <= number <= 10_000:
        raise PolicyError("maxReceivesPerSecond must be a whole number from 1 to 10000.")
    return int(number)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise PolicyError("A delivery policy must be JSON.") from None


def _object(value: Any, what: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PolicyError(f"{what} must be an object, in braces.")
    unknown = next((key for key in value if key not in allowed), None)
    if unknown is not None:
        raise PolicyError(f"{what} has no member “{unknown[:60]}”; it has {', '.join(allowed)}.")
    return value
