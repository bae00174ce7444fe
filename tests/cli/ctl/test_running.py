"""Commands on a running broker that are not in the recorded ones: what they do, and what has no other of its kind."""

import errno
import json
import logging
import os
import re
import socket

import pika
import pytest

from leveret.auth.permissions import EVERYTHING
from leveret.auth.users import User
from leveret.broker import Broker, in_thread
from leveret.cli.ctl.commands import commands
from leveret.config.settings import Settings
from leveret.operations.runtime import LOG_END_BYTES


@pytest.fixture
def broker(start):
    return start()


def connected(url):
    return pika.BlockingConnection(pika.URLParameters(url))


def test_status_has_what_scripts_look_for(broker, said):
    text = said("status")
    titles = (
        "Runtime", "Plugins", "Data directory", "Config files", "Log file(s)", "Alarms", "Memory", "File Descriptors",
        "Free Disk Space", "Totals", "Listeners",
    )  # fmt: skip
    assert [line for line in text.splitlines() if line in titles] == list(titles)
    assert re.search(r"RabbitMQ version: \d+\.\d+\.\d+", text)
    assert f"port: {broker.port}, protocol: amqp, purpose: AMQP 0-9-1 and AMQP 1.0" in text
    shape = json.loads(said("status", "--formatter", "json"))
    assert shape["totals"] == {"virtual_host_count": 1, "connection_count": 0, "queue_count": 0}
    assert shape["listeners"][0]["port"] == broker.port
    assert shape["memory"]["total"]["rss"] > 0
    assert "bytes" in said("status", "--unit", "bytes")


def test_the_cluster_is_one_node(broker, said):
    shape = json.loads(said("cluster_status", "--formatter", "json"))
    assert (shape["running_nodes"], shape["disk_nodes"], shape["partitions"]) == (["one@test"], ["one@test"], {})


def test_a_cluster_has_an_id_that_stays(said, tmp_path):
    def found():
        with in_thread(Broker(settings=Settings(nodename="one@test"), data_dir=tmp_path / "d")):
            rows = json.loads(said("list_global_parameters", "--formatter", "json", "--data-dir", str(tmp_path / "d")))
        return {row["name"]: row["value"] for row in rows}

    first = found()
    assert re.fullmatch(r'"rabbitmq-cluster-id-[\w-]{22}"', first["internal_cluster_id"])
    assert found() == first


def test_ports_are_connected_to(broker, said, ctl):
    assert said("check_port_connectivity") == f"Successfully connected to ports {broker.port} on node one@test.\n"
    said("suspend_listeners")
    status, stdout, stderr = ctl("check_port_connectivity", "-q")
    assert (status, stdout) == (69, "")
    assert f"port: {broker.port}, protocol: amqp" in stderr
    assert json.loads(ctl("check_port_connectivity", "--formatter", "json")[2])["failures"][0]["port"] == broker.port


def test_of_a_listener_on_every_address_one_that_there_is_suffices(start, said, ctl, monkeypatch):
    """In a container [::] has often no ::1."""
    broker = start(host="::")

    def connect(address, real=socket.create_connection, **options):
        if address[0] == "::1":
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        return real(address, **options)

    monkeypatch.setattr(socket, "create_connection", connect)
    assert said("check_port_connectivity") == f"Successfully connected to ports {broker.port} on node one@test.\n"
    said("suspend_listeners")
    assert ctl("check_port_connectivity", "-q")[0] == 69


def test_a_port_without_a_listener_fails_the_check(broker, said, ctl):
    assert said("check_port_listener", str(broker.port)) == (
        f"A listener for port {broker.port} is running on node one@test.\n"
    )
    assert ctl("check_port_listener", "1", "-q") == (
        69,
        "",
        "No listener for port 1 is active on node one@test. Found listeners that use the following ports: "
        f"{broker.port}\n",
    )
    shape = json.loads(ctl("check_port_listener", "1", "--formatter", "json")[2])
    assert (shape["missing"], shape["ports"], shape["result"]) == ("1", [broker.port], "error")


def test_a_memory_watermark_blocks_publishers_at_once(broker, said, ctl):
    with connected(broker.url) as connection:
        reasons = []
        connection.add_on_connection_blocked_callback(lambda _, frame: reasons.append(frame.method.reason))
        connection.add_on_connection_unblocked_callback(lambda _, frame: reasons.append("unblocked"))
        said("set_vm_memory_high_watermark", "absolute", "1")
        assert ctl("check_alarms", "-q") == (69, "", "Error:\nMemory alarm on node one@test\n")
        connection.process_data_events(0.01)
        connection.channel().basic_publish("", "q", b"")
        while reasons != ["low on memory"]:
            connection.process_data_events(5)
        said("set_vm_memory_high_watermark", "1.0")
        while len(reasons) < 2:
            connection.process_data_events(5)
    assert reasons == ["low on memory", "unblocked"]
    assert json.loads(said("status", "--formatter", "json"))["vm_memory_high_watermark_setting"] == {"relative": 1.0}


