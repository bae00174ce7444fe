"""What clients ask of the HTTP API, and what they are told: by Leveret (test_dialogues.py here) and by a real RabbitMQ
(interop/test_management.py).

`{v}` is a virtual host made for the dialogue, which the administrator may use; `{n}` the node; `{u}` a user's name that
is free. What is told is compared as far as it is written down here: of an object those keys, of a list all items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ABSENT = "absent"  # a key that must not be there


@dataclass(frozen=True)
class Instead:
    """What RabbitMQ 3.10.8 tells, and why Leveret does not."""

    status: int
    answer: Any
    why: str


@dataclass(frozen=True)
class Step:
    """`ask`: method and path below /api. `user`: with the password "secret"; None: the administrator."""

    ask: str
    body: Any
    status: int
    answer: Any = None
    user: str | None = None
    rabbitmq: Instead | None = None


ALWAYS_TEXT = "a reason is always text: typed clients cannot read an array"
AS_4X = "as RabbitMQ 4.x"
NO_CRASH = "RabbitMQ fails here by a mistake of its own"
COUNTED_NOW = "counts are those of this moment, RabbitMQ's up to 5 s old"

PUBLISH = {"properties": {}, "routing_key": "q", "payload": "hello", "payload_encoding": "string"}
GET = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
SHOVEL = {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://", "dest-queue": "b"}
NOT_FOUND = {"error": "Object Not Found", "reason": "Not Found"}


def bad(reason: str) -> dict[str, str]:
    return {"error": "bad_request", "reason": reason}


DIALOGUES: dict[str, list[Step]] = {
    "a queue": [
        Step("PUT /queues/{v}/q", {"durable": "true", "arguments": {"x-max-length": 5}}, 201),
        Step("PUT /queues/{v}/q", {"durable": True, "arguments": {"x-max-length": 5}}, 204),
        Step(
            "PUT /queues/{v}/q", {"arguments": {"x-max-length": 5}}, 400,
            bad("inequivalent arg 'durable' for queue 'q' in vhost '{v}': received 'false' but current is 'true'"),
        ),
        Step("PUT /queues/{v}/q", "{}", 400, bad(
            "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?"
        )),
        Step("PUT /queues/{v}/q", {"durable": "x"}, 400, bad("not_boolean: x"),
             rabbitmq=Instead(400, {"reason": ["not_boolean", "x"]}, ALWAYS_TEXT)),
        Step("GET /queues/{v}/q", None, 200, {
            "name": "q", "vhost": "{v}", "durable": True, "auto_delete": False, "exclusive": False, "node": "{n}",
            "type": "classic",
        }),
        Step("GET /queues/{v}/q", None, 200, {"messages": 0, "consumers": 0, "state": "running"},
             rabbitmq=Instead(200, {"messages": ABSENT}, COUNTED_NOW)),
        Step("GET /queues/{v}/q?columns=name,vhost", None, 200, {"name": "q", "vhost": "{v}"}),
        Step("GET /queues/{v}/", None, 200, [{"name": "q"}]),
        Step("GET /queues/{v}?page=1&page_size=10&name=Q", None, 200, {
            "total_count": 1, "filtered_count": 1, "item_count": 1, "page": 1, "page_size": 10, "page_count": 1,
            "items": [{"name": "q"}],
        }),
        Step("GET /queues/{v}?page=2", None, 400, {
            "error": "page_out_of_range", "reason": "Page out of range, page: 2 page size: 100, len: 1",
        }),
        Step("GET /queues/{v}?page=0", None, 400, {
            "error": "invalid_pagination_parameters",
            "reason": "Invalid pagination parameters: page number 0, page size undefined",
        }),
        Step("GET /queues/{v}/nope", None, 404, NOT_FOUND),
        Step("GET /queues/nope-nope", None, 404, NOT_FOUND),
        Step("PUT /queues/nope-nope/q", {}, 404, {"error": "not_found", "reason": "vhost_not_found"}),
        Step("DELETE /queues/{v}/nope", None, 404, NOT_FOUND),
        Step("DELETE /queues/{v}/nope/contents", None, 404, NOT_FOUND),
        Step("DELETE /queues/{v}/q/contents", None, 204),
        Step("GET /queues/{v}/q/contents", None, 405),
        Step("POST /queues/{v}/q/actions", {"action": "sync"}, 204),
        Step("POST /queues/{v}/q/actions", {}, 400, bad("[{key_missing,action}]")),
        Step("POST /queues/{v}/q/actions", {"action": "dance"}, 400, bad("unknown: dance"),
             rabbitmq=Instead(400, {"reason": ["unknown", "dance"]}, ALWAYS_TEXT)),
        Step("DELETE /queues/{v}/q?if-unused=true", None, 204),
        Step("DELETE /queues/{v}/q", None, 404, NOT_FOUND),
        Step("PUT /queues/{v}/amq.mine", {}, 401, {"error": "not_authorised", "reason": "Access refused."}),
    ],
    "publish and get": [
        Step("PUT /queues/{v}/q", {}, 201),
        Step("POST /exchanges/{v}/amq.default/publish", PUBLISH, 200, {"routed": True}),
        Step("POST /exchanges/{v}/amq.default/publish", PUBLISH | {"routing_key": "nowhere"}, 200, {"routed": False}),
        Step("POST /exchanges/{v}/amq.default/publish", {"payload": 5}, 400,
             bad("[{key_missing,routing_key},{key_missing,properties},{key_missing,payload_encoding}]"),
             rabbitmq=Instead(400, {"error": "bad_request"}, "Erlang breaks long texts into lines")),
        Step("POST /exchanges/{v}/amq.default/publish", PUBLISH | {"payload": 5}, 400, bad("payload_not_string")),
        Step("POST /exchanges/{v}/nope/publish", PUBLISH, 404, {"error": "not_found", "reason": "exchange_not_found"},
             rabbitmq=Instead(400, bad("404 NOT_FOUND - no exchange 'nope' in vhost '{v}'"), AS_4X)),
        Step("DELETE /queues/{v}/q?if-empty=true", None, 400, bad("queue 'q' in vhost '{v}' not empty")),
        Step("POST /queues/{v}/q/get", GET | {"ackmode": "ack_requeue_true"}, 200, [{
            "payload": "hello", "payload_bytes": 5, "payload_encoding": "string", "redelivered": False, "exchange": "",
            "routing_key": "q", "message_count": 0,
        }]),
        Step("POST /queues/{v}/q/get", GET | {"truncate": 2, "encoding": "base64", "count": "5"}, 200, [{
            "payload": "aGU=", "payload_bytes": 5, "payload_encoding": "base64", "redelivered": True,
        }]),
        Step("POST /queues/{v}/q/get", GET, 200, []),
        Step("POST /queues/{v}/q/get", GET | {"encoding": "hex"}, 400,
             bad("Unsupported encoding. Please use auto or base64.")),
        Step("POST /queues/{v}/q/get", {"count": 1}, 400, bad("[{key_missing,ackmode},{key_missing,encoding}]")),
        Step("POST /queues/{v}/nope/get", GET, 404, {"error": "not_found", "reason": "queue_not_found"},
             rabbitmq=Instead(404, {"reason": "NOT_FOUND - no queue 'nope' in vhost '{v}'"}, AS_4X)),
    ],
    "an exchange": [
        Step("PUT /exchanges/{v}/x", {"type": "topic", "durable": True, "arguments": []}, 201),
        Step("PUT /exchanges/{v}/x", {"type": "topic", "durable": True}, 204),
        Step("PUT /exchanges/{v}/x", {"type": "nonsense"}, 400, bad("unknown exchange type 'nonsense'")),
        Step("GET /exchanges/{v}/x", None, 200, {
            "name": "x", "vhost": "{v}", "type": "topic", "durable": True, "auto_delete": False, "internal": False,
            "arguments": {}, "incoming": [], "outgoing": [],
        }),
        Step("GET /exchanges/{v}/amq.default", None, 200, {"name": "", "type": "direct"}),
        Step("PUT /exchanges/{v}/amq.direct", {"type": "direct", "durable": True}, 204),
        Step("DELETE /exchanges/{v}/amq.direct", None, 401, {"reason": "Access refused."}),
        Step("GET /exchanges/{v}/nope", None, 404, NOT_FOUND),
        Step("DELETE /exchanges/{v}/nope", None, 404, NOT_FOUND),
        Step("DELETE /exchanges/{v}/x", None, 204),
    ],
    "bindings": [
        Step("PUT /queues/{v}/d%2Fq", {}, 201),
        Step("PUT /exchanges/{v}/x", {"type": "topic"}, 201),
        Step("POST /bindings/{v}/e/x/q/d%2Fq", {"routing_key": "order.#"}, 201),
        Step("POST /bindings/{v}/e/x/q/d%2Fq", {"routing_key": "order.#"}, 201),
        Step("POST /bindings/{v}/e/x/e/amq.fanout", {}, 201),
        Step("GET /bindings/{v}/e/x/q/d%2Fq", None, 200, [{
            "source": "x", "vhost": "{v}", "destination": "d/q", "destination_type": "queue", "routing_key": "order.#",
            "arguments": {}, "properties_key": "order.%23",
        }]),
        Step("GET /bindings/{v}/e/x/q/d%2Fq/order.%2523", None, 200, {"routing_key": "order.#"}),
        Step("GET /bindings/{v}/e/x/e/amq.fanout/~", None, 200, {"destination_type": "exchange"}),
        Step("GET /exchanges/{v}/amq.fanout/bindings/destination", None, 200, [{"source": "x"}]),
        Step("GET /queues/{v}/d%2Fq/bindings", None, 200, [{"source": ""}, {"source": "x"}]),
        Step("POST /bindings/{v}/e/x/q/nope", {}, 404,
             {"error": "not_found", "reason": "no queue 'nope' in vhost '{v}'"}),
        Step("POST /bindings/{v}/e/nope/q/d%2Fq", {}, 404,
             {"error": "not_found", "reason": "no exchange 'nope' in vhost '{v}'"}),
        Step("DELETE /exchanges/{v}/x?if-unused=true", None, 400, bad("exchange 'x' in vhost '{v}' in use")),
        Step("DELETE /bindings/{v}/e/x/q/d%2Fq/order.%2523", None, 204),
        Step("DELETE /bindings/{v}/e/x/q/d%2Fq/order.%2523", None, 404, NOT_FOUND),
    ],
    "users and what they may": [
        Step("PUT /users/{u}", {"password": "secret", "tags": "management, policymaker"}, 201),
        Step("PUT /users/{u}", {"password": "secret", "tags": ["management"]}, 204),
        Step("PUT /users/{u}", {"password": "secret"}, 400, bad("tags_not_present")),
        Step("PUT /users/{u}", {"password": "x", "password_hash": "x", "tags": ""}, 400,
             bad("both_password_and_password_hash_are_provided")),
        Step("GET /users/{u}", None, 200, {
            "name": "{u}", "tags": ["management"], "limits": {},
            "hashing_algorithm": "rabbit_password_hashing_sha256",
        }),
        Step("GET /whoami", None, 200, {"name": "{u}", "tags": ["management"]}, user="{u}"),
        Step("GET /users", None, 401, {"error": "not_authorised", "reason": "Not administrator user"}, user="{u}"),
        Step("GET /nodes", None, 401, {"reason": "Not monitor user"}, user="{u}"),
        Step("GET /queues/{v}", None, 401, {"reason": "User not authorised to access virtual host"}, user="{u}"),
        Step("GET /vhosts", None, 200, [], user="{u}"),
        Step("PUT /permissions/{v}/{u}", {"configure": "^mine", "write": "", "read": ".*"}, 201),
        Step("PUT /permissions/{v}/{u}", {"configure": "^mine", "write": "", "read": ".*"}, 204),
        Step("PUT /permissions/{v}/{u}", {"configure": ""}, 400, bad("[{key_missing,write},{key_missing,read}]")),
        Step("PUT /permissions/{v}/nobody", {"configure": "", "write": "", "read": ""}, 400,
             bad("vhost_or_user_not_found")),
        Step("GET /permissions/{v}/{u}", None, 200,
             {"user": "{u}", "vhost": "{v}", "configure": "^mine", "write": "", "read": ".*"}),
        Step("PUT /queues/{v}/mine", {}, 201, user="{u}"),
        Step("PUT /queues/{v}/other", {}, 401, {"error": "not_authorised", "reason": "Access refused."}, user="{u}"),
        Step("POST /exchanges/{v}/amq.direct/publish", PUBLISH, 401, {"reason": "Access refused."}, user="{u}",
             rabbitmq=Instead(400, bad("403 ACCESS_REFUSED - access to exchange 'amq.direct' in vhost '{v}' refused "
                                       "for user '{u}'"), "a lack of permission is 401 wherever it is met")),
        Step("PUT /topic-permissions/{v}/{u}", {"exchange": "amq.topic", "write": "^a", "read": ".*"}, 201),
        Step("GET /topic-permissions/{v}/{u}", None, 200,
             [{"user": "{u}", "vhost": "{v}", "exchange": "amq.topic", "write": "^a", "read": ".*"}]),
        Step("DELETE /topic-permissions/{v}/{u}", None, 204),
        Step("GET /topic-permissions/{v}/{u}", None, 404, NOT_FOUND),
        Step("DELETE /permissions/{v}/{u}", None, 204),
        Step("DELETE /permissions/{v}/{u}", None, 404, NOT_FOUND),
        Step("GET /connections/username/nobody", None, 200, []),
        Step("DELETE /connections/username/nobody", None, 204),
        Step("PUT /user-limits/{u}/max-channels", {"value": 5}, 204),
        Step("GET /user-limits/{u}", None, 200, [{"user": "{u}", "value": {"max-channels": 5}}]),
        Step("DELETE /user-limits/{u}/max-channels", None, 204),
        Step("DELETE /user-limits/{u}/max-channels", None, 204),
        Step("POST /users/bulk-delete", {"users": ["{u}"]}, 204),
        Step("POST /users/bulk-delete", {"users": ["{u}"]}, 400, bad("no_such_user: {u}"),
             rabbitmq=Instead(400, {"reason": ["no_such_user", "{u}"]}, ALWAYS_TEXT)),
        Step("POST /users/bulk-delete", {}, 400, bad("[{key_missing,users}]")),
        Step("GET /whoami", None, 401, {"error": "not_authorized", "reason": "Not_Authorized"}, user="{u}",
             rabbitmq=Instead(401, {"error": "not_authorized", "reason": "Login failed"}, AS_4X)),
    ],
    "a virtual host": [
        Step("PUT /vhosts/{v}", {"description": "d", "tags": "a,b"}, 204),
        Step("GET /vhosts/{v}", None, 200, {"name": "{v}", "description": "d", "tags": ["a", "b"], "tracing": False}),
        Step("GET /vhosts/nope-nope", None, 404, NOT_FOUND),
        Step("DELETE /vhosts/nope-nope", None, 404, NOT_FOUND),
        Step("PUT /vhost-limits/{v}/max-queues", {"value": 1}, 204),
        Step("GET /vhost-limits/{v}", None, 200, [{"vhost": "{v}", "value": {"max-queues": 1}}]),
        Step("PUT /queues/{v}/a", {}, 201),
        Step("PUT /queues/{v}/b", {}, 400, bad("cannot declare queue 'b': queue limit in vhost '{v}' (1) is reached")),
        Step("DELETE /vhost-limits/{v}/max-queues", None, 204),
        Step("DELETE /vhost-limits/{v}/max-queues", None, 204),
        Step("POST /vhosts/{v}/start/{n}", {}, 204),
        Step("POST /vhosts/{v}/start/nope", {}, 400, bad("Request to node nope failed with nodedown")),
        Step("GET /vhosts/{v}/connections", None, 200, []),
        Step("GET /vhosts/{v}/channels", None, 200, []),
        Step("GET /vhosts/nope-nope/channels", None, 404, NOT_FOUND),
        Step("POST /vhosts/{v}/deletion/protection", {}, 204, rabbitmq=Instead(405, None, AS_4X)),
        Step("DELETE /vhosts/{v}/deletion/protection", None, 204, rabbitmq=Instead(405, None, AS_4X)),
    ],
    "policies": [
        Step("PUT /policies/{v}/p", {"pattern": "^q", "definition": {"max-length": 5}, "apply-to": "queues"}, 201),
        Step("PUT /policies/{v}/p", {"pattern": "^q", "definition": {"max-length": 6}, "apply-to": "queues"}, 204),
        Step("GET /policies/{v}/p", None, 200, {
            "vhost": "{v}", "name": "p", "pattern": "^q", "apply-to": "queues", "definition": {"max-length": 6},
            "priority": 0,
        }),
        Step("GET /policies/{v}", None, 200, [{"name": "p"}]),
        Step("PUT /policies/{v}/p", {"definition": {}}, 400, bad("[{key_missing,pattern}]")),
        Step("PUT /policies/{v}/p", {"pattern": "", "definition": {}}, 400,
             bad("Validation failed\n\nno policy provided\n")),
        Step("PUT /policies/{v}/p", {"pattern": "", "definition": {"x": 1}}, 400,
             bad('Validation failed\n\n[{<<"x">>,1}] are not recognised policy settings\n'),
             rabbitmq=Instead(400, bad("Validation failed\n\n[{&lt;&lt;\"x\"&gt;&gt;,1}] are not recognised policy "
                                       "settings\n"), "JSON is no HTML, and nothing is escaped in it as if it were")),
        Step("PUT /operator-policies/{v}/o", {"pattern": "", "definition": {"expires": 5}}, 201),
        Step("GET /operator-policies/{v}/o", None, 200, {"definition": {"expires": 5}}),
        Step("DELETE /operator-policies/{v}/o", None, 204),
        Step("DELETE /policies/{v}/p", None, 204),
        Step("DELETE /policies/{v}/p", None, 404, NOT_FOUND),
    ],
    "parameters": [
        Step("PUT /parameters/shovel/{v}/s", {"value": SHOVEL}, 201),
        Step("PUT /parameters/shovel/{v}/s", {"value": SHOVEL}, 204),
        Step("GET /parameters/shovel/{v}/s", None, 200,
             {"vhost": "{v}", "component": "shovel", "name": "s", "value": SHOVEL}),
        Step("GET /parameters/shovel/{v}", None, 200, [{"name": "s"}]),
        Step("GET /parameters/nope", None, 200, []),
        Step("PUT /parameters/shovel/{v}/t", {"value": {}}, 400, bad(
            "Validation failed\n\nMust specify 'src-exchange' or 'src-queue'\nKey \"dest-uri\" not found in t\n"
            'Key "src-uri" not found in t\n'
        )),
        Step("PUT /parameters/shovel/{v}/t", {"value": SHOVEL | {"src-uri": "http://x"}}, 400, bad(
            'Validation failed\n\n"http://x" not a valid URI: {{unexpected_uri_scheme,"http"},"http://x"}\n'
        )),
        Step("PUT /parameters/shovel/{v}/t", {"value": "x"}, 400,
             bad('Validation failed\n\nt not a list <<"x">>\n'), rabbitmq=Instead(500, None, NO_CRASH)),
        Step("PUT /parameters/federation-upstream/{v}/u", {"value": {"uri": ["amqp://a"], "max-hops": 1}}, 201),
        Step("PUT /parameters/federation-upstream/{v}/u", {"value": {}}, 400,
             bad('Validation failed\n\nKey "uri" not found in u\n')),
        Step("PUT /parameters/federation-upstream-set/{v}/u", {"value": [{"upstream": "u"}]}, 201),
        Step("PUT /parameters/nope/{v}/t", {"value": {}}, 400,
             bad("Validation failed\n\ncomponent nope not found\n")),
        Step("PUT /parameters/policy/{v}/t", {"value": {}}, 400, bad("policies may not be set using this method")),
        Step("PUT /parameters/shovel/{v}/t", {}, 400, bad("[{key_missing,value}]")),
        Step("PUT /parameters/shovel/nope-nope/t", {"value": SHOVEL}, 404, {"reason": "vhost_not_found"}),
        Step("DELETE /parameters/shovel/{v}/s", None, 204),
        Step("DELETE /parameters/shovel/{v}/s", None, 404, NOT_FOUND),
        Step("PUT /global-parameters/{u}", {"value": {"a": [1, None]}}, 201),
        Step("PUT /global-parameters/{u}", {"value": 5}, 204),
        Step("GET /global-parameters/{u}", None, 200, {"name": "{u}", "value": 5}),
        Step("PUT /global-parameters/{u}", {"value": [1]}, 204),
        Step("PUT /global-parameters/{u}", {"value": [True]}, 204),
        Step("GET /global-parameters/{u}", None, 200, {"value": [True]}),
        Step("DELETE /global-parameters/{u}", None, 204),
        Step("DELETE /global-parameters/{u}", None, 404, NOT_FOUND),
    ],
    "definitions": [
        Step("POST /definitions/{v}", {
            "queues": [{"name": "q", "durable": True, "auto_delete": False, "arguments": {}}],
            "exchanges": [{"name": "x", "type": "fanout", "durable": True, "auto_delete": False, "internal": False,
                           "arguments": {}}],
            "bindings": [{"source": "x", "destination": "q", "destination_type": "queue", "routing_key": "",
                          "arguments": {}}],
        }, 204),
        Step("GET /definitions/{v}", None, 200, {
            "queues": [{"name": "q", "durable": True}], "exchanges": [{"name": "x", "type": "fanout"}],
            "bindings": [{"source": "x", "destination": "q"}], "policies": [], "parameters": [],
        }),
        Step("POST /definitions/{v}", {"queues": [{"name": "other"}]}, 204,
             rabbitmq=Instead(400, {"reason": "function_clause"}, AS_4X)),
        Step("POST /definitions/{v}", [], 400, bad("failed_to_parse_json")),
    ],
    "definitions of an internal exchange": [
        Step("PUT /exchanges/{v}/i", {"type": "fanout", "internal": True}, 201),
        Step("GET /definitions/{v}", None, 200, {"exchanges": [{"name": "i", "type": "fanout", "internal": True}]}),
    ],
    "the node": [
        Step("GET /nodes/{n}", None, 200, {"name": "{n}", "running": True, "partitions": [], "type": "disc"}),
        Step("GET /nodes/nope", None, 404, NOT_FOUND, rabbitmq=Instead(500, None, NO_CRASH)),
        Step("GET /nodes/{n}/memory/relative", None, 200, {"memory": {"total": 100}}),
        Step("GET /auth/attempts/{n}/source", None, 200, []),
        Step("GET /auth/attempts/nope", None, 404, NOT_FOUND),
        Step("PUT /feature-flags/nope/enable", {}, 400, bad("unsupported")),
        Step("POST /rebalance/queues", {}, 204),
        Step("GET /health/checks/alarms", None, 200, {"status": "ok"}),
        Step("GET /health/checks/virtual-hosts/", None, 200, {"status": "ok"}),
        Step("GET /health/checks/port-listener/1", None, 503, {"status": "failed", "missing": 1}),
        Step("GET /health/checks/port-listener/x", None, 400, bad("Invalid port")),
        Step("GET /health/checks/certificate-expiration/x/days", None, 400, bad("Invalid expiration value.")),
        Step("GET /health/checks/certificate-expiration/5/parsecs", None, 400,
             bad("Time unit not recognised. Supported units: days, weeks, months, years.")),
        Step("GET /health/checks/node-is-quorum-critical", None, 200, {"status": "ok"}),
        Step("GET /aliveness-test/{v}", None, 200, {"status": "ok"}),
        Step("GET /aliveness-test/nope-nope", None, 404, NOT_FOUND),
        Step("GET /federation-links/{v}", None, 200, []),
        Step("GET /shovels/nope-nope", None, 404, NOT_FOUND),
        Step("GET /connections/nope", None, 404, NOT_FOUND),
        Step("DELETE /connections/nope", None, 404, NOT_FOUND),
        Step("GET /nonsense", None, 404, NOT_FOUND),
        Step("DELETE /overview", None, 405),
    ],
}  # fmt: skip


def differences(wanted: Any, told: Any, names: dict[str, str], where: str = "") -> list[str]:
    """names: what stands for `{v}` and the others."""
    if isinstance(wanted, dict) and isinstance(told, dict):
        found = []
        for key, value in wanted.items():
            if value == ABSENT:
                found += [f"{where}.{key} is there"] if key in told else []
            elif key not in told:
                found.append(f"{where}.{key} is missing")
            else:
                found += differences(value, told[key], names, f"{where}.{key}")
        return found
    if isinstance(wanted, list) and isinstance(told, list):
        if len(wanted) != len(told):
            return [f"{where}: {told!r} has {len(told)} items"]
        pairs = enumerate(zip(wanted, told, strict=True))
        return [text for index, (one, other) in pairs for text in differences(one, other, names, f"{where}[{index}]")]
    if isinstance(wanted, str):
        wanted = filled(wanted, names)
    return [] if type(wanted) is type(told) and wanted == told else [f"{where}: {told!r}, not {wanted!r}"]


def filled(value: Any, names: dict[str, str]) -> Any:
    """With the names in the place of `{v}` and the others."""
    if isinstance(value, str):
        for short, name in names.items():
            value = value.replace(f"{{{short}}}", name)
        return value
    if isinstance(value, dict):
        return {filled(key, names): filled(item, names) for key, item in value.items()}
    return [filled(item, names) for item in value] if isinstance(value, list) else value
