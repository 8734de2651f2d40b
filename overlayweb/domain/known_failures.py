"""The error decoder's rows about nodes, images, containers, and about engines that do not answer.

Sources: as in ``known_errors.py``; what swarmkit's scheduler says of each filter; Go's words for connections.
"""

from overlayweb.domain import evidence
from overlayweb.domain.known_errors import row

_SERVICE = "service: See the service"
_NODES = "cluster: See the nodes"
_READINESS = "readiness: See ports and firewalls"
_EDIT = "cluster-edit: Edit the cluster's address"
_MAJORITY = "Bring more than half of the managers online. What runs keeps running meanwhile."
_SCHEDULED = (evidence.placement,)

_PLACING = (
    row(
        "no-node-constraints",
        "no suitable node.*scheduling constraints not satisfied",
        cause="No node meets the placement constraints of the service.",
        remedy="Give a node the label that is asked for, or change the constraint.",
        looks=_SCHEDULED,
        to=_SERVICE,
    ),
    row(
        "no-node-resources",
        "no suitable node.*insufficient resources",
        cause="No node has as much CPU or memory left as the service reserves.",
        remedy="Lower the reservation, or free room on a node. A service that a job holds waits like this on purpose.",
        looks=_SCHEDULED,
        to=_SERVICE,
    ),
    row(
        "no-node-platform",
        "no suitable node.*unsupported platform|no matching manifest for",
        cause="The image is made for another operating system or processor than that of the nodes.",
        remedy="Use an image for their platform, or add a node of the image's.",
        looks=(*_SCHEDULED, evidence.image),
        to=_SERVICE,
    ),
    row(
        "no-node-plugin",
        r"no suitable node.*missing plugin|plugin \S+ not found|could not find plugin|network driver.* not found"
        r"|legacy plugin|error looking up \w+ plugin|no such plugin|plugin is not enabled",
        cause="A network or volume driver that is asked for is not installed, or not enabled, on the node.",
        remedy="Install it with `docker plugin install` on each node, or use the driver overlay.",
        looks=_SCHEDULED,
        to=_NODES,
    ),
    row(
        "no-node-replicas",
        "no suitable node.*max replicas per node",
        cause="Every node runs as many containers of the service already as its spec allows on one.",
        remedy="Add a node, or raise the limit of replicas per node.",
        looks=_SCHEDULED,
        to=_SERVICE,
    ),
    row(
        "no-node-port",
        "no suitable node.*host-mode port already in use",
        cause="The port that the service publishes in host mode is taken on every node that is left.",
        remedy="Choose another port, or fewer containers than nodes.",
        looks=_SCHEDULED,
        to=_SERVICE,
    ),
    row(
        "no-node",
        "no suitable node",
        cause="No node is allowed, or has room, to run it.",
        remedy="Look at its constraints and reservations, and at the availability of the nodes.",
        looks=_SCHEDULED,
        to=_NODES,
    ),
    row(
        "node-away",
        "heartbeat failure|node is down|node .* is not reachable",
        cause="The managers have not heard from the node: it is off, overloaded, or cut off.",
        remedy="Look at its engine, and at ports 2377/tcp and 7946/tcp+udp between the nodes.",
        looks=(evidence.nodes,),
        to=_READINESS,
    ),
)

_STARTING = (
    row(
        "image-rate",
        "toomanyrequests|rate limit",
        cause="The registry refuses more pulls for now.",
        remedy="Wait, sign in to the registry with `docker login`, or use a mirror.",
        looks=(evidence.image,),
        to=_SERVICE,
    ),
    row(
        "image-access",
        "pull access denied|unauthorized: |authentication required|denied: requested access",
        cause="The registry does not let the node pull the image, or the image does not exist there.",
        remedy="Check its name, and deploy with `--with-registry-auth` so that the nodes get the credentials.",
        looks=(evidence.image,),
        to=_SERVICE,
    ),
    row(
        "image-missing",
        "no such image|manifest unknown|manifest for .* not found|repository does not exist|invalid reference format",
        cause="The node cannot get the image.",
        remedy="Look at its name, the registry and who may pull.",
        looks=(evidence.image,),
        to=_SERVICE,
    ),
    row(
        "disk-full",
        "no space left on device",
        cause="A disk of the node is full.",
        remedy="Free room there: `docker system df` says what takes it.",
        to=_NODES,
    ),
    row(
        "mount",
        "bind source path does not exist|invalid mount config|error while mounting volume",
        cause="A folder or volume that the container mounts is not on the node.",
        remedy="Make it on every node on which the service may run, or constrain the service to those that have it.",
        looks=_SCHEDULED,
        to=_SERVICE,
    ),
    row(
        "secret",
        r"(?:secret|config) (?:reference )?\S+ not found|(?:secret|config) not found",
        cause="A secret or config that the spec names does not exist in the Swarm.",
        remedy="Create it, or take it out of the spec.",
        to=_SERVICE,
    ),
    row(
        "unhealthy",
        "unhealthy container",
        cause="The container runs, and its health check says that it does not work.",
        remedy="Read `docker service logs` of it, and try what the health check runs.",
        looks=(evidence.states,),
        to=_SERVICE,
    ),
    row(
        "exited",
        r"task: non-zero exit \(\d+\)",
        cause="The program in the container ended by itself with an error, or was killed.",
        remedy="Read `docker service logs` of it. 137 means killed: out of memory, or too slow to stop.",
        looks=(evidence.states,),
        to=_SERVICE,
    ),
    row(
        "runtime",
        "OCI runtime create failed|starting container failed|failed to create (?:task|shim)",
        cause="The node could not start the container: its command, a mount or a limit does not fit.",
        remedy="Read the rest of the message; it names the file or setting.",
        looks=(evidence.image,),
        to=_SERVICE,
    ),
)

