"""What an engine tells of itself: ping, version, info."""

from datetime import timedelta

from starlette.responses import PlainTextResponse, Response

from overlayweb.simulator.calls import EngineCall, answer
from overlayweb.simulator.versions import Engine, at_least

_NEVER_STORED = {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"}


async def ping(call: EngineCall) -> Response:
    """GET and HEAD /_ping. From API 1.42 on it tells what the node is to a Swarm, too."""
    response = PlainTextResponse("OK", headers=_NEVER_STORED)
    if at_least(call.engine.api, "1.42"):
        response.headers["Builder-Version"] = "2"
        response.headers["Swarm"] = _place(call)
    return response


async def version(call: EngineCall) -> Response:
    """GET /version."""
    return answer(_version(call.engine))


async def info(call: EngineCall) -> Response:
    """GET /info, as far as people and the docker command read it."""
    world = call.world
    moment = world.started_at + timedelta(seconds=call.simulation.clock.now())
    system_time = {"SystemTime": f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z"}
    return answer({**_MACHINE, **_software(call.engine), **system_time, **world.info(call.view)})


def _place(call: EngineCall) -> str:
    place = call.world.info(call.view)["Swarm"]
    state = str(place["LocalNodeState"])
    if state != "active":
        return state
    return "active/manager" if place["ControlAvailable"] else "active/worker"


def _version(engine: Engine) -> dict[str, object]:
    details = {
        "ApiVersion": engine.api,
        "Arch": engine.arch,
        "BuildTime": engine.build_time,
        "Experimental": "false",
        "GitCommit": engine.commit,
        "GoVersion": engine.go,
        "KernelVersion": engine.kernel,
        "MinAPIVersion": engine.oldest_api,
        "Os": engine.os,
    }
    return {
        "Platform": {"Name": ""},
        "Components": [{"Name": "Engine", "Version": engine.version, "Details": details}],
        "Version": engine.version,
        **{name: text for name, text in details.items() if name != "Experimental"},
    }


def _software(engine: Engine) -> dict[str, object]:
    return {
        "ServerVersion": engine.version,
        "KernelVersion": engine.kernel,
        "OperatingSystem": "Overlayweb demo Swarm",
        "Architecture": "x86_64",
    }


_MACHINE: dict[str, object] = {
    "Containers": 0,
    "ContainersRunning": 0,
    "ContainersPaused": 0,
    "ContainersStopped": 0,
    "Images": 0,
    "Driver": "overlay2",
    "DriverStatus": [],
    "Plugins": {
        "Volume": ["local"],
        "Network": ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"],
        "Authorization": None,
        "Log": ["json-file", "local"],
    },
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsPeriod": True,
    "CpuCfsQuota": True,
    "CPUShares": True,
    "CPUSet": True,
    "PidsLimit": True,
    "IPv4Forwarding": True,
    "BridgeNfIptables": True,
    "BridgeNfIp6tables": True,
    "OomKillDisable": False,
    "Debug": False,
    "LoggingDriver": "json-file",
    "CgroupDriver": "systemd",
    "CgroupVersion": "2",
    "OSType": "linux",
    "OSVersion": "12",
    "IndexServerAddress": "",
    "RegistryConfig": None,
    "GenericResources": None,
    "DockerRootDir": "/var/lib/docker",
    "HttpProxy": "",
    "HttpsProxy": "",
    "NoProxy": "",
    "Labels": [],
    "ExperimentalBuild": False,
    "Runtimes": {"runc": {"path": "runc"}},
    "DefaultRuntime": "runc",
    "LiveRestoreEnabled": False,
    "Isolation": "",
    "InitBinary": "docker-init",
    "ContainerdCommit": {"ID": "", "Expected": ""},
    "RuncCommit": {"ID": "", "Expected": ""},
    "InitCommit": {"ID": "", "Expected": ""},
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "Warnings": None,
}
