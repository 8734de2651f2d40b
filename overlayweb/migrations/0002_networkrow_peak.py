"""How full a network is counts the worst moment of an update; the next look tells, until then it is what is used."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def begin_with_used(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Rows of before know no more."""
    apps.get_model("overlayweb", "NetworkRow").objects.update(peak=models.F("used"))


class Migration(migrations.Migration):
    dependencies = (("overlayweb", "0001_initial"),)
    operations = (
        migrations.AddField("networkrow", "peak", models.PositiveIntegerField(default=0), preserve_default=False),
        migrations.RunPython(begin_with_used, migrations.RunPython.noop),
    )
