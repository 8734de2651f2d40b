"""Wedged meshes, as the lab shows them, for tests of pages."""

from dataclasses import replace

from django.utils import timezone

from overlayweb.domain import repair_plans
from overlayweb.domain.plans import IngressRequest
from overlayweb.domain.swarm import Swarm
from overlayweb.models import ChangeRequest, Cluster, Job, codec
from overlayweb.services import approvals, changes, repairs
from tests.domain.builders import make_ingress, make_service, make_swarm, make_swarm_task
from tests.web import job_stories

REFUSAL = "ingress-sbox: ingress sandbox already present"


def wedged() -> Swarm:
    """The manager's node and node3 hold the removed ingress; shop_web hangs at 1 of 3; wiki is whole."""
    web, wiki = make_service("shop_web", published=(8001, 8443), replicas=3), make_service("wiki", published=(8081,))
    tasks = [
        make_swarm_task(web, 2, node_id="id-node2", network_ids=("ingressnew",)),
        make_swarm_task(web, 1, node_id="id-node1", state="rejected", desired_state="shutdown", error=REFUSAL),
        make_swarm_task(web, 3, node_id="id-node3", state="preparing"),
        *(make_swarm_task(wiki, n, node_id="id-node2", network_ids=("ingressnew",)) for n in (1, 2)),
    ]
    stale = make_ingress(registered=False, peers=("192.168.50.11", "192.168.50.13"))
    return make_swarm(
        ingress=make_ingress("10.11.0.0/24", id="ingressnew"),
        networks=[stale],
        services=[web, wiki],
        swarm_tasks=tasks,
        manager_id="id-node1",
    )


def without_ingress() -> Swarm:
    """The careless script broke off after it had removed the ingress: no node holds it, nothing is published."""
    web = make_service("shop_web", published=(8001,), replicas=3)
    bare = make_service("shop_web", published=(), replicas=3)
    lost = replace(bare, id=web.id, previous_spec=web.spec)
    return make_swarm(ingress=None, services=[lost], manager_id="id-node1")


def see(cluster: Cluster, swarm: Swarm) -> None:
    """A look that finds this."""
    cluster.observation, cluster.observed_at = codec.dump(swarm), timezone.now()
    cluster.error, cluster.error_at = "", None
    cluster.save()


def ask(cluster: Cluster) -> ChangeRequest:
    """Ana's repair, which waits for approval."""
    return changes.submit(
        cluster=cluster,
        kind=repair_plans.KIND,
        request=IngressRequest(settings=repairs.wanted(cluster=cluster)),
        author=job_stories.person("ana", "Ana Prado"),
        reason="Half of the shop is dark since the script.",
        now=timezone.now(),
    )


def approved(cluster: Cluster) -> Job:
    """The job of a repair that Ben approved."""
    asked = ask(cluster)
    return approvals.approve(
        change=ChangeRequest.objects.get(pk=asked.pk),
        person=job_stories.person("ben", "Ben Okafor"),
        plan_sha256=asked.plan_record.sha256,
        reason="",
        now=timezone.now(),
    )
