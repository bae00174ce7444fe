"""Start, stop, reset, and waiting for it; clusters, of which there are none."""

from __future__ import annotations

import os
import time

from leveret.cli.ctl.command import NOTHING, PROCESS, STOPPED, Call, Command, named_by_itself
from leveret.cli.ctl.errors import EXIT_DATA, EXIT_SOFTWARE, EXIT_TIMEOUT, EXIT_UNAVAILABLE, Failed, Misused
from leveret.cli.ctl.node import INFINITY, Unreachable, connect, pause
from leveret.cli.ctl.output import Done, Said

NODES, CLUSTER = "Nodes", "Cluster"

_STARTUP_SECONDS = 300.0
_WAIT_SECONDS = 10.0
HELLO_SECONDS = 1.0
_NO_CLUSTER = "a Leveret is one node: there are no clusters of them"


# -- the application and the process --------------------------------------------------------------------------------


def asked(call: Call) -> Done:
    """What the broker knows by the same name."""
    call.ask(call.command.name)
    return Done()


def stop(call: Call) -> Done:
    """It has ended when this returns. A pid file is not needed for that."""
    try:
        node = call.node
    except Unreachable:
        if "idempotent" in call.options:
            return Done()
        raise
    outcome = node.ask_to_end(call.command.name, call.seconds)
    if outcome is not None:
        raise Failed(outcome["error"])
    return Done()


def shutdown(call: Call) -> Done:
    if "no-wait" in call.options:
        call.node.tell(call.command.name)
        return Done()
    done = stop(call)
    if not call.form.is_quiet:
        return Done(f"RabbitMQ node {call.node_name} running at PID {call.node.pid} successfully shut down")
    return done


def _timed_out(call: Call, seconds: float) -> Failed:
    text = f"operation {call.command.name} on node {call.node_name} timed out. Timeout value used: {seconds * 1000:.0f}"
    return Failed(text, EXIT_TIMEOUT, "Error: ")


# -- waiting --------------------------------------------------------------------------------------------------------


def await_startup(call: Call) -> None:
    _wait_until_running(call, time.monotonic() + _limit(call, _STARTUP_SECONDS))


def _wait_until_running(call: Call, until: float) -> None:
    """Raises Failed, Unreachable: it did not start in time."""
    while True:
        try:
            node = connect(call.where, HELLO_SECONDS)
        except (Unreachable, Failed) as error:
            is_to_come = isinstance(error, Unreachable) or error.status == EXIT_TIMEOUT  # it may have much to do
            if not (is_to_come and pause(until)):
                raise
            continue
        is_running = node.is_running
        node.close()
        if is_running:
            return
        if not pause(until):
            raise Failed("rabbit_is_not_running")


def _limit(call: Call, default: float) -> float:
    return default if call.seconds == INFINITY else call.seconds


def _check_wait(call: Call) -> None:
    if call.words and "pid" in call.options:
        raise Misused('"Cannot specify both pid and pidfile"')
    if not call.words and "pid" not in call.options:
        raise Misused('"No pid or pidfile specified"')


def wait(call: Call) -> None:
    """For the process, and for it to serve."""
    seconds = _limit(call, _WAIT_SECONDS)
    until = time.monotonic() + seconds
    pid = call.options.get("pid")
    if pid is None:
        _say(call, f"Waiting for pid file '{call.words[0]}' to appear")
        pid = _pid_in(call, call.words[0], until, seconds)
        _say(call, f"pid is {pid}")
    _say(call, f"Waiting for erlang distribution on node '{call.where.name}' while OS process '{pid}' is running")
    while True:
        if not _is_there(pid):
            raise Failed("process_not_running")
        try:
            _wait_until_running(call, min(until, time.monotonic() + 1.0))
            break
        except (Failed, Unreachable):
            if time.monotonic() >= until:
                raise _timed_out(call, seconds) from None
    _say(call, f"Applications 'rabbit_and_plugins' are running on node '{call.node_name}'")


def _say(call: Call, text: str) -> None:
    if call.form.has_banner:
        print(text, flush=True)


