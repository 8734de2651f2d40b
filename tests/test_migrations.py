"""What migrations do to rows that are there: nothing that a page showed is lost."""

import json

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from overlayweb.models import ActionKind, MembershipAction

BEFORE = [("overlayweb", "0005_networkrow_named_owner")]
AFTER = [("overlayweb", "0006_membership_by_changes")]


@pytest.mark.django_db(transaction=True)
def test_what_administrators_did_to_the_membership_keeps_its_words() -> None:
    apps = MigrationExecutor(connection).migrate(BEFORE).apps
    try:
        now = timezone.now()
        person = apps.get_model("auth", "User").objects.create(username="clara")
        cluster = apps.get_model("overlayweb", "Cluster").objects.create(name="prod", endpoint="", created_at=now)
        asked = {
            "advertise": "10.4.0.9",
            "data_path": "",
            "data_path_port": None,
            "pools": ["10.30.0.0/16"],
            "size": 26,
        }
        join = {"joins": 7, "request": {"role": "worker", "remote": "10.4.0.9:2377"}}
        for kind, more in (
            ("initialise", {"arguments": json.dumps(asked)}),
            ("join", {"arguments": json.dumps(join), "role": "worker", "told": "spare at tcp://10.2.0.99:2376"}),
            ("rotate", {"role": "manager"}),
        ):
            apps.get_model("overlayweb", "MembershipAction").objects.create(
                cluster=cluster, person=person, kind=kind, asked_at=now, **more
            )
    finally:
        MigrationExecutor(connection).migrate(AFTER)
    assert [(row.kind, row.told) for row in MembershipAction.objects.order_by("pk")] == [
        (ActionKind.EARLIER, "Made a Swarm: advertise 10.4.0.9, pools 10.30.0.0/16, size 26"),
        (ActionKind.EARLIER, "Let an engine join as worker: spare at tcp://10.2.0.99:2376"),
        (ActionKind.ROTATE, ""),
    ]
