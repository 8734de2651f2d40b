"""Whose a network is by its label is in its row; the next look tells."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("overlayweb", "0004_networkrow_job"),)
    operations = (
        migrations.AddField(
            "networkrow",
            "named_owner",
            models.CharField(max_length=255, default="", help_text="whose it is, by its label owner"),
            preserve_default=False,
        ),
    )
