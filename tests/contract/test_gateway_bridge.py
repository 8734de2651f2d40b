"""docker_gwbridge: what each node's engine tells of it when it has made it by itself."""

import pytest

from tests.contract.grounds import NODES, Ground

PREFIX = "com.docker.network.bridge."


@pytest.mark.parametrize("node", NODES)
def test_each_node_has_one_with_dockers_own_choices(ground: Ground, node: str) -> None:
    rows = {row["Name"]: row for row in ground.get("/networks", node=node)}
    found = rows["docker_gwbridge"]
    assert {key: value for key, value in found["Options"].items() if key.startswith(PREFIX)} == {
        f"{PREFIX}enable_icc": "false",
        f"{PREFIX}enable_ip_masquerade": "true",
        f"{PREFIX}name": "docker_gwbridge",
    }
    assert found["IPAM"]["Config"][0]["Gateway"].endswith(".1")
