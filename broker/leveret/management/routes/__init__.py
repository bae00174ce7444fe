"""All routes, one module for each resource."""

from leveret.management.request import Route
from leveret.management.routes import (
    auth,
    bindings,
    connections,
    consumers,
    definitions,
    exchanges,
    features,
    health,
    limits,
    messages,
    nodes,
    overview,
    parameters,
    permissions,
    plugins,
    policies,
    queues,
    quorum,
    users,
    vhosts,
)

ALL: list[Route] = [
    route
    for module in (
        auth, bindings, connections, consumers, definitions, exchanges, features, health, limits, messages, nodes,
        overview, parameters, permissions, plugins, policies, queues, quorum, users, vhosts,
    )
    for route in module.routes
]  # fmt: skip
