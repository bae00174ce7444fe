"""Which broker a command works on, and what is said where there is none."""

import json
import os
import socket

from leveret.broker import Broker, in_thread
from leveret.cli.ctl import node
from leveret.cli.ctl.commands import starting
from leveret.cli.ctl.errors import EXIT_TIMEOUT, Failed
from leveret.config.places import runtime_dir as usual_runtime_dir
from leveret.config.settings import Settings
from leveret.shell import control


def name_of(said, *options):
    """Of the node that answers."""
    return said("cluster_status", *options).split("Disk Nodes")[1].split()[0]


def test_the_only_one_is_found_in_memory_too_whatever_name_is_given(start, said, monkeypatch):
    start("one@test")
    assert name_of(said) == "one@test"
    assert name_of(said, "-n", "other@test") == "one@test"
    monkeypatch.setenv("RABBITMQ_NODENAME", "other")
    assert name_of(said) == "one@test"


def test_of_several_one_is_chosen_by_name(start, said, ctl, monkeypatch, runtime_dir):
    start("one@test")
    start("two@test")
    assert name_of(said, "-n", "two@test") == "two@test"
    assert name_of(said, "--node", "one") == "one@test"
    monkeypatch.setenv("RABBITMQ_NODENAME", "two")
    assert name_of(said) == "two@test"
    monkeypatch.delenv("RABBITMQ_NODENAME")
    status, _, stderr = ctl("list_users")
    assert status == 69
    assert stderr.splitlines() == [
        "Error:",
        "several brokers are running: choose one with -n or --data-dir",
        f"  one@test.{os.getpid()}",
        f"  two@test.{os.getpid()}",
    ]


def test_a_data_directory_names_one(start, said, ctl, monkeypatch, tmp_path):
    start("one@test", data_dir=tmp_path / "1")
    start("two@test", data_dir=tmp_path / "2")
    assert name_of(said, "--data-dir", str(tmp_path / "2")) == "two@test"
    monkeypatch.setenv("LEVERET_DATA_DIR", str(tmp_path / "1"))
    assert name_of(said, "-n", "two@test") == "one@test"
    assert ctl("list_users", "--data-dir", str(tmp_path / "3"))[0] == 69


def test_a_configuration_names_one(start, said, runtime_dir, tmp_path):
    start("one@test", data_dir=tmp_path / "1")
    (runtime_dir / "leveret.toml").write_text(f"data_dir = '{tmp_path / '1'}'\n")
    start("two@test")
    assert name_of(said, "--config", "leveret.toml") == "one@test"


def test_one_whose_directory_has_a_long_name_is_found_by_its_own(start, said, tmp_path):
    start("one@test", data_dir=tmp_path / ("x" * 100))
    assert name_of(said) == "one@test"


def test_what_a_killed_broker_left_is_passed_over(start, said, runtime_dir):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(runtime_dir / "gone@test.1"))
    left.close()
    start("one@test")
    assert name_of(said) == "one@test"


def test_what_a_killed_broker_left_goes_with_the_next_one(start, runtime_dir):
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    (runtime_dir / f"gone@test.{pid}").symlink_to("nowhere")
    start("one@test")
    assert [entry.name for entry in runtime_dir.iterdir()] == [f"one@test.{os.getpid()}"]


def test_it_is_no_longer_found_when_it_has_ended(runtime_dir):
    with in_thread(Broker(settings=Settings(nodename="one@test"), runtime_dir=runtime_dir)):
        assert len(list(runtime_dir.iterdir())) == 1
    assert list(runtime_dir.iterdir()) == []


def test_where_none_runs_it_says_so(ctl, runtime_dir):
    status, stdout, stderr = ctl("list_queues", "-n", "nope@localhost")
    assert (status, stdout) == (69, "")
    assert stderr.startswith(
        "Error: unable to perform an operation on node 'nope@localhost'. Please see diagnostics information and "
        "suggestions below.\n"
    )
    assert f"found in {runtime_dir}:\n  nothing" in stderr
    assert ctl("ping", "-n", "nope@localhost", "-t", "5") == (
        69,
        "Will ping nope@localhost. This only checks if the OS process is running and registered with epmd. "
        "Timeout: 5000 ms.\n",
        "Error:\nFailed to connect and authenticate to nope@localhost in 5000 ms\n",
    )


