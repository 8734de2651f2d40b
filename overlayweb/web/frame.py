"""What the frame of every page shows: the clusters, the one looked at, what waits and what runs."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from overlayweb.domain import policy, repair_plans
from overlayweb.domain.lifecycle import ChangeStatus
from overlayweb.domain.policy import Role
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import clusters, demo, roles
from overlayweb.services.clusters import Shown, Sight

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

THEMES = ("light", "dark")
THEME_COOKIE = "overlayweb_theme"
THEME_SECONDS = 365 * 86400
_LAST_CLUSTER = "cluster"
_ASKED = "asked"
_FRAME = "overlayweb.frame"
_ONLY_SHOW = ("cluster", "ingress", "network", "service")
"""Pages of a cluster on which nobody types: they are kept as new as what was seen of it."""

_SAY_UNSEEN = frozenset({"addresses", "overview", "networks", "ingress", "readiness", "services"})
"""Places whose pages say themselves that the cluster was never seen."""

_PLACES = {
    "cluster": "overview",
    "networks": "networks",
    "services": "services",
    "service": "services",
    "service-connect": "services",
    "reach": "services",
    "network": "networks",
    "network-new": "networks",
    "network-delete": "networks",
    "network-connect": "networks",
    "network-containers": "networks",
    "network-replace": "networks",
    "cluster-add": "overview",
    "cluster-edit": "overview",
    "cluster-nodes": "ingress",
    "cluster-node": "ingress",
    "ingress": "ingress",
    "ingress-customise": "ingress",
    "ingress-repair": "ingress",
    "drift": "overview",
    "readiness": "readiness",
    "readiness-bridge": "readiness",
    "readiness-initialise": "readiness",
    "readiness-join": "readiness",
    "readiness-rotate": "readiness",
    "addresses": "addresses",
    "reserved-range": "reserved",
    "reserved-ranges": "reserved",
    "reserved-import": "reserved",
    "changes": "changes",
    "change": "changes",
    "change-again": "changes",
    "change-approve": "changes",
    "change-reject": "changes",
    "jobs": "jobs",
    "job": "jobs",
    "job-log": "jobs",
    "history": "history",
    "people": "people",
    "people-invite": "people",
    "people-approval": "people",
    "people-role": "people",
}
"""Which entry of the rail a page belongs to, by the name of its URL."""

_RAIL = (
    ("overview", "Overview", "overview", "cluster", True),
    ("networks", "Networks", "networks", "networks", True),
    ("ingress", "Ingress", "ingress", "ingress", False),
    ("services", "Services", "services", "services", True),
    ("addresses", "Addresses", "addresses", "addresses", False),
    ("readiness", "Readiness", "check", "readiness", False),
    ("changes", "Changes", "changes", "changes", True),
    ("jobs", "Jobs", "jobs", "jobs", False),
    ("history", "History", "history", "history", False),
)
"""The entries: place, title, icon, the name of the URL, and whether a phone shows it outside of *More*."""

_OF_CLUSTER = frozenset({"cluster", "networks", "ingress", "services", "addresses", "readiness"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A look that somebody asked for, ``since`` in seconds since 1970. ``known``: the last look ended by then."""

    known: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the rail. ``first``: on a phone it is one of the four beside *More*, which holds the others."""

    place: str
    title: str
    icon: str
    url: str
    first: bool


@dataclass
class Frame:
    """Everything around a page. Worked out when a template asks, so that fragments pay nothing."""

    request: HttpRequest
    user: User | AnonymousUser

    @property
    def theme(self) -> str:
        """ "light", "dark", or "" to follow the system."""
        chosen = self.request.COOKIES.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else ""

    @property
    def place(self) -> str:
        """The entry of the rail that is current."""
        match = self.request.resolver_match
        return _PLACES.get(match.url_name or "", "") if match else ""

    @cached_property
    def rail(self) -> list[Entry]:
        """Where one may go, in order; what belongs to a cluster only where there is one."""
        return list(_rail(self.cluster))

    @property
    def in_more(self) -> bool:
        """Whether the current entry is one of those that a phone shows under *More*."""
        return any(entry.place == self.place and not entry.first for entry in self.rail)

    @cached_property
    def clusters(self) -> "list[WithAnnotations[Cluster, Shown]]":
        """All clusters by name."""
        if not self.user.is_authenticated:
            return []
        return clusters.shown()

    @cached_property
    def cluster(self) -> Cluster | None:
        """The cluster of this page, else the one looked at last, else the first."""
        match = self.request.resolver_match
        here = match.kwargs.get("name") if match else None
        wanted = here or self.request.session.get(_LAST_CLUSTER)
        return next((c for c in self.clusters if c.name == wanted), self.clusters[0] if self.clusters else None)

    @cached_property
    def demo(self) -> bool:
        """Whether this page is about a simulated Swarm; without a cluster, whether there is no other."""
        return self.cluster.demo if self.cluster else demo.is_all_there_is()

    @property
    def no_manager(self) -> str:
        """What to do with an engine of this machine that is no manager of a Swarm, as it was at the start; or ""."""
        found: str = settings.OVERLAYWEB_NO_MANAGER
        return found

    @cached_property
    def sight(self) -> Sight | None:
        """What is known of that cluster now, for the banner. Of the observation only the glance at it is read."""
        if self.cluster is None:
            return None
        return clusters.sight(cluster=self.cluster, now=timezone.now())

    @property
    def says_unseen(self) -> bool:
        """Whether the page itself says why its cluster was never seen."""
        return self.place in _SAY_UNSEEN

    @property
    def mesh_is_wedged(self) -> str:
        """What is wrong with the cluster's routing mesh, in a sentence; "" while it works."""
        return self.sight.glance.headline if self.sight and self.sight.glance else ""

    @cached_property
    def waiting_repair(self) -> ChangeRequest | None:
        """The repair of the cluster's mesh that waits for approval, if there is one."""
        waiting = ChangeRequest.objects.filter(status=ChangeStatus.PENDING, kind=repair_plans.KIND)
        return waiting.filter(cluster=self.cluster).first() if self.cluster else None

    @cached_property
    def asked(self) -> Asked | None:
        """The look at this cluster that the reader asked for, until it has ended."""
        pk, known_then, since = self.request.session.get(_ASKED, (None, "", 0))
        if self.sight is None or self.sight.cluster.pk != pk or known(self.sight.cluster) != known_then:
            return None
        return Asked(known=known_then, since=since)

    @property
    def only_shows(self) -> bool:
        """Whether the page follows what is seen of its cluster while it is read."""
        match = self.request.resolver_match
        return match is not None and match.url_name in _ONLY_SHOW

    @cached_property
    def role(self) -> Role:
        """What the reader may do here."""
        return roles.of(self.user) if isinstance(self.user, User) else Role.READER

    @property
    def may_administer(self) -> bool:
        """Whether the reader looks after clusters, reserved ranges and people."""
        return policy.may_administer(self.role).allowed

    @property
    def reads_only(self) -> bool:
        """Whether the reader changes nothing: no button that asks, decides or steers is for them."""
        return not policy.may_ask(self.role).allowed

    @cached_property
    def pending(self) -> int:
        """How many changes wait for approval."""
        return sum(cluster.pending for cluster in self.clusters)

    @cached_property
    def running(self) -> bool:
        """Whether a job is queued or running anywhere."""
        return any(cluster.running for cluster in self.clusters)

    @cached_property
    def says(self) -> str:
        """Equal as long as the banners and the marks of the rail say the same."""
        sight, job = self.sight, self.sight.job if self.sight else None
        banner = (sight.error, job.pk if job else 0, job.status if job else "") if sight else ()
        repair = self.waiting_repair.pk if self.mesh_is_wedged and self.waiting_repair else 0
        said = (*banner, self.mesh_is_wedged, repair, self.pending, self.running)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:16]

    @property
    def shows(self) -> str:
        """Equal as long as a page that only shows would show the same: ``says``, and what was seen of the cluster."""
        return f"{self.says}.{self.cluster.revision if self.cluster else 0}"

    @property
    def job_url(self) -> str:
        """Where the job that holds the cluster is shown, or ""."""
        return reverse("job", args=[self.sight.job.pk]) if self.sight and self.sight.job else ""


