"""How long things take, in virtual seconds. Source: three-node labs of engines 20.10, 26.1 and 28.5."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Each is a middle; what happens on a node varies by a fifth around it."""

    allocate: float = 0.006
    schedule: float = 0.05
    dispatch: float = 0.12
    report: float = 0.1
    pull: float = 0.4
    start: float = 0.7
    gossip: float = 2.0
    quick_stop: float = 0.3
    tear_down: float = 1.1
    ingress_setup: float = 0.3
    ingress_release: float = 0.2
    peer_delay: float = 0.6
    heartbeat_lost: float = 15.0
    daemon_restart: float = 3.0
    rejoin: float = 0.8
    reap: float = 0.25
    allocator_retry: float = 300.0
    old_task_patience: float = 60.0
    restart_delay: float = 5.0
    update_monitor: float = 5.0