_ASKING = (
    row(
        "out-of-sequence",
        "update out of sequence|it was changed since it was read",
        cause="Somebody else, or Swarm itself, changed it between reading and writing.",
        remedy="Nothing is lost: it is read again, compared, and tried again.",
    ),
    row(
        "no-leader",
        "does not have a leader|too few managers|lost quorum|the swarm has no leader",
        cause="Half of the managers or fewer answer, so nothing in the Swarm can be read or changed.",
        remedy=_MAJORITY,
        looks=(evidence.managers,),
        to=_READINESS,
    ),
    row(
        "no-majority",
        "rpc error: .*deadline ?exceeded|node lost leader status|did not hear enough of the other managers",
        cause="A manager got no answer from the others: too few of them are online, or they are overloaded.",
        remedy=_MAJORITY,
        looks=(evidence.managers, evidence.nodes),
        to=_READINESS,
    ),
    row(
        "locked",
        "needs to be unlocked|swarm on .* is locked",
        cause="The manager was restarted, and its Swarm is kept locked until somebody gives the key.",
        remedy="Run `docker swarm unlock` on that node.",
        looks=(evidence.managers,),
        to=_READINESS,
    ),
    row(
        "not-a-manager",
        "is not a (?:swarm )?manager|not part of a swarm|cannot create a multi-host network from a worker",
        cause="The engine that was asked manages no Swarm.",
        remedy="Give the address of a manager, or promote this node: `docker node promote` on a manager.",
        looks=(evidence.managers,),
        to=_EDIT,
    ),
    row(
        "starting",
        "being prepared|has trouble connecting|is starting or can not reach the others",
        cause="The manager has just started, or does not reach the others.",
        remedy="Wait a minute. Where it stays, look at 2377/tcp between the managers.",
        looks=(evidence.managers,),
        to=_READINESS,
    ),
    row(
        "tls",
        r"x509:|tls:|certificate .* (?:is )?not accepted|there is no TLS connection|bad certificate"
        "|gave HTTP response to HTTPS client",
        cause="The two sides do not trust each other's certificates, or one of them speaks no TLS.",
        remedy="Compare the CA, the names and the dates of the certificates, and the port.",
        to=_EDIT,
    ),
    row(
        "socket-rights",
        "may not use the socket|permission denied while trying to connect",
        cause="The worker's user is not in the group that owns the engine's socket.",
        remedy="Add it to that group, usually docker, and start Overlayweb again.",
        to=_EDIT,
    ),
    row(
        "no-name",
        "no such host|in \\S+ has no address",
        cause="The name of the machine is not known to the DNS of the worker.",
        remedy="Check its spelling, or give an address instead.",
        to=_EDIT,
    ),
    row(
        "refused",
        "connection refused|nothing listens at|there is no socket|cannot connect to the docker daemon",
        cause="No engine listens there: Docker is not running, or the address or port is another one.",
        remedy="Start Docker on that machine, and check the address.",
        to=_EDIT,
    ),
    row(
        "deadline",
        "deadline ?exceeded|did not answer in time|i/o timeout|TLS handshake timeout",
        cause="No answer came in time: the machine is overloaded or off, or a firewall drops the connection.",
        remedy="Check that it is up, then the ports between the machines. What was asked for may have been done.",
        looks=(evidence.managers, evidence.nodes),
        to=_READINESS,
    ),
    row(
        "no-route",
        "there is no way to|no route to host|network is unreachable",
        cause="No route leads to that machine from where the worker runs.",
        remedy="Check the network, the VPN and the routes of the worker's machine.",
        to=_EDIT,
    ),
    row(
        "broken-connection",
        "connection reset|broken pipe|unexpected EOF|the connection to the engine at .* broke|takes no more connections"
        "|broke its answer off or is not a docker engine",
        cause="The connection ended before the answer: the engine restarts, or something stands in between.",
        remedy="Look again in a moment. Where it stays, check for a proxy, and the engine's log.",
        to=_EDIT,
    ),
)

ENGINE_ROWS = (*_PLACING, *_STARTING, *_ASKING)