def _pid_in(call: Call, path: str, until: float, seconds: float) -> int:
    while True:
        try:
            with open(path, encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            if not pause(until):
                raise _timed_out(call, seconds) from None


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _check_count(call: Call) -> None:
    if not (call.words[0].isdecimal() and int(call.words[0])):
        raise Misused("Bad argument: Argument must be a positive integer", EXIT_DATA)


def await_online_nodes(call: Call) -> Done:
    if int(call.words[0]) > 1:
        text = f"Error: timed out while waiting. Not enough nodes joined {call.node_name}'s cluster."
        raise Failed(f"{text} {_NO_CLUSTER}", EXIT_SOFTWARE)
    return Done()


def _awaiting(call: Call) -> str:
    return (
        f"Will wait for at least {call.words[0]} nodes to join the cluster of {call.node_name}. "
        f"Timeout: {_limit(call, _STARTUP_SECONDS):g} seconds."
    )


# -- what needs more than one node ----------------------------------------------------------------------------------


def no_cluster(_call: Call) -> Done:
    raise Failed(_NO_CLUSTER, EXIT_UNAVAILABLE)


def nothing_to_do(_call: Call) -> Done:
    """It is so already."""
    return Done()


def autocomplete(call: Call) -> Said:
    from leveret.cli.ctl.commands import commands

    return Said("\n".join(sorted(one.name for one in commands() if one.name.startswith(call.words[0]))))


COMMANDS = (
    Command(
        "await_startup", await_startup, "Waits for the RabbitMQ application to start on the target node", group=NODES,
        needs=NOTHING,
    ),
    Command(
        "reset", asked, "Returns the node to its virgin state", banner="Resetting node {node} ...", group=NODES,
        needs=STOPPED, has_timeout=False,
    ),
    Command(
        "force_reset", asked, "Forcefully returns a node to its virgin state", group=CLUSTER, needs=STOPPED,
        banner="Forcefully resetting node {node} ...", has_timeout=False,
    ),
    Command(
        "start_app", asked, "Starts the RabbitMQ application but leaves the runtime running", group=NODES,
        banner="Starting node {node} ...", needs=PROCESS,
    ),
    Command(
        "stop_app", asked, "Stops the RabbitMQ application, leaving the runtime running", group=NODES,
        banner="Stopping rabbit application on node {node} ...", needs=PROCESS, has_timeout=False,
    ),
    Command(
        "stop", stop, "Stops RabbitMQ and its runtime", usage="[--idempotent] [<pidfile>]", most=1, group=NODES,
        options={"idempotent": bool}, needs=NOTHING,
        banner=lambda call: f"Stopping and halting node {named_by_itself(call)} ...",
    ),
    Command(
        "shutdown", shutdown, "Stops RabbitMQ and its runtime, and waits for its end", usage="[--wait] [--no-wait]",
        options={"wait": bool, "no-wait": bool}, needs=PROCESS, group=NODES,
        banner=lambda call: "" if "no-wait" in call.options else f"Shutting down RabbitMQ node {call.node_name}",
    ),
    Command(
        "wait", wait, "Waits for RabbitMQ node startup by monitoring a local PID file",
        usage="[<pidfile>] [--pid|-P <pid>]", most=1, options={"pid": int}, short={"P": "pid"}, check=_check_wait,
        group=NODES, needs=NOTHING,
    ),
    Command(
        "await_online_nodes", await_online_nodes, "Waits for <count> nodes to join the cluster", usage="<count>",
        least=1, most=1, check=_check_count, banner=_awaiting, group=CLUSTER,
    ),
    *(
        Command(name, no_cluster, meaning, most=None, usage="<node>", group=CLUSTER, needs=PROCESS, has_timeout=False,
                options={"disc": bool, "ram": bool, "offline": bool})
        for name, meaning in (
            ("join_cluster", "Refused: there are no clusters"), ("forget_cluster_node", "Refused likewise"),
            ("change_cluster_node_type", "Refused likewise"), ("rename_cluster_node", "Refused likewise"),
            ("update_cluster_nodes", "Refused likewise"), ("sync_queue", "Refused: there are no mirrors"),
            ("cancel_sync_queue", "Refused likewise"), ("grow", "Refused likewise"), ("shrink", "Refused likewise"),
        )
    ),
    *(
        Command(name, nothing_to_do, "Of a single node nothing is to be done", most=None, group=CLUSTER, is_hidden=True)
        for name in ("rebalance", "await_online_quorum_plus_one", "post_upgrade", "force_boot")
    ),
    Command(
        "drain", asked, "Puts the node in maintenance mode, without client traffic", group="Operations",
        banner="Will put node {node} into maintenance mode. The node will no longer serve any client traffic!",
    ),
    Command(
        "revive", asked, "Puts the node out of maintenance and into regular operating mode", group="Operations",
        banner="Will put node {node} back into regular operating mode. The node will again serve client traffic and "
        "host primary queue replicas.",
    ),
    Command(
        "suspend_listeners", asked, "Suspends client connection listeners", group="Operations",
        banner="Will suspend client connection listeners on node {node}. The node will no longer accept client "
        "connections!",
    ),
    Command(
        "resume_listeners", asked, "Resumes client connection listeners", group="Operations",
        banner="Will resume client connection listeners on node {node}. The node will now accept client connections",
    ),
    Command(
        "autocomplete", autocomplete, "Provides command name autocomplete variants", usage="<prefix>", least=1, most=1,
        group="Help", needs=NOTHING, has_timeout=False,
    ),
)  # fmt: skip
