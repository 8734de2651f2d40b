"""Overlays on a real three-node Swarm, from the browser: made, connected, drifted from, replaced, rolled back, deleted;
what is around them: addresses, reserved ranges, an engine that joins, and one that goes away.

One story: each test goes on where the one before it ended.
"""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from overlayweb.domain import subnets
from tests.browser.people import TOKEN
from tests.browser.stage import Stage, opened
from tests.browser.test_main_job import ended
from tests.lab import image
from tests.lab import services as lab_services
from tests.lab.daemon import wait_until
from tests.lab.services import ingress_port
from tests.lab.swarm import Lab
from tests.workflows.rig import observe

pytestmark = [pytest.mark.requires("dockerd", "chromium"), pytest.mark.timeout(300)]

NET, OUTSIDE, BOX = "shop_data", "made_outside", "shell"
WIDE = "shop_wide"
PORT = 8090
STUCK = "stuck"
RANGES = "cidr,name,reason,owner\n10.64.0.0/14,partners,peered VPC,Network team\n"
SEEN_MS = 90_000
"""A whole look comes once a minute; news of networks and services come at once."""


@pytest.fixture(scope="module")
def stage(lab: Lab, browser: Browser) -> Iterator[Stage]:
    yield from opened(lab, browser, web=[ingress_port(PORT)], api=[])


def test_a_network_is_made_after_a_mistake(stage: Stage) -> None:
    ana = stage.ana
    ana.page.goto(stage.at("networks/"))
    ana.page.get_by_role("link", name="Create a network").click()
    ana.field("Name").press_sequentially(NET, delay=10)
    ana.field("Subnets").press_sequentially("192.168.60.0/25 10.1.1.1", delay=10)
    ana.field("MTU").press_sequentially("20", delay=10)
    expect(ana.page.locator("#verdict-subnets")).to_contain_text("overlaps")
    expect(ana.page.locator("#verdict-subnets")).to_contain_text("10.1.1.1")
    expect(ana.page.locator("#verdict-mtu")).to_contain_text("outside 576 to 9000")
    ana.page.get_by_label("Why").fill("In a hurry.")
    ana.page.get_by_role("button", name="Ask for approval").click()
    ana.sees(re.compile("to mend"))
    expect(ana.field("Name")).to_have_value(NET)
    refused = ana.complaints.pop()
    assert "422" in refused, "the console says that the form was not taken, and nothing else"

    ana.field("MTU").fill("1450")
    ana.page.get_by_label("Attachable").check()
    ana.page.get_by_role("button", name="Pick a block").click()
    picked = ana.field("Subnets").input_value()
    ana.sees(re.compile(rf"docker network create --driver overlay --attachable --subnet {re.escape(picked)}"))
    stage.carry_out("The shop needs one.")
    made = stage.network(NET)
    assert made is not None
    assert (made.allocated, made.attachable, made.mtu, made.ipam[0].subnet) == (True, True, "1450", picked)
    assert "com.overlayweb.job" in dict(made.labels)
    stage.open_network(NET)
    ana.sees("registered; present on 0 of 3 nodes")


def test_services_are_connected_and_seen_in_the_matrix(stage: Stage) -> None:
    ana = stage.ana
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Connect services").click()
    for name in ("api", "web"):
        ana.page.get_by_role("checkbox", name=name).check()
    ana.page.get_by_label("Aliases of api").fill("backend")
    expect(ana.page.locator("#preview")).to_contain_text("api")
    stage.carry_out("The shop talks to its data.")
    found = stage.network(NET)
    assert found is not None
    assert stage.service("api").network_ids == stage.service("web").network_ids == (found.id,)
    (attached,) = stage.service("api").spec.document()["TaskTemplate"]["Networks"]
    assert attached == {"Target": found.id, "Aliases": ["backend"]}
    ana.page.goto(stage.at("reach"))
    expect(ana.page.locator("table.who tbody tr").filter(has_text="api")).to_contain_text("attached")
    ana.page.get_by_role("link", name="api", exact=True).click()
    expect(ana.page.get_by_role("row").filter(has_text=NET)).to_contain_text("backend")
    expect(ana.page.get_by_role("row").filter(has_text=NET)).to_contain_text("web")


