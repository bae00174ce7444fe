"""Every route with every tag, and every route of a virtual host that is not the user's.

The tag that each needs is written down here once more, after RabbitMQ 3.10.8, which was asked the same, and 4.x for
what 3.10 has not, and for feature flags. A route that is not named needs `management`; the lists of shovels and
federation links, which are empty here, need `monitoring` in RabbitMQ.
"""

import re

import pytest

from leveret.management.routes import ALL

NOBODY = """
    GET /version    POST /login    GET /health/checks/is-in-service    GET /health/checks/ready-to-serve-clients
    GET /health/checks/below-node-connection-limit
"""
MONITORING = r"GET /nodes.*    GET /auth/attempts/.*"
POLICYMAKER = r"\w+ /(global-)?parameters.*    \w+ /policies/{vhost}/{policy}"
ADMINISTRATOR = r"""
    DELETE /auth/attempts/.*    GET /auth/hash_password/.*    \w+ /definitions.*    \w+ /all-configuration
    PUT /feature-flags/.*    (PUT|DELETE) /(vhost|user)-limits/.*    DELETE /reset.*    GET /config/effective
    POST /rebalance/queues    PUT /cluster-name    \w+ /(topic-)?permissions.*
    \w+ /operator-policies/{vhost}/{policy}    POST /queues/{vhost}/{queue}/actions    (POST|DELETE) /queues/quorum/.*
    \w+ /users(/(without-permissions|bulk-delete|{user}(/(topic-)?permissions)?))?
    \w+ /vhosts/{vhost}(/((topic-)?permissions|deletion/protection|start/{node}))?
"""

# Each tag, with the words for those whose tags are too weak for a route that needs it.
WEAKER = {
    "management": ("Not management user", ["", "impersonator"]),
    "policymaker": ("User not authorised to access object", ["management", "monitoring"]),
    "monitoring": ("Not monitor user", ["management", "policymaker"]),
    "administrator": ("Not administrator user", ["management", "policymaker", "monitoring"]),
}
STRONG_ENOUGH = {
    "management": ["management", "policymaker", "monitoring", "administrator"],
    "policymaker": ["policymaker", "administrator"],
    "monitoring": ["monitoring", "administrator"],
    "administrator": ["administrator"],
}
TAGS = ["", "impersonator", *STRONG_ENOUGH["management"]]
REFUSALS = {reason for reason, _ in WEAKER.values()}

ROUTES = sorted({f"{route.method} {route.path}" for route in ALL})


def needed(route):
    """None: not even a login."""
    tables = {None: NOBODY, "policymaker": POLICYMAKER, "monitoring": MONITORING, "administrator": ADMINISTRATOR}
    found = [
        tag for tag, table in tables.items()
        if any(re.fullmatch(pattern, route) for pattern in re.split(r"\s{2,}", table.strip()))
    ]  # fmt: skip
    assert len(found) <= 1, (route, found)
    return found[0] if found else "management"


def filled(route, **names):
    """The method, and the path with these names; what is not named is called `nope`."""
    method, _, path = route.partition(" ")
    return method, re.sub(r"{(\w+)}", lambda part: names.get(part[1], "nope"), path)


async def refusal(api, route, user, **names):
    """The reason of a 401; None: something else."""
    method, path = filled(route, **names)
    body = {} if method in ("PUT", "POST") else None
    response = await api.ask(method, path, body, user=user)
    return (response.json()["reason"] if response.content else "") if response.status_code == 401 else None


@pytest.fixture
def api(api):
    for tag in TAGS:
        api.add_user(f"a-{tag}", tag, vhosts=("/",))
    return api


async def test_each_route_is_for_those_who_have_its_tag(api):
    """What is named in the paths is not there: so nothing is changed by those who may."""
    for route in ROUTES:
        tag = needed(route)
        if tag is None:
            assert await refusal(api, route, None) in (None, "Not_Authorized"), route
            continue
        assert await refusal(api, route, None) == "", route
        for weak in ("", "impersonator"):
            assert await refusal(api, route, f"a-{weak}") == "Not management user", (route, weak)
        reason, weaker = WEAKER[tag]
        for weak in weaker:
            assert await refusal(api, route, f"a-{weak}") == reason, (route, weak)
        for strong in STRONG_ENOUGH[tag]:
            if "{user}" not in route:  # those are for the user himself as well, and have tests of their own
                assert await refusal(api, route, f"a-{strong}") not in REFUSALS, (route, strong)


def test_no_line_of_the_tables_is_without_a_route():
    patterns = re.split(r"\s{2,}", "  ".join([NOBODY, POLICYMAKER, MONITORING, ADMINISTRATOR]).strip())
    assert [one for one in patterns if not any(re.fullmatch(one, route) for route in ROUTES)] == []


NAMES = {
    "vhost": "hidden", "queue": "q", "exchange": "x", "destination": "x", "properties_key": "q", "policy": "p",
    "component": "shovel", "parameter": "s", "limit": "max-queues",
}  # fmt: skip
# These say, as RabbitMQ does, that there is no such thing: nothing can be, anywhere.
NOTHING_THERE = re.compile(r"\w+ /(shovels|federation-links|stream/\w+)/{vhost}/.+")


@pytest.fixture
def hidden(api):
    """A virtual host with one of everything, which nobody but the administrator may enter."""
    vhost = api.harness.add_vhost("hidden")
    vhost = api.node.vhosts["hidden"]
    client = api.harness.connect(vhost="hidden")
    client.declare("q")
    client.declare_exchange("x", "direct")
    client.bind("q", "x", "q")
    client.consume("q")
    vhost.policies.set("p", pattern="", definition={"max-length": 5})
    vhost.operator_policies.set("p", pattern="", definition={"max-length": 5})
    vhost.parameters.set(
        "shovel", "s", {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://", "dest-queue": "b"}
    )
    vhost.set_limits({"max-queues": 7}, "guest")
    return api


async def test_a_virtual_host_that_is_not_the_users_is_closed(hidden):
    routes = [
        route for route in ROUTES
        if "{vhost}" in route and needed(route) in ("management", "policymaker") and not NOTHING_THERE.fullmatch(route)
    ]  # fmt: skip
    assert len(routes) > 40
    for route in routes:
        reason = await refusal(hidden, route, "a-policymaker", **NAMES)
        words = "object" if needed(route) == "policymaker" else "virtual host"
        assert reason == f"User not authorised to access {words}", route


async def test_lists_have_nothing_of_a_virtual_host_that_is_not_the_users(hidden):
    routes = [route for route in ROUTES if re.fullmatch(r"GET [^{]+", route) and needed(route) is not None]
    told = 0
    for route in routes:
        user = "a-policymaker" if needed(route) in ("management", "policymaker") else None
        if user is not None:
            response = await hidden.ask("GET", route.partition(" ")[2], user=user)
            assert (response.status_code, "hidden" in response.text) == (200, False), route
        response = await hidden.ask("GET", route.partition(" ")[2])
        told += "hidden" in response.text
    assert told >= 10
