"""Who may do what: the matrix of methods and rights, and permissions that change under open connections."""

from __future__ import annotations

import pytest

from interop.permissions import matrix
from interop.permissions.cases import ALL_GRANTS, MADE, Call, Case, filled, trials
from interop.probes import wire
from leveret.auth.permissions import EVERYTHING, Permission, TopicPermission
from leveret.auth.users import User
from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Channel, Connection, Exchange, Queue, make
from tests.harness import BrokerHarness, Client

NOTHING = Permission("", "", "")
RECORDED = matrix.recorded()


def somebody(harness: BrokerHarness, permission: Permission | None, name: str = "ann") -> Client:
    """A client of a new user."""
    harness.users.add(User.with_password(name, "secret"))
    if permission is not None:
        harness.users.permissions.set(name, "/", permission)
    return log_in(harness, name)


def log_in(harness: BrokerHarness, name: str = "ann", vhost: str = "/") -> Client:
    client = harness.tcp()
    client.send_header()
    client.start_ok(name, "secret")
    client.expect(Connection.Tune, channel=0)
    client.tune_ok()
    client.open_vhost(vhost)
    client.expect(Connection.OpenOk, channel=0)
    client.open(1)
    return client


def send(client: Client, call: Call) -> None:
    method, arguments = call
    content = wire.content(1, b"", {}) if method == matrix.WITHOUT_REPLY else b""
    client.send_bytes(wire.method(method, 1, **arguments) + content)


def try_case(harness: BrokerHarness, case: Case, grant_name: str) -> str:
    grant = ALL_GRANTS[grant_name]
    owner = harness.connect()
    for need in case.needs:
        send(owner, MADE[need])
    client = somebody(harness, Permission(grant.configure, grant.write, grant.read))
    if grant.topics is not None:
        harness.users.permissions.set_topic("ann", "/", "t", TopicPermission(*grant.topics))
    for call in case.first:
        send(client, call)
        client.received()
    send(client, (case.call[0], filled(case.call[1], "ann", "/")))
    for received in client.received():
        if isinstance(received.method, Channel.Close):
            return str(received.method.reply_text)
    return matrix.ALLOWED


@pytest.mark.parametrize(
    ("case", "grant_name"), trials(), ids=[f"{case.name} with {grant_name}" for case, grant_name in trials()]
)
def test_each_method_needs_its_rights(harness: BrokerHarness, case: Case, grant_name: str) -> None:
    """As recorded from RabbitMQ 3.10.8 (PERM-3, PERM-4, PERM-6); from 3.12 on the text names the right (PERM-2)."""
    answer = try_case(harness, case, grant_name)
    expected = RECORDED[case.name, grant_name].replace("USER", "ann").replace("VHOST", "/")
    assert (
        matrix.without_right(matrix.shown(answer, "ann", "/").replace("USER", "ann").replace("VHOST", "/")) == expected
    )
    if grant_name.startswith("no ") and " on " in grant_name and "access to" in answer:
        assert f"- {grant_name.split()[1]} access to" in answer


def test_what_was_recorded_is_all_that_is_tried() -> None:
    assert RECORDED.keys() == {(case.name, grant_name) for case, grant_name in trials()}
    assert set(RECORDED.values()) > {matrix.ALLOWED}


class TestOpening:
    def test_a_virtual_host_needs_a_permission(self, harness: BrokerHarness) -> None:
        """RabbitMQ: section 1.5 of the wire behaviour."""
        harness.users.add(User.with_password("ann", "secret", ["administrator"]))
        client = harness.tcp()
        client.send_header()
        client.start_ok("ann", "secret")
        client.expect(Connection.Tune, channel=0)
        client.tune_ok()
        client.open_vhost()
        client.expect_connection_close("NOT_ALLOWED - access to vhost '/' refused for user 'ann'", Connection.Open)

    def test_three_empty_patterns_are_enough(self, harness: BrokerHarness) -> None:
        """RabbitMQ: PERM-8."""
        client = somebody(harness, NOTHING)
        client.qos(1)


