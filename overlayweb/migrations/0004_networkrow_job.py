"""Which job made a network is in its row; the next look tells."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("overlayweb", "0003_range_records"),)
    operations = (
        migrations.AddField(
            "networkrow",
            "job",
            models.PositiveBigIntegerField(null=True, help_text="number of the job that made it, as its label says"),
        ),
    )
