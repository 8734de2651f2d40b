"""Asking for findings in tests."""

from typing import Any

from overlayweb.domain import ingress_checks
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.plans import Finding, IngressRequest, Level
from overlayweb.domain.swarm import Swarm
from tests.domain.builders import make_request, make_swarm

BLOCKER, WARNING, NOTICE = Level.BLOCKER, Level.WARNING, Level.NOTICE


def find(
    swarm: Swarm | None = None,
    request: IngressRequest | None = None,
    *,
    reserved: tuple[ReservedRange, ...] = (),
    **settings: Any,
) -> tuple[Finding, ...]:
    """The findings for a request, a valid one with ``settings`` changed by default."""
    return ingress_checks.find(
        swarm=swarm or make_swarm(), request=request or make_request(**settings), reserved=reserved
    )


def codes(findings: tuple[Finding, ...]) -> set[str]:
    """Their codes, without the notice that every private subnet of the default pool gets."""
    return {finding.code for finding in findings} - {"subnet-in-pool"}


def only(findings: tuple[Finding, ...], code: str) -> Finding:
    """The one finding of that code; every finding says what is and what to do."""
    (found,) = [finding for finding in findings if finding.code == code]
    assert found.message.endswith(".")
    assert found.remedy.endswith(".")
    return found