class TestChanges:
    """They count for the next operation; in RabbitMQ, a busy channel remembers its last 12 results (PERM-5)."""

    def test_a_right_that_is_taken_is_missed_at_once(self, harness: BrokerHarness) -> None:
        client = somebody(harness, EVERYTHING)
        client.declare("q")
        client.publish("", "q", b"before")
        client.publish("", "q", b"before")
        client.assert_silent()
        harness.users.permissions.set("ann", "/", Permission(".*", "^other", ".*"))
        client.publish("", "q", b"after")
        client.expect_channel_close(
            "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'ann'", Basic.Publish
        )
        client.open(1)
        assert client.drain("q") == [b"before", b"before"]

    def test_a_right_that_is_given_counts_at_once(self, harness: BrokerHarness) -> None:
        client = somebody(harness, NOTHING)
        refusal = "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'ann'"
        client.refused(make(Queue.Declare, queue="q"), refusal)
        harness.users.permissions.set("ann", "/", EVERYTHING)
        client.declare("q")

    def test_a_connection_whose_permission_is_cleared_stays_and_may_do_nothing(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8."""
        client = somebody(harness, EVERYTHING)
        harness.users.permissions.clear("ann", "/")
        client.refused(
            make(Queue.Declare, queue="q"),
            "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'ann'",
        )
        client.qos(1)

    def test_topic_permissions_count_at_once(self, harness: BrokerHarness) -> None:
        client = somebody(harness, EVERYTHING)
        client.publish("amq.topic", "b")
        client.assert_silent()
        harness.users.permissions.set_topic("ann", "/", "amq.topic", TopicPermission("^a", "^a"))
        client.publish("amq.topic", "b")
        client.expect_channel_close(
            "ACCESS_REFUSED - write access to topic 'b' in exchange 'amq.topic' in vhost '/' refused for user 'ann'",
            Basic.Publish,
        )
        client.open(1)
        harness.users.permissions.clear_topic("ann", "/", "amq.topic")
        client.publish("amq.topic", "b")
        client.assert_silent()

    @pytest.mark.parametrize(
        ("name", "theirs", "others"),
        [("a.b", "a.b", "axb"), ("a|", "a|", "b"), (".*", ".*", "b"), ("a-z", "a-z", "b"), ("a]b", "a]b", "b")],
    )
    def test_a_name_in_a_topic_pattern_is_that_name_and_no_pattern(
        self, harness: BrokerHarness, name: str, theirs: str, others: str
    ) -> None:
        """Else a name could open the topics of others. RabbitMQ: CVE-2026-44838, CVE-2026-67407."""
        permission = TopicPermission("^{username}$", "^[{username}]$")
        assert permission.allows("write", theirs, name, "/")
        assert not permission.allows("write", others, name, "/")
        assert permission.allows("read", name[0], name, "/")
        assert not permission.allows("read", "m", name, "/")
        assert TopicPermission("^{vhost}$", "").allows("write", theirs, "ann", name)

    def test_the_keys_of_cc_and_bcc_are_topics_too(self, harness: BrokerHarness) -> None:
        """RabbitMQ from 4.0 on."""
        client = somebody(harness, EVERYTHING)
        harness.users.permissions.set_topic("ann", "/", "amq.topic", TopicPermission("^a", "^a"))
        for header in ("CC", "BCC"):
            client.publish("amq.topic", "a", headers={header: ["a.too"]})
            client.assert_silent()
            client.publish("amq.topic", "a", headers={header: ["a.too", "b"]})
            text = "write access to topic 'b' in exchange 'amq.topic' in vhost '/' refused for user 'ann'"
            client.expect_channel_close(f"ACCESS_REFUSED - {text}", Basic.Publish)
            client.open(1)

    def test_a_deleted_users_connections_are_closed(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8."""
        client, neighbour = somebody(harness, EVERYTHING), harness.connect()
        harness.users.delete("ann")
        client.expect_connection_close("CONNECTION_FORCED - user 'ann' is deleted", None)
        neighbour.qos(1)

    def test_a_user_deleted_in_the_midst_of_the_handshake_opens_nothing(self, harness: BrokerHarness) -> None:
        harness.users.add(User.with_password("ann", "secret"))
        harness.users.permissions.set("ann", "/", EVERYTHING)
        client = harness.tcp()
        client.send_header()
        client.start_ok("ann", "secret")
        client.expect(Connection.Tune, channel=0)
        harness.users.delete("ann")
        client.tune_ok()
        client.open_vhost()
        client.expect_connection_close("NOT_ALLOWED - access to vhost '/' refused for user 'ann'", Connection.Open)

    def test_a_changed_password_is_for_new_connections(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8."""
        client = somebody(harness, EVERYTHING)
        harness.users.change_password("ann", "another")
        client.declare("q")
        newcomer = harness.tcp()
        newcomer.send_header()
        newcomer.start_ok("ann", "secret")
        newcomer.expect(Connection.Close, channel=0)

    def test_new_tags_are_for_new_connections(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8."""
        client = somebody(harness, EVERYTHING)
        harness.users.set_tags("ann", ["impersonator"])
        client.publish("amq.fanout", user_id="other")
        text = "PRECONDITION_FAILED - user_id property set to 'other' but authenticated user was 'ann'"
        client.expect_channel_close(text, Basic.Publish)
        newcomer = log_in(harness)
        newcomer.publish("amq.fanout", user_id="other")
        newcomer.assert_silent()


class TestNames:
    @pytest.mark.parametrize(
        ("pattern", "name", "is_allowed"),
        [
            ("b", "abc", True),
            ("^b", "abc", False),
            ("", "q", False),
            ("^$", "q", False),
            ("Q", "q", False),
            ("^(a|b)$", "b", True),
            ("é", "café", True),
        ],
    )
    def test_a_pattern_is_found_anywhere_in_a_name(
        self, harness: BrokerHarness, pattern: str, name: str, is_allowed: bool
    ) -> None:
        """RabbitMQ: PERM-1."""
        client = somebody(harness, Permission(pattern, "", ""))
        client.send(make(Queue.Declare, queue=name))
        (answer,) = client.received()
        assert isinstance(answer.method, Queue.DeclareOk if is_allowed else Channel.Close)

    def test_a_name_by_the_server_is_checked_as_any(self, harness: BrokerHarness) -> None:
        client = somebody(harness, Permission(r"^amq\.gen", "", ""))
        assert client.declare(exclusive=True).startswith("amq.gen-")

    def test_the_last_queue_is_checked_by_its_name(self, harness: BrokerHarness) -> None:
        client = somebody(harness, Permission("q", "", ""))
        client.declare("q")
        client.refused(
            make(Basic.Get, queue=""), "ACCESS_REFUSED - read access to queue 'q' in vhost '/' refused for user 'ann'"
        )

    def test_rights_of_one_virtual_host_are_not_those_of_another(self, harness: BrokerHarness) -> None:
        somebody(harness, EVERYTHING)
        harness.add_vhost("v")
        harness.users.permissions.set("ann", "v", NOTHING)
        client = log_in(harness, vhost="v")
        text = "ACCESS_REFUSED - configure access to exchange 'x' in vhost 'v' refused for user 'ann'"
        client.refused(make(Exchange.Declare, exchange="x", exchange_type="direct"), text)

    def test_dead_letters_are_not_asked_about(self, harness: BrokerHarness) -> None:
        """The right to write to the dead letter exchange is that of who declares the queue, once."""
        client = somebody(harness, EVERYTHING)
        client.declare("dead")
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        client.call(make(Queue.Declare, queue="q", arguments=table(dead)), Queue.DeclareOk)
        client.publish("", "q", b"m")
        harness.users.permissions.set("ann", "/", Permission("", "", "q|dead"))
        client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
        assert client.get("dead").body == b"m"