def test_a_standalone_container_is_connected_by_the_form(stage: Stage) -> None:
    ana, node = stage.ana, stage.lab.manager
    box = node.cli("run", "--detach", "--name", "helper", image.IMAGE, "sleep", "600").strip()
    stage.look_again()
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Connect containers").click()
    ana.sees("Not asked: node2, node3.")
    ana.page.get_by_role("checkbox", name="helper on node1").check()
    expect(ana.page.locator("#preview")).to_contain_text("docker network connect")
    stage.carry_out("To look at the queue.")
    found = stage.network(NET)
    assert found is not None
    assert box in stage.lab.containers_on(found.id)["node1"]
    node.cli("rm", "--force", "helper")


def test_a_standalone_container_is_shown_and_keeps_the_network(stage: Stage) -> None:
    ana, node = stage.ana, stage.lab.nodes[1]
    box = node.cli("run", "--detach", "--name", BOX, "--network", NET, image.IMAGE, "sleep", "600").strip()
    stage.look_again()
    stage.open_network(NET)
    expect(ana.page.get_by_role("row").filter(has_text=box[:12])).to_contain_text("node2")
    ana.sees(f"docker network disconnect {NET} {box[:12]}")
    ana.page.get_by_role("link", name="Delete…").click(force=True)  # it leads to what is in the way
    for words in ("api is attached", "web is attached", f"Standalone container {box[:12]} on node2"):
        expect(ana.page.locator("#in-use")).to_contain_text(words)


def test_a_replacement_is_rolled_back_half_way(stage: Stage) -> None:
    """The container of the test before holds the job between its two phases, when services are on both networks."""
    ana, before = stage.ana, stage.network(NET)
    assert before is not None
    specs = {name: stage.service(name).spec for name in ("api", "web")}
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Replace…").click()
    ana.field("Name").fill(WIDE)
    ana.field("Subnets").fill("10.90.0.0/22")
    expect(ana.page.locator("#preview")).to_contain_text(f"onto both {NET} and {WIDE}")
    stage.begin("The shop grows.")
    ana.sees(re.compile(f"docker network connect {WIDE}"), ms=SEEN_MS)
    wide = stage.network(WIDE)
    assert wide is not None
    for name in specs:
        assert {*stage.service(name).network_ids} == {before.id, wide.id}

    ana.page.get_by_text("Cancel job…").click()
    ana.page.get_by_role("button", name="Cancel and put everything back").click()
    ended(ana, "Cancelled")
    ana.sees(f"Every service is on {NET} as before, and the new network is removed")
    after = stage.network(NET)
    assert after is not None
    assert after.id == before.id
    assert stage.network(WIDE) is None
    for name, spec in specs.items():
        found = stage.service(name)
        assert found.spec == spec
        assert found.previous_spec is not None
        assert wide.id not in found.previous_spec.text
        assert all(wide.id not in task.network_ids for task in observe(stage.lab).running_on(found.id))
    stage.lab.nodes[1].cli("rm", "--force", BOX)


def test_what_was_made_outside_is_drift_and_can_be_adopted(stage: Stage) -> None:
    ana = stage.ana
    lab_services.create_overlay(stage.lab.manager, OUTSIDE)
    ana.page.goto(stage.at("drift"))
    row = stage.reload_until(ana.page.locator("section.drift").filter(has_text=OUTSIDE))
    expect(row).to_contain_text("Nobody approved it")
    row.get_by_text("Adopt: this is how it shall be").click()
    row.get_by_label("Why it shall stay so").fill("The monitoring team owns it.")
    row.get_by_role("button", name="Adopt as found").click()
    expect(ana.page.locator("section.drift").filter(has_text=OUTSIDE)).to_have_count(0)
    assert stage.network(OUTSIDE) is not None