def _rail(cluster: Cluster | None) -> Iterator[Entry]:
    for place, title, icon, route, first in _RAIL:
        if route not in _OF_CLUSTER:
            yield Entry(place=place, title=title, icon=icon, url=reverse(route), first=first)
        elif cluster:
            yield Entry(place=place, title=title, icon=icon, url=reverse(route, args=[cluster.name]), first=first)
        elif place == "overview":
            yield Entry(place=place, title=title, icon=icon, url=reverse("overview"), first=first)


def frame(request: HttpRequest) -> dict[str, Frame]:
    """Context processor: ``frame`` in every template."""
    return {"frame": of(request)}


def of(request: HttpRequest) -> Frame:
    """The frame of this request, the same one for its view and its template."""
    found = request.META.get(_FRAME)
    if not isinstance(found, Frame):
        found = Frame(request=request, user=getattr(request, "user", AnonymousUser()))
        request.META[_FRAME] = found
    return found


def remember(request: HttpRequest, cluster: Cluster) -> None:
    """Pages that belong to no cluster keep showing the one that was looked at last."""
    if request.session.get(_LAST_CLUSTER) != cluster.name:
        request.session[_LAST_CLUSTER] = cluster.name


def known(cluster: Cluster) -> str:
    """The last look that ended, as pages name it to ask whether there is a newer one; "" before the first."""
    last = clusters.last_look(cluster)
    return last.isoformat() if last else ""


def keep_asked(request: HttpRequest, cluster: Cluster, *, now: datetime) -> None:
    """Remember that the reader asked for a look, so that their pages show by themselves what it finds."""
    request.session[_ASKED] = [cluster.pk, known(cluster), int(now.timestamp())]


def back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """To the page that a form names in ``next``, if it is one of ours."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(wanted if ours else otherwise)


@require_safe
def frame_news(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001  # the frame reads it
    """Nothing, and the event ``frame`` once the page would not say, or show, any more what ``known`` stands for."""
    answer = HttpResponse(status=204, headers={"Cache-Control": "no-store"})
    now = of(request)
    return answer if request.GET.get("known") in {now.says, now.shows} else trigger_client_event(answer, "frame")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie; an open page follows by the event ``theme``."""
    chosen = request.POST.get("theme", "")
    if chosen not in THEMES:
        chosen = ""
    answer: HttpResponse = HttpResponse(status=204) if request.headers.get("HX-Request") else back(request, "/")
    answer.set_cookie(
        THEME_COOKIE, chosen, max_age=THEME_SECONDS, samesite="Lax", httponly=True, secure=request.is_secure()
    )
    return trigger_client_event(answer, "theme", {"value": chosen})