def test_a_disk_watermark_does_so_in_memory_too(broker, said, ctl):
    said("set_disk_free_limit", "1000000GiB")
    assert said("alarms") == "Free disk space alarm on node one@test\n"
    assert ctl("node_health_check", "-q")[0] == 69
    said("set_disk_free_limit", "mem_relative", "0.0")
    assert said("alarms") == "Node one@test reported no alarms, local or clusterwide\n"


def test_connections_are_closed_with_a_reason(broker, said):
    connections = [connected(broker.url) for _ in range(3)]
    pids = said("list_connections", "-s", "pid").split()
    said("close_connection", pids[0], "first")
    assert said("close_all_connections", "--limit", "1", "second") == "Closed 1 connections\n"
    said("close_all_user_connections", "guest", "third")
    texts = []
    for connection in connections:
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as caught:
            connection.process_data_events(time_limit=10)
        texts.append(caught.value.reply_text)
    assert sorted(texts) == [f"CONNECTION_FORCED - {word}" for word in ("first", "second", "third")]


def test_connections_are_closed_one_by_one_with_a_delay(broker, said, monkeypatch):
    pauses = []
    monkeypatch.setattr("leveret.cli.ctl.commands.changes.time.sleep", pauses.append)
    broker.call(lambda node, users: node.add_vhost("other"))
    broker.call(lambda node, users: users.permissions.set("guest", "other", EVERYTHING))
    connections = [connected(broker.url), connected(broker.url), connected(f"{broker.url}/other")]
    closing = ("close_all_connections", "--per-connection-delay", "30")
    assert said(*closing, "-p", "other", "bye") == "Closed 1 connections\n"
    assert said(*closing, "--global", "--limit", "1", "bye") == "Closed 1 connections\n"
    assert said(*closing, "bye") == "Closed 1 connections\n"
    assert pauses == [0.03] * 3
    for connection in connections:
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="CONNECTION_FORCED - bye"):
            connection.process_data_events(time_limit=10)


def test_what_a_connection_has_sent_and_received(broker, said):
    with connected(broker.url):
        columns = ("recv_oct", "recv_cnt", "send_oct", "send_cnt", "send_pend")
        counts = [int(number) for number in said("list_connections", "-s", *columns).split()]
    assert all(counts[:4])
    assert counts[4] == 0


def test_definitions_go_out_and_in_again(broker, said, start, ctl, tmp_path):
    said("add_user", "ann", "secret")
    said("add_vhost", "v")
    path = tmp_path / "definitions.json"
    assert ctl("export_definitions", str(path)) == (
        0, f'Exporting definitions in JSON to a file at "{path}" ...\n', ""
    )  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(said("export_definitions", "-")) == json.loads(path.read_text())
    said("delete_user", "ann")
    said("delete_vhost", "v")
    said("import_definitions", str(path))
    assert said("authenticate_user", "ann", "secret") == "Success\n"
    said("delete_vhost", "v")
    said("import_definitions", stdin=path.read_text())
    assert sorted(said("list_vhosts", "-s").split()) == ["/", "v"]
    status, _, stderr = ctl("import_definitions", "-", "-q", stdin='{"vhosts": [{}]}')
    assert (status, stderr.startswith("Error:\nvhosts, item 1")) == (69, True)
    assert ctl("import_definitions", "-", stdin="nonsense")[0] == 65


def test_a_name_that_is_not_utf8_is_exported_as_by_the_http_api(broker, said, tmp_path):
    broker.call(
        lambda node, _users: node.vhosts["/"].declare_queue(
            "q\udcff", durable=True, exclusive=False, auto_delete=False, arguments={}, owner=None
        )
    )
    said("export_definitions", str(tmp_path / "x.json"))
    assert [queue["name"] for queue in json.loads((tmp_path / "x.json").read_text())["queues"]] == ["q?"]


def test_a_password_is_hashed_without_a_broker(said):
    hashed = said("hash_password", "secret").strip()
    user = User.with_hash("ann", hashed)
    assert len(user.password_hash) == 48
    assert said("hash_password", stdin="secret\n").strip() != hashed  # another salt


def test_logins_are_counted(broker, said):
    connected(broker.url).close()
    assert said("list_node_auth_attempt_stats").splitlines()[1].split() == ["amqp091", "1", "0", "1"]


def test_the_log_can_be_told_to_say_more(broker, said, ctl):
    said("set_log_level", "debug")
    assert logging.getLogger().level == logging.DEBUG
    assert ctl("log_tail", "-q")[0] == 69  # it has no file


def test_the_end_of_the_log(start, said, ctl, tmp_path):
    path = tmp_path / "log"
    start(settings=Settings(log_file=path))
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    assert said("log_tail", "-N", "2") == "line 98\nline 99\n"
    assert len(said("log_tail").splitlines()) == 50
    assert len(said("log_tail", "--number", "1000").splitlines()) == 100
    path.write_text("one\ntwo")
    assert said("log_tail") == "one\ntwo\n"
    path.write_text("")
    assert said("log_tail") == ""