def test_what_was_changed_outside_is_proposed_back(stage: Stage) -> None:
    """A stranger removes the network that was adopted and makes another one of the same name."""
    ana, node, adopted = stage.ana, stage.lab.manager, stage.network(OUTSIDE)
    assert adopted is not None
    node.cli("network", "rm", OUTSIDE)
    mtu = ("--opt", "com.docker.network.driver.mtu=1300")
    node.cli("network", "create", "--driver", "overlay", "--subnet", "10.91.0.0/24", *mtu, OUTSIDE)
    stage.look_again()
    ana.page.goto(stage.at("drift"))
    changed = ana.page.locator("section.drift").filter(has_text=f"{OUTSIDE} was changed outside")
    stage.reload_until(changed.filter(has_text="1300"))
    expect(changed.locator("ins").filter(has_text="10.91.0.0/24")).to_be_visible()
    changed.get_by_role("link", name="Propose the change back…").click()
    expect(ana.field("Subnets")).to_have_value(re.compile(re.escape(adopted.ipam[0].subnet)))
    expect(ana.field("MTU")).to_have_value("")
    stage.carry_out("It was agreed on otherwise.")
    found = stage.network(OUTSIDE)
    assert found is not None
    assert (found.ipam, found.mtu, found.allocated) == (adopted.ipam, adopted.mtu, True)
    ana.page.goto(stage.at("drift"))
    expect(ana.page.get_by_role("heading", name="Drift")).to_be_visible()
    expect(ana.page.locator("section.drift").filter(has_text=OUTSIDE)).to_have_count(0)


def test_ports_that_were_changed_outside_are_proposed_back(stage: Stage) -> None:
    """As the plan that connected the service was approved; a stranger publishes another port instead."""
    ana, before = stage.ana, stage.service("web")
    stage.lab.manager.cli(
        "service", "update", "--detach=false", "--publish-rm", "80", "--publish-add", "8099:80", "web"
    )
    stage.look_again()
    ana.page.goto(stage.at("drift"))
    changed = ana.page.locator("section.drift").filter(has_text="Ports of web were changed outside")
    stage.reload_until(changed.filter(has_text="8099"))
    changed.get_by_role("link", name="Propose the change back…").click()
    ana.sees("web starts first: where old and new containers meet")
    ana.page.get_by_role("button", name="Ask for approval").click()
    ana.sees("Say why")
    assert "422" in ana.complaints.pop()
    stage.carry_out("The balancer asks at 8090.")
    ana.sees("1 service has the ports that were asked for")
    after = stage.service("web")
    assert after.ports == before.ports
    assert after.spec == before.spec
    assert len(observe(stage.lab).running_on(after.id)) == 2
    ana.page.goto(stage.at("drift"))
    expect(ana.page.get_by_role("heading", name="Drift")).to_be_visible()
    expect(ana.page.locator("section.drift").filter(has_text="Ports of web")).to_have_count(0)


def test_a_setting_that_docker_cannot_change_is_changed_under_the_same_name(stage: Stage) -> None:
    ana, before = stage.ana, stage.network(NET)
    stage.look_again()
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Replace…").click()
    ana.page.get_by_label(re.compile(f"Keep the name {NET}")).check()
    ana.field("MTU").fill("1400")
    expect(ana.page.locator("#preview")).to_contain_text("api")
    stage.carry_out("The provider's path is smaller.")
    after = stage.network(NET)
    assert before is not None
    assert after is not None
    assert (after.mtu, after.attachable, after.ipam) == ("1400", True, before.ipam)
    assert after.id != before.id
    (attached,) = stage.service("api").spec.document()["TaskTemplate"]["Networks"]
    assert attached == {"Target": after.id, "Aliases": ["backend"]}
    names = {row.name for row in observe(stage.lab).networks if row.scope == "swarm"}
    assert names == {"ingress", NET, OUTSIDE}


