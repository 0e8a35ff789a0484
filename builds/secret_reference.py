"""Which part of which secret a variable holds: `secret-id[:json-key[:version-stage[:version-id]]]`.

Source: AWS CodeBuild User Guide, "Build specification reference", env/secrets-manager; names of secrets: AWS Secrets
Manager API Reference, "CreateSecret".
"""

from __future__ import annotations

from typing import NamedTuple

_ARN_FIELDS = 7  # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX


class SecretReference(NamedTuple):
    """The parts of a reference; empty where it leaves one out.

    Attributes:
        secret_id: A name or an ARN.
        json_key: Of the secret's JSON object; empty means the whole text.
    """

    secret_id: str
    json_key: str = ""
    version_stage: str = ""
    version_id: str = ""

    @classmethod
    def parse(cls, text: str) -> SecretReference:
        """Read a reference.

        Raises:
            ValueError: A sentence on what is wrong with it.
        """
        fields = text.split(":")
        count = _ARN_FIELDS if text.startswith("arn:") else 1
        secret_id, more = ":".join(fields[:count]), fields[count:]
        if not secret_id.strip() or (count > 1 and (len(fields) < count or not fields[count - 1])):
            raise ValueError(f"“{text}” names no secret: it is SECRET-ID:JSON-KEY:VERSION-STAGE:VERSION-ID.")
        if len(more) > len(cls._fields) - 1:
            raise ValueError(f"“{text}” has more parts than SECRET-ID:JSON-KEY:VERSION-STAGE:VERSION-ID.")
        found = cls(secret_id, *more)
        if found.version_stage and found.version_id:
            raise ValueError(f"“{text}” has both a version stage and a version id: it may have one.")
        return found
