"""All routes, one module for each resource."""

from leveret.management.request import Route
from leveret.management.routes import (
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
    policies,
    queues,
    users,
    vhosts,
)

ALL: list[Route] = [
    route
    for module in (
        bindings, connections, consumers, definitions, exchanges, features, health, limits, messages, nodes, overview,
        parameters, permissions, policies, queues, users, vhosts,
    )
    for route in module.routes
]  # fmt: skip
