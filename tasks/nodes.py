"""Asking nodes themselves: what each one's own engine holds of the ingress, beside what a manager shows."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from django.utils import timezone

from overlayweb.domain.swarm import Node, NodeView
from overlayweb.engine import connection
from overlayweb.engine.errors import EngineError
from overlayweb.models import Cluster, NodeEndpoint
from tasks.engines import endpoint_of

ASK_SECONDS = 2.0
"""For connecting and for each wait: a node that is away must not hold up what the others say."""
ALL_SECONDS = 5.0
AT_ONCE = 32


def views(cluster: Cluster, nodes: Sequence[Node]) -> tuple[NodeView, ...]:
    """What every node with an endpoint says, or why it could not be asked; all at once, within a few seconds."""
    by_name = {node.hostname: node for node in nodes}
    known = [(row, by_name[row.hostname]) for row in cluster.node_endpoints.all() if row.hostname in by_name]
    if not known:
        return ()
    pool = ThreadPoolExecutor(max_workers=min(len(known), AT_ONCE), thread_name_prefix="node")
    asked = [(node, pool.submit(_view, row, node)) for row, node in known]
    deadline = time.monotonic() + ALL_SECONDS
    found = tuple(_within(future, node, deadline) for node, future in asked)
    pool.shutdown(wait=False, cancel_futures=True)
    return found


def _within(future: "Future[NodeView]", node: Node, deadline: float) -> NodeView:
    try:
        return future.result(timeout=max(deadline - time.monotonic(), 0.0))
    except TimeoutError:
        return _unasked(node, f"No answer within {ALL_SECONDS:.0f} s.")


def _view(row: NodeEndpoint, node: Node) -> NodeView:
    """Ask one engine. One that turns out to be another node says nothing of this one."""
    try:
        with connection.connect(endpoint_of(row), timeout_seconds=ASK_SECONDS) as engine:
            seen = engine.own_view(node.hostname)
    except EngineError as error:
        return _unasked(node, str(error))
    if seen.node_id != node.id:
        return _unasked(node, f"Another engine than that of {node.hostname} answers at {row.endpoint}.")
    return seen


def _unasked(node: Node, error: str) -> NodeView:
    return NodeView(node_id=node.id, hostname=node.hostname, observed_at=timezone.now(), error=error)
