"""Making a Swarm and letting an engine join are changes with plans: what was done before keeps its words."""

import json
from typing import Any

from django.db import migrations, models

_LONGEST = 255


def tell(apps: Any, _schema: Any) -> None:
    """Old rows say in words what their kind and arguments said."""
    actions = apps.get_model("overlayweb", "MembershipAction").objects
    for action in actions.filter(kind__in=("initialise", "join")):
        asked = json.loads(action.arguments or "{}")
        if action.kind == "join":
            words = f"Let an engine join as {action.role}: {action.told}"
        else:
            words = f"Made a Swarm{_settings(asked)}"
        action.kind, action.told = "earlier", words[:_LONGEST]
        action.save(update_fields=["kind", "told"])


def _settings(asked: dict[str, Any]) -> str:
    """ ": advertise 10.4.0.9, pools 10.30.0.0/16, size 26", without what was left to the engine."""
    texts = {key: ", ".join(value) if isinstance(value, list) else value for key, value in asked.items()}
    named = [f"{key.replace('_', ' ')} {value}" for key, value in sorted(texts.items()) if value]
    return f": {', '.join(named)}" if named else ""


class Migration(migrations.Migration):
    dependencies = (("overlayweb", "0005_networkrow_named_owner"),)

    operations = (
        migrations.RunPython(tell, migrations.RunPython.noop),
        migrations.RemoveField(model_name="membershipaction", name="arguments"),
        migrations.AlterField(
            model_name="membershipaction",
            name="kind",
            field=models.CharField(
                choices=[("show", "Showed the token"), ("rotate", "Rotated the token"), ("earlier", "Earlier")],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="membershipaction",
            name="told",
            field=models.CharField(blank=True, help_text="what an earlier one was, in words", max_length=255),
        ),
    )
