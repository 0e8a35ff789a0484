from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('repos', '0004_imports'),
    ]

    operations = [
        migrations.AddField(
            model_name='push',
            name='is_atomic',
            field=models.BooleanField(default=False),
        ),
    ]
