from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("repos", "0005_trigger_deliveries"),
    ]

    operations = [
        migrations.AddField(
            model_name="push",
            name="options",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
