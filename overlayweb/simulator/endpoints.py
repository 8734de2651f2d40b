"""What each path of the Engine API asks of the simulated Swarm."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from overlayweb.simulator import about, streams, versions
from overlayweb.simulator.calls import EngineCall, answer, done
from overlayweb.simulator.defaults import with_defaults
from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.membership import already_part

Endpoint = Callable[[EngineCall], Awaitable[Response]]
CREATED, NO_CONTENT = 201, 204


async def nodes(call: EngineCall) -> Response:
    """GET /nodes."""
    return answer(call.world.nodes(call.filters(), view=call.view))


async def node(call: EngineCall) -> Response:
    """GET /nodes/{ref}."""
    return answer(call.world.node(call.path_params["ref"], view=call.view))


async def update_node(call: EngineCall) -> Response:
    """POST /nodes/{ref}/update."""
    spec, version = await call.document(), call.number("version")
    call.world.update_node(call.path_params["ref"], version, spec, view=call.view)
    return done()


async def swarm(call: EngineCall) -> Response:
    """GET /swarm."""
    return answer(call.world.swarm(view=call.view))


async def init_swarm(call: EngineCall) -> Response:
    """POST /swarm/init."""
    return answer(call.world.init_swarm(await call.document(), view=call.view))


async def join_swarm(call: EngineCall) -> Response:
    """POST /swarm/join: there is no other Swarm than the one that its nodes are in from the start."""
    await call.document()
    raise already_part() if call.world.swarm_id else ApiError(501, "this engine simulates no second Swarm")


async def leave_swarm(call: EngineCall) -> Response:
    """POST /swarm/leave."""
    call.world.leave_swarm(force=call.flag("force"), view=call.view)
    return done()


async def update_swarm(call: EngineCall) -> Response:
    """POST /swarm/update. Only new join tokens come of it."""
    await call.document()
    rotate = tuple(role for role in ("Worker", "Manager") if call.flag(f"rotate{role}Token"))
    call.world.update_swarm(call.number("version"), rotate=rotate, view=call.view)
    return done()


async def networks(call: EngineCall) -> Response:
    """GET /networks."""
    rows = call.world.networks(call.view, call.filters())
    return answer([versions.network(row, engine=call.engine) for row in rows])


async def network(call: EngineCall) -> Response:
    """GET /networks/{ref}."""
    found = call.world.network(call.path_params["ref"], call.view, call.query_params.get("scope", ""))
    if call.asks_for("1.52") and not found["Driver"]:
        raise ApiError(404, f"network {call.path_params['ref']} not found")
    if call.asks_for("1.52") and (status := call.world.address_status(found["Id"])):
        found = {**found, "Status": status}
    return answer(versions.network(found, engine=call.engine))


async def create_network(call: EngineCall) -> Response:
    """POST /networks/create. Whether names are compared is asked for until API 1.43, and always so since."""
    body = await call.document()
    if call.asks_for("1.44"):
        body["CheckDuplicate"] = True
    return answer(call.world.create_network(body, call.view), CREATED)


async def remove_network(call: EngineCall) -> Response:
    """DELETE /networks/{ref}."""
    call.world.remove_network(call.path_params["ref"], call.view)
    return done(NO_CONTENT)


async def connect_container(call: EngineCall) -> Response:
    """POST /networks/{ref}/connect."""
    body = await call.document()
    call.world.boxes.connect(call.path_params["ref"], str(body.get("Container") or ""), call.view)
    return done()


async def disconnect_container(call: EngineCall) -> Response:
    """POST /networks/{ref}/disconnect."""
    body = await call.document()
    call.world.boxes.disconnect(call.path_params["ref"], str(body.get("Container") or ""), call.view)
    return done()


async def services(call: EngineCall) -> Response:
    """GET /services."""
    return answer(call.world.services(call.filters(), call.flag("status"), view=call.view))


async def service(call: EngineCall) -> Response:
    """GET /services/{ref}."""
    found = call.world.service(call.path_params["ref"], view=call.view)
    return answer(with_defaults(found) if call.flag("insertDefaults") else found)


async def create_service(call: EngineCall) -> Response:
    """POST /services/create."""
    spec = versions.known_parts(await call.document(), asked=call.scope["api_version"])
    made = call.world.create_service(spec, view=call.view)
    return answer(versions.created_service(made, engine=call.engine), CREATED)


async def update_service(call: EngineCall) -> Response:
    """POST /services/{ref}/update."""
    spec = versions.known_parts(await call.document(), asked=call.scope["api_version"])
    version, rollback = call.number("version"), call.query_params.get("rollback", "")
    if call.query_params.get("registryAuthFrom", "spec") not in ("", "spec", "previous-spec"):
        raise ApiError(500, "unsupported registryAuthFrom value")
    updated = call.world.update_service(call.path_params["ref"], version, spec, rollback=rollback, view=call.view)
    return answer(updated)


async def remove_service(call: EngineCall) -> Response:
    """DELETE /services/{ref}."""
    call.world.remove_service(call.path_params["ref"], view=call.view)
    return done()


async def tasks(call: EngineCall) -> Response:
    """GET /tasks."""
    rows = call.world.tasks(call.filters(), view=call.view)
    return answer([versions.swarm_task(row, engine=call.engine) for row in rows])


async def task(call: EngineCall) -> Response:
    """GET /tasks/{ref}."""
    return answer(versions.swarm_task(call.world.task(call.path_params["ref"], view=call.view), engine=call.engine))


async def containers(call: EngineCall) -> Response:
    """GET /containers/json."""
    return answer(call.world.containers(call.view))


async def secrets(call: EngineCall) -> Response:
    """GET /secrets."""
    call.world.require_manager(call.view)
    return answer(call.world.secrets.listed())


async def create_secret(call: EngineCall) -> Response:
    """POST /secrets/create."""
    call.world.require_manager(call.view)
    return answer(call.world.secrets.create(await call.document()), CREATED)


async def configs(call: EngineCall) -> Response:
    """GET /configs."""
    call.world.require_manager(call.view)
    return answer(call.world.configs.listed())


async def create_config(call: EngineCall) -> Response:
    """POST /configs/create."""
    call.world.require_manager(call.view)
    return answer(call.world.configs.create(await call.document()), CREATED)


ROUTES: dict[tuple[str, str], Endpoint] = {
    ("GET", "/_ping"): about.ping,
    ("HEAD", "/_ping"): about.ping,
    ("GET", "/version"): about.version,
    ("GET", "/info"): about.info,
    ("GET", "/events"): streams.events,
    ("GET", "/swarm"): swarm,
    ("POST", "/swarm/init"): init_swarm,
    ("POST", "/swarm/join"): join_swarm,
    ("POST", "/swarm/leave"): leave_swarm,
    ("POST", "/swarm/update"): update_swarm,
    ("GET", "/nodes"): nodes,
    ("GET", "/nodes/{ref}"): node,
    ("POST", "/nodes/{ref}/update"): update_node,
    ("GET", "/networks"): networks,
    ("POST", "/networks/create"): create_network,
    ("GET", "/networks/{ref}"): network,
    ("DELETE", "/networks/{ref}"): remove_network,
    ("POST", "/networks/{ref}/connect"): connect_container,
    ("POST", "/networks/{ref}/disconnect"): disconnect_container,
    ("GET", "/services"): services,
    ("POST", "/services/create"): create_service,
    ("GET", "/services/{ref}"): service,
    ("POST", "/services/{ref}/update"): update_service,
    ("DELETE", "/services/{ref}"): remove_service,
    ("GET", "/tasks"): tasks,
    ("GET", "/tasks/{ref}"): task,
    ("GET", "/containers/json"): containers,
    ("GET", "/secrets"): secrets,
    ("POST", "/secrets/create"): create_secret,
    ("GET", "/configs"): configs,
    ("POST", "/configs/create"): create_config,
}