def test_addresses_and_readiness_show_the_real_swarm(stage: Stage) -> None:
    ana, found = stage.ana, stage.network(NET)
    assert found is not None
    ana.page.goto(stage.at("addresses"))
    row = ana.page.get_by_role("row").filter(has_text=NET).first
    expect(row).to_contain_text(found.ipam[0].subnet)
    expect(row).to_contain_text("estimated: 1 for the gateway")
    expect(row).to_contain_text(re.compile(r"\d+ more replicas"))
    ana.page.goto(stage.at("readiness/"))
    ana.sees("Manager of a Swarm")
    gossip = ana.page.locator("table.reach td[data-label='7946/tcp']")
    assert [cell.strip() for cell in gossip.all_inner_texts()] == ["Not checked"] * len(stage.lab.nodes)
    ana.page.get_by_role("button", name="Check now").click()
    expect(ana.page.get_by_text("checked never")).to_have_count(0, timeout=SEEN_MS)
    expect(gossip.filter(has_text="Not checked")).to_have_count(0, timeout=SEEN_MS)
    for node in stage.lab.nodes:
        row = ana.page.locator("table.reach tr").filter(has_text=node.name)
        expect(row).to_contain_text(node.address)
        expect(row.locator("td[data-label='4789/udp']")).to_have_text("Not checked")


def test_rules_and_a_checklist_are_filled_in_with_the_real_nodes(stage: Stage) -> None:
    ana, (manager, _, worker) = stage.ana, stage.lab.nodes
    ana.page.goto(stage.at("readiness/"))
    ana.page.get_by_role("link", name="firewalld", exact=True).click()
    rules = ana.page.locator("#rules details").filter(has_text=worker.name)
    rules.locator("summary").click()
    expect(rules).to_contain_text("firewall-cmd")
    expect(rules).to_contain_text(manager.address)
    expect(rules).not_to_contain_text("2377")
    ana.page.get_by_role("link", name="Customise docker_gwbridge of a node…").click()
    ana.field("Node").fill(worker.name)
    ana.field("Subnet").press_sequentially("172.30.0.0/20", delay=10)
    ana.sees(re.compile("docker network create --subnet 172.30.0.0/20"))
    ana.sees(re.compile("docker node update --availability drain"))


def test_what_swarm_took_in_silence_is_explained_with_what_waits_for_it(stage: Stage) -> None:
    """A stranger makes a network within another one's subnet; Swarm takes it and never allocates it."""
    ana, found, node = stage.ana, stage.network(NET), stage.lab.manager
    assert found is not None
    node.cli("network", "create", "--driver", "overlay", "--subnet", found.ipam[0].subnet, STUCK)
    ana.page.goto(stage.at(""))
    said = ana.page.locator("li.verdict").filter(has_text=STUCK)
    stage.reload_until(said)
    expect(said).to_contain_text("a manager takes such a network without a word")
    expect(said).to_contain_text("No service uses it")
    said.get_by_role("link", name="See the network").click()
    ana.sees(f"Swarm has not allocated {STUCK}.")
    node.cli("network", "rm", STUCK)


def test_the_picture_of_addresses_is_looked_into(stage: Stage) -> None:
    """By the square that the network lies in, and on to its own addresses."""
    ana, found = stage.ana, stage.network(NET)
    assert found is not None
    subnet = found.ipam[0].subnet
    ana.page.goto(stage.at("addresses?at=172.16.0.0/12"))
    ana.page.locator(".space").get_by_role("link", name=f"overlay {NET} {subnet}").click()
    ana.page.locator("#space tbody").get_by_role("link", name=subnet, exact=True).click()
    size = subnets.parse(subnet).size
    ana.sees(f"{size} of {size} addresses held")
    expect(ana.page.locator(".space-nav [aria-current=location]")).to_have_text(subnet)
    expect(ana.page.locator("#space tbody").get_by_role("link", name=NET, exact=True)).to_be_visible()


def test_ranges_come_from_a_file_bind_and_go_into_one(stage: Stage) -> None:
    ana = stage.ana
    ana.page.goto(stage.at("addresses"))
    ana.page.get_by_role("link", name="Reserved ranges…").click()
    ana.page.get_by_label("CSV file").set_input_files(
        {"name": "ranges.csv", "mimeType": "text/csv", "buffer": RANGES.encode()}
    )
    ana.page.get_by_role("button", name="Show what it changes").click()
    ana.page.get_by_role("button", name="Import 1 new and 0 changed").click()
    expect(ana.page.get_by_role("row").filter(has_text="10.64.0.0/14").first).to_contain_text("Network team")
    with ana.page.expect_download() as download:
        ana.page.get_by_role("link", name="Export as CSV").click()
    assert download.value.path().read_text().splitlines() == RANGES.splitlines()
    ana.page.get_by_role("link", name="Show in the address space").click()
    expect(ana.page.get_by_role("row").filter(has_text="partners")).to_contain_text("262,144")
    ana.page.goto(stage.at("networks/new"))
    ana.field("Subnets").press_sequentially("10.66.0.0/24", delay=10)
    expect(ana.page.locator("#verdict-subnets")).to_contain_text("partners")