def test_the_name_is_guessed_as_it_would_be(ctl):
    host = socket.gethostname().partition(".")[0]
    assert f"to rabbit@{host} in" in ctl("ping")[2]
    assert f"to rabbit@{host} in" in ctl("diagnostics", "ping", program="leveret")[2]


def is_somebody_elses(monkeypatch):
    monkeypatch.setattr(os, "stat", lambda path, real=os.stat: os.stat_result((0, 0, 0, 0, 12345, *real(path)[5:])))


def test_a_directory_of_somebody_else_is_not_looked_at(ctl, monkeypatch, runtime_dir):
    """Whoever owns it could answer instead of a broker."""
    monkeypatch.delenv("LEVERET_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime_dir))
    with in_thread(Broker(settings=Settings(nodename="one@test"), runtime_dir=runtime_dir / "leveret")):
        assert ctl("list_users")[0] == 0
        with monkeypatch.context() as patched:
            patched.setattr(os, "geteuid", lambda: os.getuid() + 1)
            is_somebody_elses(patched)
            status = ctl("list_users")[0]
        assert status == 69


def test_a_directory_that_others_may_write_to_is_not_used(start, ctl, said, runtime_dir, tmp_path, caplog):
    runtime_dir.chmod(0o777)
    start("one@test", data_dir=tmp_path / "d")
    assert "others may write to it" in caplog.text
    assert list(runtime_dir.iterdir()) == []
    assert ctl("list_users")[0] == 69
    assert name_of(said, "--data-dir", str(tmp_path / "d")) == "one@test"


def test_a_directory_of_another_user_is_not_used(start, said, runtime_dir, tmp_path, caplog, monkeypatch):
    """In a container that runs with any --user."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: os.getuid() + 1)
        start("one@test", data_dir=tmp_path / "d")
    assert f"the broker cannot be found through {runtime_dir}: it belongs to another user" in caplog.text
    assert list(runtime_dir.iterdir()) == []
    assert name_of(said, "--data-dir", str(tmp_path / "d")) == "one@test"


def test_a_directory_that_cannot_be_written_is_not_used(start, said, runtime_dir, tmp_path, caplog, monkeypatch):
    """In a container whose root file system is read-only."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda path, mode, real=os.access: path != runtime_dir and real(path, mode))
        start("one@test", data_dir=tmp_path / "d")
    assert f"the broker cannot be found through {runtime_dir}: it cannot be written to" in caplog.text
    assert list(runtime_dir.iterdir()) == []
    assert name_of(said, "--data-dir", str(tmp_path / "d")) == "one@test"


def test_where_it_is_by_default(monkeypatch):
    monkeypatch.delenv("LEVERET_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    assert usual_runtime_dir() == "/run/user/1/leveret"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert usual_runtime_dir() == f"/tmp/leveret-{os.getuid()}"


def test_a_start_is_waited_for_while_the_broker_has_no_time_to_answer(start, ctl, monkeypatch):
    start()
    asked = []

    def connect(where, seconds, real=starting.connect):
        asked.append(seconds)
        if len(asked) == 1:
            raise Failed("timed out", EXIT_TIMEOUT)
        return real(where, 30.0)

    monkeypatch.setattr(starting, "connect", connect)
    assert ctl("await_startup", "-t", "30") == (0, "", "")
    assert len(asked) == 2


def test_a_request_that_no_broker_would_read_is_not_sent(start, ctl, monkeypatch):
    start()
    assert node.REQUEST_BYTES_MAX == control.REQUEST_BYTES_MAX
    monkeypatch.setattr(node, "REQUEST_BYTES_MAX", 2**20)
    assert ctl("import_definitions", "-q", stdin=json.dumps({"x": "y" * 2**20})) == (
        69,
        "",
        "Error:\nimport_definitions takes no more than 1 MiB\n",
    )


def test_one_that_does_not_answer_is_waited_for_no_longer_than_told(runtime_dir, ctl):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(runtime_dir / "mute@test.1"))
        listening.listen()
        status, _, stderr = ctl("list_users", "-t", "0.05")
    assert (status, stderr) == (
        75,
        "Error: operation hello on node unknown timed out. Timeout value used: 50\n",
    )
