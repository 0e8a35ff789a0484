import json

from django.conf import settings
from django.db import migrations, models


def remember_the_trusted(apps, schema_editor):
    """Whom the trust policies name now is whom they are taken to have meant."""
    ids = {}
    for kind, model, field in (("user", "User", "user_id"), ("role", "Role", "role_id")):
        for row in apps.get_model("iam", model).objects.all():
            ids[f"arn:aws:iam::{settings.ACCOUNT_ID}:{kind}{row.path}{row.name}"] = getattr(row, field)
    roles = apps.get_model("iam", "Role").objects
    sessions = {f"arn:aws:sts::{settings.ACCOUNT_ID}:assumed-role/{row.name}": row.role_id for row in roles.all()}
    for role in roles.all():
        texts = _texts(role.trust_policy)
        found = {text: ids[text] for text in texts if text in ids}
        found |= {text: sessions[text.rpartition("/")[0]] for text in texts if text.rpartition("/")[0] in sessions}
        if found:
            roles.filter(pk=role.pk).update(trusted_ids=found)


def _texts(document):
    """Every text of a JSON document; none of what is not JSON."""
    found: set[str] = set()
    waiting = []
    try:
        waiting.append(json.loads(document))
    except ValueError:
        return found
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
    return found


class Migration(migrations.Migration):

    dependencies = [
        ("iam", "0003_sign_in"),
    ]

    operations = [
        migrations.AddField(
            model_name="role",
            name="trusted_ids",
            field=models.JSONField(default=dict, editable=False),
        ),
        migrations.RunPython(remember_the_trusted, migrations.RunPython.noop),
    ]
