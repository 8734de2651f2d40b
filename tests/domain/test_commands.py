"""The commands by hand: in the safe order, whole, and safe to paste."""

import shlex
from collections.abc import Sequence

import pytest

from overlayweb.domain import commands, ingress_plans
from overlayweb.domain.plans import IngressRequest, IngressSettings, Strategy
from overlayweb.domain.swarm import Service
from tests.domain.builders import INGRESS_ID, make_node, make_port, make_request, make_service, make_swarm


def _by_hand(services: Sequence[Service], request: IngressRequest | None = None) -> list[str]:
    swarm = make_swarm(services=services)
    return list(ingress_plans.build(swarm=swarm, request=request or make_request()).commands)


def _place(lines: list[str], *words: str) -> int:
    """Where the only line stands that holds all the words."""
    (place,) = [number for number, line in enumerate(lines) if all(word in line for word in words)]
    return place


def test_the_safe_order_with_its_waits() -> None:
    lines = _by_hand([make_service("shop_web")])
    order = [
        _place(lines, "docker service inspect shop_web > shop_web.json"),
        _place(lines, "--publish-rm", "shop_web"),
        _place(lines, "# Wait until every container that was on the ingress has ended"),
        _place(lines, f"docker network rm {INGRESS_ID}"),
        _place(lines, "# Wait until docker network inspect finds neither"),
        _place(lines, "docker network create"),
        _place(lines, "# Wait until it is allocated"),
        _place(lines, "--label-add", "id-node3"),
        _place(lines, "--label-rm", "id-node1"),
        _place(lines, "--publish-add", "shop_web"),
        _place(lines, "# Wait until every service is at full strength"),
        _place(lines, "--update-failure-action pause", "shop_web"),
    ]
    assert order == sorted(order)


def test_create_with_everything() -> None:
    everything = IngressSettings(
        name="mesh",
        subnet="10.11.0.0/16",
        gateway="10.11.0.1",
        mtu=1450,
        ip_range="10.11.4.0/24",
        labels=(("a", "b c"),),
    )
    assert commands.create_ingress(everything) == (
        "docker network create --driver overlay --ingress --subnet 10.11.0.0/16 --gateway 10.11.0.1"
        " --ip-range 10.11.4.0/24 --opt com.docker.network.driver.mtu=1450 --label 'a=b c' mesh"
    )


def test_create_with_the_least() -> None:
    assert commands.create_ingress(IngressSettings(subnet="10.11.0.0/16")) == (
        "docker network create --driver overlay --ingress --subnet 10.11.0.0/16 ingress"
    )


def test_ports_come_off_and_back_by_their_long_form_and_host_ports_stay() -> None:
    service = make_service("shop_web", published=(8080, 0, make_port(9000, mode="host")))
    lines = _by_hand([service])
    off, on = lines[_place(lines, "--publish-rm")], lines[_place(lines, "--publish-add")]
    for port in ("published=8080,target=80,protocol=tcp,mode=ingress", "published=30001,target=80,protocol=tcp"):
        assert f"--publish-rm {port}" in off
        assert f"--publish-add {port}" in on
    assert "9000" not in off + on


def test_stop_holds_and_starts_first_with_its_own_reservation_back() -> None:
    spec = make_service().spec.document()
    spec["TaskTemplate"]["Resources"] = {"Reservations": {"NanoCPUs": 250_000_000}}
    service = make_service(spec=type(make_service().spec).of(spec))
    lines = _by_hand([service], make_request(strategies={service.id: Strategy.STOP}))
    off, on = lines[_place(lines, "--publish-rm")], lines[_place(lines, "--publish-add")]
    assert "--reserve-cpu 100000 " in off
    assert "--update-order stop-first" in off
    assert "--reserve-cpu 0.25 " in on
    assert "--update-order start-first" in on


def test_unpublish_reserves_nothing_and_stops_first_both_times() -> None:
    service = make_service()
    lines = _by_hand([service], make_request(strategies={service.id: Strategy.UNPUBLISH}))
    off, on = lines[_place(lines, "--publish-rm")], lines[_place(lines, "--publish-add")]
    assert "--reserve-cpu" not in off + on
    assert "--update-order stop-first" in off
    assert "--update-order stop-first" in on


@pytest.mark.parametrize("word", ["--update-parallelism 0", "--update-failure-action continue", "--update-monitor 1ns"])
def test_both_updates_go_to_all_at_once_and_never_roll_back(word: str) -> None:
    lines = _by_hand([make_service()])
    assert word in lines[_place(lines, "--publish-rm")]
    assert word in lines[_place(lines, "--publish-add")]


def test_the_update_settings_come_back() -> None:
    config = {"Parallelism": 2, "Delay": 5, "FailureAction": "rollback", "Monitor": 7, "MaxFailureRatio": 0.25}
    lines = _by_hand([make_service(update_config={**config, "Order": "start-first"})])
    assert lines[-1] == (
        "docker service update --detach --update-parallelism 2 --update-delay 5ns --update-failure-action rollback"
        " --update-monitor 7ns --update-max-failure-ratio 0.25 --update-order start-first shop_web"
    )


def test_slow_stoppers_first_with_the_pause_between() -> None:
    quick, slow = make_service("a_quick", init=True), make_service("b_slow")
    lines = _by_hand([quick, slow])
    first, second = _place(lines, "--publish-rm", "b_slow"), _place(lines, "--publish-rm", "a_quick")
    assert lines[first + 1 : second] == ["sleep 7.5"]


def test_without_an_ingress_nothing_is_removed() -> None:
    swarm = make_swarm(ingress=None, services=[])
    lines = ingress_plans.build(swarm=swarm, request=make_request()).commands
    assert not [line for line in lines if " rm " in line or "service update" in line]
    assert [line for line in lines if "network create" in line]


def test_every_line_is_one_line_and_one_shell_command_whatever_the_names() -> None:
    swarm = make_swarm(services=[make_service("a;b $(c)")], nodes=[make_node("node1", id="x y")])
    request = make_request(labels=(("k", "v; rm -rf '/'"),), name="in gress")
    lines = ingress_plans.build(swarm=swarm, request=request).commands
    assert not [line for line in lines if "\n" in line]
    for line in lines:
        if not line.startswith("#"):
            assert not {";", "&", "`"} & set("".join(_unquoted(line))), line
    create = next(shlex.split(line) for line in lines if "network create" in line)
    assert create[-3:] == ["--label", "k=v; rm -rf '/'", "in gress"]


def _unquoted(line: str) -> Sequence[str]:
    """The characters that a shell would interpret: those outside of quotes."""
    lexer = shlex.shlex(line, posix=False, punctuation_chars=True)
    return [token for token in lexer if not token.startswith(("'", '"'))]
