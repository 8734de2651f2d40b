"""From a cluster, or one of its nodes, to the engine that can be asked."""

import os
from functools import partial

from django.conf import settings

from overlayweb.engine import connection
from overlayweb.models import Cluster, Reached
from overlayweb.models.secrets import UnreadableSecretError

MEMBER_SECONDS = 30.0
"""An engine that joins answers only when it has got its certificate, which may take half a minute."""


def connect(cluster: Cluster) -> connection.DockerEngine:
    """An engine for the cluster's manager, which also finds those of its nodes and of clusters. Raises EngineError."""
    engine = connection.connect(endpoint_of_cluster(cluster))
    engine.reach_nodes(partial(connect_node, cluster))
    engine.reach_registered(connect_registered)
    return engine


def connect_registered(cluster_id: int) -> connection.DockerEngine:
    """The engine by which a cluster is registered, a manager or not, for calls that take long. Raises EngineError."""
    cluster = Cluster.objects.filter(pk=cluster_id, removed_at=None).first()
    if cluster is None:
        raise connection.InvalidEndpoint("The engine is not registered any more.")
    return connection.connect(endpoint_of_cluster(cluster), timeout_seconds=MEMBER_SECONDS)


def connect_node(cluster: Cluster, hostname: str) -> connection.DockerEngine:
    """The engine of one node, where it is registered. Raises EngineError."""
    row = cluster.node_endpoints.filter(hostname=hostname).first()
    if row is None:
        raise connection.InvalidEndpoint(f"The engine of {hostname} is not registered any more.")
    return connection.connect(endpoint_of(row))


def endpoint_of_cluster(cluster: Cluster) -> connection.Endpoint:
    """Where the cluster's manager is reached. Raises InvalidEndpoint."""
    if cluster.automatic:
        here = {**os.environ, "DOCKER_HOST": settings.OVERLAYWEB_DOCKER_HOST}
        return connection.local_endpoint(here)
    return endpoint_of(cluster)


def endpoint_of(reached: Reached) -> connection.Endpoint:
    """The address with its secrets opened. Raises InvalidEndpoint."""
    try:
        tls_key = reached.tls_key
    except UnreadableSecretError as exc:
        raise connection.InvalidEndpoint(str(exc)) from exc
    return connection.Endpoint(
        url=reached.endpoint, tls_ca=reached.tls_ca, tls_certificate=reached.tls_certificate, tls_key=tls_key
    )
