from django.db import migrations

from codeservices.audit import chain, members, trail


def chain_existing(apps, schema_editor):
    """Give every event that is there its kind, its resource's name and its place in the chain."""
    Event = apps.get_model("audit", "Event")
    ChainHead = apps.get_model("audit", "ChainHead")
    Event.objects.filter(is_read_only=True, outcome="Success").update(is_notable=False)
    for arn in Event.objects.order_by("resource_arn").values_list("resource_arn", flat=True).distinct():
        resource_type, resource_name = members.resource_of(arn)
        if resource_name:
            Event.objects.filter(resource_arn=arn).update(
                resource_type=resource_type, resource_name=resource_name[:256]
            )
    head, _ = ChainHead.objects.get_or_create(pk=1, defaults={"chain_hash": chain.GENESIS})
    trail.adopt(head, Event.objects.all())


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_chain")]

    operations = [migrations.RunPython(chain_existing, migrations.RunPython.noop)]
