"""The engines of the nodes at work: they take Swarm tasks on, start and stop containers, and report.

An engine learns of a change a moment later, and only while it is up and connected. What it does takes time, and goes on
when the managers do not hear of it. Source: swarmkit agent/exec, moby daemon/cluster/executor; times from labs.
"""

from collections.abc import Callable
from typing import Any

from overlayweb.simulator import images, mesh
from overlayweb.simulator.daemons import Container, Daemon, Work
from overlayweb.simulator.images import Image
from overlayweb.simulator.records import Attachment, Node, State, SwarmTask
from overlayweb.simulator.store import Store
from overlayweb.simulator.times import Times


class Agents:
    """All engines. ``daemons`` by node id."""

    def __init__(self, store: Store, times: Times) -> None:
        self._store = store
        self._times = times
        self.daemons: dict[str, Daemon] = {}
        self.images: dict[str, Image] = {}
        self.managers_hear: Callable[[], bool] = lambda: True
        self.forget: Callable[[Daemon], None] = lambda _: None
        self.leader_astray_since: Callable[[], float | None] = lambda: None
        self._unheard: list[tuple[SwarmTask, State, float, dict[str, Any]]] = []
        store.watch(SwarmTask, self._task_changed)
        store.watch(Node, self._node_changed)

    # -- what the managers send

    def _task_changed(self, swarm_task: SwarmTask, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        daemon = self.daemons.get(swarm_task.node_id)
        if daemon is not None and self._concerns(daemon, swarm_task, gone=gone):
            self._later(daemon, self._times.dispatch, self._receive, swarm_task, gone)

    def _concerns(self, daemon: Daemon, swarm_task: SwarmTask, *, gone: bool) -> bool:
        work = daemon.works.get(swarm_task.id)
        if work is None:
            return swarm_task.state is State.ASSIGNED
        if gone or not swarm_task.wanted:
            return work.phase != "stopping"
        return work.phase == "ready" and swarm_task.desired is State.RUNNING

    def _node_changed(self, node: Node, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        daemon = self.daemons.get(node.id)
        if daemon is not None and not gone:
            self._later(daemon, self._times.dispatch, self.configure, daemon)

    def configure(self, daemon: Daemon) -> None:
        """Have the engine look at its place in the ingress: take it in, or let it go."""
        if not daemon.connected:
            return
        place = _ingress_of(daemon)
        if place is None:
            self._later(daemon, self._times.ingress_release, self._release, daemon)
        elif place.network.id != daemon.ingress_id:
            seconds = self._store.names.around(self._times.ingress_setup)
            self._later(daemon, seconds, self._set_up, daemon)

    def _release(self, daemon: Daemon) -> None:
        if _ingress_of(daemon) is None:
            mesh.release_ingress(daemon)

    def _set_up(self, daemon: Daemon) -> None:
        place = _ingress_of(daemon)
        if place is not None:
            mesh.set_up_ingress(daemon, place.network, place.address, self._store.now)

    def resume(self, daemon: Daemon) -> None:
        """Catch up with the managers after a start or a cut: the ingress first, then the Swarm tasks."""
        self.hear_again()
        self.configure(daemon)
        for swarm_task in [*self._store.tasks_by_node.get(daemon.node.id, {}).values()]:
            if swarm_task.id in daemon.works or swarm_task.state.rank < State.ASSIGNED.rank:
                self._task_changed(swarm_task, gone=False)
            elif swarm_task.service_id and not swarm_task.state.ended:
                self._later(daemon, self._times.dispatch, self._find_lost, daemon, swarm_task)
        for key in [key for key in daemon.works if key not in self._store.tasks]:
            self._task_changed(daemon.works[key].swarm_task, gone=True)

    def _find_lost(self, daemon: Daemon, swarm_task: SwarmTask) -> None:
        """Take up a Swarm task whose container an earlier run of the engine had, or had yet to make."""
        if swarm_task.id in daemon.works or swarm_task.state.ended:
            return
        if not swarm_task.wanted:
            self._report(swarm_task, State.SHUTDOWN, exit_code=images.KILLED)
        elif swarm_task.state.rank < State.STARTING.rank:
            self._take_on(daemon, swarm_task)
        else:
            error = f"task: non-zero exit ({images.KILLED})"
            self._report(swarm_task, State.FAILED, message="started", error=error, exit_code=images.KILLED)

    def hear_again(self) -> None:
        """Bring the managers what was reported while they could not hear it."""
        unheard, self._unheard = self._unheard, []
        for report in unheard:
            self._heard(*report)

    def _receive(self, swarm_task: SwarmTask, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature, later
        daemon = self.daemons[swarm_task.node_id]
        if not (daemon.connected and self.managers_hear()) or not self._concerns(daemon, swarm_task, gone=gone):
            return
        work = daemon.works.get(swarm_task.id)
        if work is not None:
            self._stop(daemon, work) if gone or not swarm_task.wanted else self._start(daemon, work)
        elif swarm_task.wanted:
            self._take_on(daemon, swarm_task)
        else:
            self._report(swarm_task, State.SHUTDOWN)

    # -- towards running

    def _take_on(self, daemon: Daemon, swarm_task: SwarmTask) -> None:
        work = daemon.works[swarm_task.id] = Work(swarm_task=swarm_task)
        self._report(swarm_task, State.ACCEPTED)
        self._report(swarm_task, State.PREPARING)
        self._later(daemon, self._store.names.around(self._times.pull), self._prepared, daemon, work)

    def _prepared(self, daemon: Daemon, work: Work) -> None:
        if work.phase != "preparing":
            return
        swarm_task = work.swarm_task
        if mesh.awaits(daemon, swarm_task, astray_since=self.leader_astray_since()):
            self._later(daemon, self._times.dispatch, self._prepared, daemon, work)
            return
        name = swarm_task.spec["ContainerSpec"]["Image"]
        refused = f"No such image: {name}" if self._image(swarm_task).missing else mesh.refusal(daemon, swarm_task)
        if refused == mesh.HANGS:
            work.phase = "starting"
            self._report(swarm_task, State.STARTING)
        elif refused:
            del daemon.works[swarm_task.id]
            self._report(swarm_task, State.REJECTED, message="preparing", error=refused)
        else:
            work.phase = "ready"
            self._make_container(work)
            self._report(swarm_task, State.READY, message="prepared")
            if swarm_task.desired is State.RUNNING:
                self._start(daemon, work)

    def _make_container(self, work: Work) -> None:
        swarm_task = work.swarm_task
        service = self._store.services.get(swarm_task.service_id)
        place = swarm_task.slot or swarm_task.node_id
        work.container = Container(
            id=self._store.names.container_id(),
            name=f"{service.name if service else 'service'}.{place}.{swarm_task.id}",
            swarm_task=swarm_task,
            created_at=self._store.now,
        )

    def _start(self, daemon: Daemon, work: Work) -> None:
        if work.phase != "ready" or work.container is None:
            return
        work.phase = "starting"
        mesh.attach(daemon, work.container, self._store.now)
        self._report(work.swarm_task, State.STARTING)
        seconds = images.healthy_after(work.swarm_task.spec["ContainerSpec"])
        self._later(daemon, self._store.names.around(self._times.start) + seconds, self._started, daemon, work)

    def _started(self, daemon: Daemon, work: Work) -> None:
        if work.phase != "starting" or work.container is None:
            return
        work.phase = "running"
        work.container.running = True
        swarm_task = work.swarm_task
        ports = (swarm_task.endpoint_spec or {}).get("Ports") or ()
        host_ports = [port for port in ports if port["PublishMode"] == "host"]
        self._report(
            swarm_task,
            State.RUNNING,
            message="started",
            container_id=work.container.id,
            pid=self._store.names.random.randint(1000, 60000),
            host_ports=host_ports,
        )
        end = images.own_end(swarm_task.spec["ContainerSpec"], self._image(swarm_task))
        if end is not None:
            self._later(daemon, end.seconds, self._ended_itself, daemon, work, end.exit_code)

    def _ended_itself(self, daemon: Daemon, work: Work, exit_code: int) -> None:
        if work.phase != "running":
            return
        work.phase = "stopping"
        self._tear_down(daemon, work)
        if exit_code:
            error = f"task: non-zero exit ({exit_code})"
            self._report(work.swarm_task, State.FAILED, message="started", error=error, exit_code=exit_code)
        else:
            self._report(work.swarm_task, State.COMPLETE, message="finished", exit_code=0)

    # -- towards the end

    def _stop(self, daemon: Daemon, work: Work) -> None:
        started = work.phase in {"starting", "running"} and work.container is not None
        work.phase = "stopping"
        if started:
            self._later(daemon, self._times.gossip, self._signal, daemon, work)
        else:
            daemon.works.pop(work.swarm_task.id, None)
            self._report(work.swarm_task, State.SHUTDOWN)

    def _signal(self, daemon: Daemon, work: Work) -> None:
        swarm_task = work.swarm_task
        spec = swarm_task.spec["ContainerSpec"]
        quick = self._store.names.around(self._times.quick_stop)
        end = images.told_to_stop(spec, self._image(swarm_task), quick=quick)
        self._later(daemon, end.seconds, self._exited, daemon, work, end.exit_code)

    def _exited(self, daemon: Daemon, work: Work, exit_code: int) -> None:
        if work.container is not None:
            work.container.running = False
        if work.swarm_task.desired is State.REMOVE:
            # The managers strike the row of one that was scaled away while its endpoints are still there.
            self._report(work.swarm_task, State.SHUTDOWN, exit_code=exit_code)
        seconds = self._store.names.around(self._times.tear_down)
        self._later(daemon, seconds, self._torn_down, daemon, work, exit_code)

    def _torn_down(self, daemon: Daemon, work: Work, exit_code: int) -> None:
        self._tear_down(daemon, work)
        self._report(work.swarm_task, State.SHUTDOWN, exit_code=exit_code)

    def _tear_down(self, daemon: Daemon, work: Work) -> None:
        daemon.works.pop(work.swarm_task.id, None)
        if work.container is not None:
            mesh.detach(daemon, work.container)

    # -- reports

    def _report(self, swarm_task: SwarmTask, state: State, **facts: Any) -> None:
        """Tell the managers, who hear of it a moment later, with the time at which it was so."""
        self._store.agenda.after(self._times.report, self._heard, swarm_task, state, self._store.now, facts)

    def _heard(self, swarm_task: SwarmTask, state: State, at: float, facts: dict[str, Any]) -> None:
        if not (self.daemons[swarm_task.node_id].connected and self.managers_hear()):
            self._unheard.append((swarm_task, state, at, facts))
            return
        if swarm_task.id not in self._store.tasks or state.rank <= swarm_task.state.rank:
            return
        for name in ("container_id", "pid", "host_ports", "exit_code"):
            if name in facts:
                setattr(swarm_task, name, facts[name])
        if state.ended:
            swarm_task.host_ports = []
        self._store.set_state(swarm_task, state, message=facts.get("message", ""), error=facts.get("error", ""))
        swarm_task.state_at = at

    # -- ends and starts of engines

    def lose(self, daemon: Daemon) -> None:
        """All that an engine had begun is lost: its containers, and what it was about to do."""
        daemon.boot += 1
        for work in [*daemon.works.values()]:
            self._tear_down(daemon, work)
        self.forget(daemon)

    def _image(self, swarm_task: SwarmTask) -> Image:
        return self.images.get(swarm_task.spec["ContainerSpec"]["Image"].partition("@")[0], Image())

    def _later(self, daemon: Daemon, seconds: float, act: Callable[..., None], *args: Any) -> None:
        """Do it on the engine in a while, unless it was started anew in between."""
        self._store.agenda.after(seconds, self._if_still, daemon, daemon.boot, act, args)

    def _if_still(self, daemon: Daemon, boot: int, act: Callable[..., None], args: tuple[Any, ...]) -> None:
        if daemon.up and daemon.boot == boot:
            act(*args)


def _ingress_of(daemon: Daemon) -> Attachment | None:
    """Its place in the ingress; in the last one of several, as engines have it. Source: moby, executor.Configure."""
    places = [row for row in daemon.node.attachments.values() if row.network.ingress]
    return places[-1] if places else None