def test_no_more_of_a_large_log_is_read_than_its_end(start, said, tmp_path):
    path = tmp_path / "log"
    start(settings=Settings(log_file=path))
    path.write_text("a line of the log\n" * (LOG_END_BYTES // 10))
    lines = said("log_tail", "-N", str(LOG_END_BYTES)).splitlines()
    assert set(lines) == {"a line of the log"}
    assert len(lines) == LOG_END_BYTES // 18


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("rabbit:is_running().", "true"),
        ("application:set_env(rabbit, consumer_timeout, 5000).", "ok"),
        ("application:set_env(rabbit, consumer_timeout, undefined).", "ok"),
        ('[rabbit_networking:close_connection(P, "x") || P <- rabbit_networking:connections()].', "ok"),
    ],
)
def test_expressions_of_test_suites(broker, said, expression, answer):
    assert said("eval", expression) == f"{answer}\n"


@pytest.mark.parametrize("fraction", ["inf", "nan", "1e999", "x"])
def test_a_fraction_is_a_number(broker, ctl, fraction):
    for words in (("set_disk_free_limit", "mem_relative"), ("set_vm_memory_high_watermark",)):
        assert ctl(*words, fraction)[0] == 65


def test_other_expressions_are_refused(broker, ctl):
    for expression in ("1+1.", 'os:cmd("id").', "application:set_env(rabbit, nope, 1)."):
        status, stdout, _ = ctl("eval", expression)
        assert (status, stdout) == (69, "")


def test_an_expression_moves_the_consumer_timeout(broker, said):
    said("eval", "application:set_env(rabbit, consumer_timeout, 5000).")
    assert broker.call(lambda node, users: node.consumer_timeout_ms) == 5000


def test_features(broker, said, ctl):
    assert "quorum_queue\tenabled" in said("list_feature_flags")
    assert "transient_nonexcl_queues" in said("list_deprecated_features")
    assert ctl("check_if_any_deprecated_features_are_used", "-q")[0] == 0
    with connected(broker.url) as connection:
        connection.channel().queue_declare("transient")
    assert ctl("check_if_any_deprecated_features_are_used", "-q")[:2] == (69, "")


def test_the_settings_in_force_are_told_but_secrets(broker, said):
    shape = json.loads(said("environment", "--formatter", "json"))["rabbit"]
    assert shape["nodename"] == "one@test"
    assert "default_pass" not in shape
    assert '{nodename,<<"one@test">>}' in said("environment")


def test_a_report_has_all_of_it(broker, said):
    with connected(broker.url) as connection:
        connection.channel().queue_declare("q1")
        report = said("report")
    for part in ("RabbitMQ version", "Cluster name", "nodename", "list_queues of /", "q1", "list_connections"):
        assert part in report


@pytest.mark.parametrize("command", ["join_cluster", "observer", "sync_queue", "encode"])
def test_what_there_is_not_is_refused(broker, ctl, command):
    assert ctl(command, "x")[0] == 69


def test_a_drained_node_serves_nobody_until_it_is_revived(broker, said):
    connection = connected(broker.url)
    said("drain", program="rabbitmq-upgrade")
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as caught:
        connection.process_data_events(time_limit=10)
    assert caught.value.reply_text == "CONNECTION_FORCED - Node was put into maintenance mode"
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connected(broker.url)
    assert "Is under maintenance?: true" in said("status")
    assert "Node: one@test, status: marked for maintenance" in said("cluster_status")
    said("revive", program="rabbitmq-upgrade")
    connected(broker.url).close()
    assert "Is under maintenance?: false" in said("status")


@pytest.mark.parametrize("command", ["await_online_quorum_plus_one", "rebalance"])
def test_what_is_true_of_one_node_succeeds(broker, ctl, command):
    assert ctl(command, program="rabbitmq-upgrade") == (0, "", "")


def test_every_command_has_help(ctl):
    for command in commands():
        status, stdout, stderr = ctl("help", command.name)
        assert (status, stderr) == (0, "")
        assert f"rabbitmqctl [--node <node>] [--longnames] [--quiet] {command.name}" in stdout
        assert command.meaning in stdout
    overview = ctl("help")[1]
    assert "list_queues" in overview
    assert ctl()[0] == 64
    assert "list_queues" not in ctl("help", program="rabbitmq-plugins")[1]


def test_no_command_is_there_twice():
    names = [command.name for command in commands()]
    assert len(names) == len(set(names))


def test_what_the_broker_cannot_read_is_an_error_and_no_traceback(broker, ctl):
    status, _, stderr = ctl("add_vhost", "\udcff")
    assert "Traceback" not in stderr
    assert status in (0, 69)
