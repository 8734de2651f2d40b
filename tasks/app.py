"""The Celery app: a doorbell. The database is the truth, and the sweep rings again for whatever got lost.

Measured, and the reason for what stands below: default acknowledgement loses a task with its killed worker;
`acks_late` alone loses it when only the pool child dies; with `reject_on_worker_lost` a task that kills its child
comes back for ever; a visibility timeout shorter than the task runs it twice with nobody dead; and a worker frozen
while it fetches loses the message in every configuration. So a message holds ids only, carries one bounded slice
of a job, is acknowledged when the slice is done, and may be lost or doubled: the lease in the database decides.
"""

import os
from typing import Any, Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "overlayweb.settings")

from celery import Celery, signals  # Celery looks for Django's settings when it is imported
from django.conf import settings
from kombu import Queue

from overlayweb import brokers, processes

SLICE_LIMIT: Final = 120
"""Seconds after which a slice that does not come back is killed. Slices end by themselves long before."""

VISIBILITY_TIMEOUT: Final = 3 * SLICE_LIMIT
"""Seconds after which Redis hands an unacknowledged message to somebody else: longer than any slice can last,
its wait in the prefetch buffer included. Takeover does not wait for it, the sweep sees the lease run out first."""

CONNECT_LIMIT: Final = 2
"""Seconds that one attempt to reach the broker may take. A web request waits for at most one attempt."""


def _transport_options(broker: brokers.Broker) -> dict[str, Any]:
    """Kombu's options for the broker of this installation."""
    # One attempt to connect per publish: a web request must not hang on a Redis that is away.
    once = {"max_retries": 0, "interval_start": 0, "interval_step": 0, "interval_max": 0}
    if broker.kind is brokers.Kind.FOLDER:
        folder = str(broker.folder)
        return once | {"data_folder_in": folder, "data_folder_out": folder, "polling_interval": 0.1}
    return once | {
        "global_keyprefix": "overlayweb:",  # a Redis that others use too has no `jobs` of theirs in it
        "visibility_timeout": VISIBILITY_TIMEOUT,
        # A Redis that vanished without closing the connection is noticed within seconds, not by TCP's hours.
        "socket_connect_timeout": CONNECT_LIMIT,
        "socket_timeout": 3,  # more than the one second that a fetch blocks on purpose
        "socket_keepalive": True,
        "health_check_interval": 5,
        "retry_on_timeout": False,
    }


def _transport(broker: brokers.Broker) -> str | None:
    """Our own transport for the folder; for Redis, Kombu's, by the URL."""
    return "tasks.folder:Transport" if broker.kind is brokers.Kind.FOLDER else None


def _configuration(broker: brokers.Broker) -> dict[str, Any]:
    """Celery's settings for the broker of this installation."""
    return {
        "broker_url": broker.url,
        "broker_transport": _transport(broker),
        "broker_transport_options": _transport_options(broker),
        "broker_connection_timeout": CONNECT_LIMIT,
        # The worker waits for its broker for as long as it takes, at the start and later.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # JSON only: nothing that a message holds can become code.
        "accept_content": ["json"],
        "task_serializer": "json",
        # No result backend: progress and outcome are rows of the database.
        "result_backend": None,
        "task_ignore_result": True,
        # A queue per kind of work. The worker takes from both in turn, so reads cannot shut jobs out.
        "task_queues": (Queue("jobs"), Queue("reads")),
        "task_default_queue": "jobs",
        "task_routes": {"tasks.jobs.observe_cluster": {"queue": "reads"}, "tasks.readiness.*": {"queue": "reads"}},
        "task_create_missing_queues": False,
        # Acknowledged when done, given back when the child dies, and none waits behind a busy process.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        # An error or a time-out acknowledges too: the next try is the sweep's, after a look at the database.
        "task_acks_on_failure_or_timeout": True,
        "task_time_limit": SLICE_LIMIT,
        # With the broker lost a slice goes on to its end: killing it between an engine call and its record would
        # only make more to recover, and a second delivery of its message fails to claim the lease.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # On SIGQUIT (what `up` sends) the slices under way get these seconds, then their messages go back.
        "worker_soft_shutdown_timeout": 2.0,
        # Remote control listens on a broadcast that a folder cannot carry well; `inspect ping` needs Redis.
        "worker_enable_remote_control": broker.kind is not brokers.Kind.FOLDER,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "task_publish_retry": False,
        "enable_utc": True,
        "timezone": "UTC",
    }


app = Celery("tasks", amqp="tasks.redis:Amqp", task_cls="tasks.doorbell:DoorbellTask")
app.conf.update(_configuration(settings.OVERLAYWEB_BROKER))
app.autodiscover_tasks(["tasks"], related_name="jobs")
app.autodiscover_tasks(["tasks"], related_name="readiness")


@signals.worker_process_init.connect
def _end_with_the_worker(**_: Any) -> None:
    """A pool process does not outlive its worker, so that `the worker is dead` means all of it."""
    processes.die_with_parent()