def test_an_engine_joins_by_the_command_that_the_page_shows(stage: Stage) -> None:
    """node3 leaves and comes back as a new node; afterwards its token lets nobody in any more."""
    ana, manager, node = stage.ana, stage.lab.manager, stage.lab.nodes[2]
    (row,) = [found for found in observe(stage.lab).nodes if found.hostname == node.name]
    node.cli("swarm", "leave")
    ana.page.goto(stage.at("readiness/"))
    ana.page.get_by_role("link", name="Join an engine").click()
    ana.page.get_by_role("button", name="Show the worker's token").click()
    expect(ana.page.get_by_text(TOKEN).first).to_be_visible()
    ana.field("Its own address").press_sequentially(node.address, delay=10)
    command = ana.page.get_by_text(re.compile(rf"docker swarm join .*{re.escape(node.address)}")).first
    expect(command).to_be_visible()
    said = command.inner_text()
    node.cli(*shlex.split(said)[1:])

    ana.page.get_by_role("link", name="Rotate the worker's token").click()
    ana.page.get_by_role("button", name="Rotate the worker's token now").click()
    ana.sees("Rotated the token for workers")
    assert manager.cli("swarm", "join-token", "--quiet", "worker").strip() not in said
    wait_until(lambda: _states(stage, node.name) == ["down", "ready"], what="both rows of node3", timeout=30)
    manager.cli("node", "rm", row.id)
    stage.look_again()
    ana.page.goto(stage.at("readiness/"))
    stage.reload_until(ana.page.get_by_text(f"did not try {node.name}: new since then"))


def test_what_nobody_uses_any_more_is_deleted(stage: Stage) -> None:
    ana = stage.ana
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Connect services").click()
    for name in ("api", "web"):
        ana.page.get_by_role("checkbox", name=name).uncheck()
    stage.carry_out("The shop moves out.")
    for name in ("api", "web"):
        assert stage.service(name).network_ids == ()
    stage.open_network(NET)
    for name in ("api", "web"):
        expect(ana.page.locator("#in-use")).to_contain_text(f"docker service update --detach {name}")
        stage.lab.manager.cli("service", "update", "--detach", name)
    stage.look_again()
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Delete…").click()
    stage.carry_out("Nobody uses it.")
    assert stage.network(NET) is None
    ana.page.goto(f"{stage.installed.address}/history/")
    ana.sees(re.compile(f"Delete {NET}"))


def test_an_engine_that_goes_away_and_comes_back_is_shown_so(stage: Stage) -> None:
    """The last one: the services of the manager's node start anew."""
    ana, manager = stage.ana, stage.lab.manager
    ana.page.goto(stage.at("networks/"))
    manager.stop()
    stopped = datetime.now(UTC)
    # While it stops it still answers, for as long as its containers take, and says that it is no manager. The open page
    # follows by itself.
    expect(ana.page.get_by_role("alert").filter(has_text=re.compile("socket|listens"))).to_be_visible(timeout=SEEN_MS)
    for place in ("networks/", ""):
        ana.page.goto(stage.at(place))
        away = ana.page.locator(".meta-strip").filter(has_text="not answering now, since")
        seen = away.get_by_text("seen ").locator("time").first.get_attribute("datetime")
        assert datetime.fromisoformat(seen or "") <= stopped, "as old as it is"
    ana.sees(stage.lab.nodes[2].name)  # what was seen stays on the page
    manager.start()
    ana.page.get_by_role("button", name="Look again").first.click()
    stage.reload_until(ana.page.locator(".meta-strip").filter(has_text="was away from"))
    expect(ana.page.get_by_text("not answering")).to_have_count(0)


def _states(stage: Stage, hostname: str) -> list[str]:
    return sorted(node.state for node in observe(stage.lab).nodes if node.hostname == hostname)
