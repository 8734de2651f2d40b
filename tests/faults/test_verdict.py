"""Whoever judges a run on overlays sees an ingress that is gone, another one, or a second one."""

import pytest

from overlayweb.domain.swarm import Network
from tests.domain.builders import make_ingress, make_network, make_swarm
from tests.faults import stages

ANOTHER = make_ingress(id="another")
SECOND = make_network("second", "10.9.0.0/24", ingress=True)


@pytest.mark.parametrize(
    ("ingress", "beside"),
    [(None, ()), (ANOTHER, ()), (make_ingress(), (SECOND,))],
    ids=["gone", "another", "a second one"],
)
def test_the_ingress_has_to_be_the_one_that_was_there(ingress: Network | None, beside: tuple[Network, ...]) -> None:
    before, now = make_swarm(), make_swarm(ingress=ingress, networks=beside)
    run = None  # no node's engine is asked where the manager's answer is wrong
    assert [*stages.ingress_stays(run, before, now)] != []  # type: ignore[arg-type]
