"""What the forms that make an overlay and that replace one share beside their fields: the draft."""

from dataclasses import dataclass

from overlayweb.domain.plans import Finding, Level, Plan
from overlayweb.domain.swarm import DATA_PATH_PORT
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.web.network_forms import NetworkForm
from overlayweb.web.network_pick import Picking


@dataclass(kw_only=True)
class NetworkDraft:
    """The form and the plan that follows from it, None where there is none."""

    cluster: Cluster
    form: NetworkForm
    pick: Picking
    plan: Plan | None = None
    replaces: ChangeRequest | None = None

    @property
    def data_path_port(self) -> int:
        """The UDP port that carries overlays between nodes, Docker's own while the cluster was never seen."""
        swarm = self.cluster.swarm()
        return swarm.data_path_port if swarm else DATA_PATH_PORT

    @property
    def blockers(self) -> list[Finding]:
        """Blockers that stand beside no field."""
        return self._beside_no_field(Level.BLOCKER)

    @property
    def warnings(self) -> list[Finding]:
        """Warnings that stand beside no field."""
        return self._beside_no_field(Level.WARNING)

    @property
    def notices(self) -> list[Finding]:
        """What is good to know and stands beside no field."""
        return self._beside_no_field(Level.NOTICE)

    @property
    def problems(self) -> int:
        """How many things have to be mended; the missing reason apart."""
        unread = sum(len(errors) for name, errors in self.form.errors.items() if name != "reason")
        return unread + (len(self.plan.blockers) if self.plan else 1)

    def forget_missing_reason(self) -> None:
        """While the form is typed, a reason that is not there yet is no mistake."""
        self.form.errors.pop("reason", None)

    def _beside_no_field(self, level: Level) -> list[Finding]:
        """What the plan says at this level that stands beside no field, so that nothing is said twice."""
        return [f for f in self.plan.findings if f.level is level and f.about != "field"] if self.plan else []
