"""Rules of firewalls: each node is opened at its ports for all others, and for nobody else."""

import re
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlayweb.domain import firewalls
from overlayweb.domain.swarm import Node, Swarm
from tests.domain.builders import make_node, make_swarm
from tests.support.tools import SYSTEM_PYTHON

ADDRESSES = st.ip_addresses().map(str).filter(lambda text: text not in {"0.0.0.0", "::"})  # noqa: S104  # left out
_ADDRESS = re.compile(r"(?<![\w.:])(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:.]+)(?![\w.])")

_READ_BY_FIREWALLD = """
import sys
from firewall.core.rich import Rich_Rule
for rule in sys.argv[1:]:
    print(Rich_Rule(rule_str=rule))
"""


def named(lines: tuple[str, ...]) -> set[str]:
    """The addresses that the commands name."""
    return {found for line in lines if not line.startswith("#") for found in _ADDRESS.findall(line)}


def of(swarm: Swarm, firewall: str, hostname: str) -> tuple[str, ...]:
    nodes = [node for node in swarm.nodes if node.hostname == hostname]
    return firewalls.rules(swarm=swarm, firewall=firewall, nodes=nodes)[0].lines


@given(st.lists(ADDRESSES, min_size=1, max_size=5, unique=True), st.sampled_from(firewalls.FIREWALLS))
def test_each_node_is_opened_for_all_others_and_nobody_else(addresses: list[str], firewall: str) -> None:
    nodes = [make_node(f"node{number}", address=text) for number, text in enumerate(addresses, 1)]
    for row in firewalls.rules(swarm=make_swarm(nodes=nodes), firewall=firewall, nodes=nodes):
        assert named(row.lines) == set(addresses) - {row.node.address}


@pytest.mark.parametrize("firewall", firewalls.FIREWALLS)
def test_only_managers_are_opened_for_management(firewall: str) -> None:
    swarm = make_swarm()
    assert any("2377" in line for line in of(swarm, firewall, "node1"))
    assert not any("2377" in line for line in of(swarm, firewall, "node2"))


@pytest.mark.parametrize("firewall", firewalls.FIREWALLS)
def test_the_data_path_is_the_clusters_own(firewall: str) -> None:
    lines = of(make_swarm(data_path_port=7789), firewall, "node2")
    assert any("7789" in line for line in lines)
    assert not any("4789" in line for line in lines)


@pytest.mark.parametrize("firewall", firewalls.FIREWALLS)
def test_esp_is_let_in_except_on_windows(firewall: str) -> None:
    swarm = make_swarm(nodes=[make_node("node1"), make_node("node2"), make_node("node3", os="windows")])
    assert any("esp" in line for line in of(swarm, firewall, "node2"))
    windows = of(swarm, firewall, "node3")
    assert not any("esp" in line.lower() for line in windows)
    assert any("New-NetFirewallRule" in line for line in windows)


def test_a_node_without_a_known_address_opens_nothing() -> None:
    nodes: list[Node] = [make_node("node1"), make_node("node2", address="0.0.0.0")]  # noqa: S104  # as engines say
    assert of(make_swarm(nodes=nodes), "ufw", "node1") == ()


@pytest.mark.requires("firewalls", "root")
@pytest.mark.parametrize(
    ("firewall", "before", "shows", "said"),
    [
        (
            "iptables",
            (),
            ("iptables -S INPUT", "ip6tables -S INPUT"),
            (
                "-A INPUT -s 192.168.50.12/32 -p tcp -m multiport --dports 2377,7946 -j ACCEPT",
                "-A INPUT -s 192.168.50.12/32 -p esp -j ACCEPT",
                "-A INPUT -s fd00::3/128 -p udp -m multiport --dports 7946,4789 -j ACCEPT",
            ),
        ),
        (
            "nftables",
            ("nft add table inet filter", "nft 'add chain inet filter input { type filter hook input priority 0; }'"),
            ("nft --numeric list ruleset",),
            (
                "ip saddr 192.168.50.12 tcp dport { 2377, 7946 } accept",
                "ip saddr 192.168.50.12 meta l4proto 50 accept",
                "ip6 saddr fd00::3 udp dport { 4789, 7946 } accept",
            ),
        ),
        (
            "ufw",
            ('ufw() { command ufw --dry-run "$@"; }',),
            (),
            (
                "-A ufw-user-input -p tcp --dport 2377 -s 192.168.50.12 -j ACCEPT",
                "-A ufw-user-input -p esp -s 192.168.50.12 -j ACCEPT",
                "-A ufw6-user-input -p udp --dport 4789 -s fd00::3 -j ACCEPT",
            ),
        ),
    ],
)
def test_the_firewall_takes_its_rules(
    firewall: str, before: tuple[str, ...], shows: tuple[str, ...], said: tuple[str, ...]
) -> None:
    """In a network namespace of its own, both families. ``before``: what the rules stand in, or keeps ufw off disk."""
    nodes = [make_node("node1"), make_node("node2"), make_node("node3", address="fd00::3")]
    lines = of(make_swarm(nodes=nodes), firewall, "node1")
    shell = shutil.which("bash")
    assert shell is not None
    script = "\n".join(("set -e", "PATH=$PATH:/usr/sbin:/sbin", *before, *lines, *shows))
    done = subprocess.run(["unshare", "--net", shell, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for rule in said:
        assert rule in done.stdout


@pytest.mark.requires("firewalld")
def test_firewalld_reads_its_rules_as_they_are_meant() -> None:
    """By firewalld's own parser, which needs no daemon: it says back what it has read, and refuses what it cannot."""
    nodes = [make_node("node1"), make_node("node2"), make_node("node3", address="fd00::3")]
    commands = [shlex.split(line, comments=True) for line in of(make_swarm(nodes=nodes), "firewalld", "node1")]
    *added, last = [words for words in commands if words]
    assert last == ["firewall-cmd", "--reload"]
    assert {tuple(words[:-1]) for words in added} == {("firewall-cmd", "--permanent")}
    rules = [words[-1].removeprefix("--add-rich-rule=") for words in added]
    command = [SYSTEM_PYTHON, "-c", _READ_BY_FIREWALLD, *rules]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == rules
    assert 'rule family="ipv6" source address="fd00::3" protocol value="esp" accept' in rules
    assert 'rule family="ipv4" source address="192.168.50.12" port port="2377" protocol="tcp" accept' in rules
