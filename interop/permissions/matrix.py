"""Trying the cases on a broker over its port, and the file of what RabbitMQ answered."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from interop.admin import Admin
from interop.permissions.cases import ALL_GRANTS, MADE, Case, filled, trials
from interop.probes import wire
from interop.probes.peer import Peer, Unit
from interop.probes.transcript import Normaliser, Renderer

RECORDED = Path(__file__).parent / "recorded.txt"
ALLOWED = "allowed"
WITHOUT_REPLY = "basic.publish"
PASSWORD = "secret"


class Somebody:
    """A connection on which one call after the other is tried, each on a new channel."""

    def __init__(self, url: str, user: str, password: str) -> None:
        parts = urlsplit(url)
        self.user, self.vhost = user, unquote(parts.path[1:])
        address = (parts.hostname or "127.0.0.1", parts.port or 5672)
        self._peer = Peer(address, lambda line: None, Renderer(Normaliser("-")))
        self._peer.log_in(self.vhost, start_ok={"response": f"\0{user}\0{password}"})
        self._channel = 1

    def try_case(self, case: Case) -> str:
        """ALLOWED, or the text of the close."""
        self._channel += 1
        self._peer.call("channel.open", self._channel)
        for method, arguments in case.first:
            self._call(method, arguments)
        answer = self._call(case.call[0], filled(case.call[1], self.user, self.vhost))
        if answer.name != "channel.close":
            self._peer.call("channel.close", self._channel, reply_code=200)
            return ALLOWED
        self._peer.send("channel.close-ok", self._channel)
        return shown(str(answer["reply_text"].decode()), self.user, self.vhost)

    def do(self, method: str, arguments: dict[str, Any]) -> None:
        """What must succeed."""
        assert self._peer.call(method, 1, **arguments).name != "channel.close"

    def _call(self, method: str, arguments: dict[str, Any]) -> Unit:
        if method != WITHOUT_REPLY:
            return self._peer.call(method, self._channel, **arguments)
        self._peer.transmit(wire.method(method, self._channel, **arguments) + wire.content(self._channel, b"", {}))
        return self._peer.call("basic.qos", self._channel)

    def close(self) -> None:
        self._peer.finish()


def shown(text: str, user: str, vhost: str) -> str:
    """The text with the same names in every run."""
    text = text.replace(user, "USER").replace(vhost, "VHOST")
    return re.sub(r"amq\.gen-[\w-]{22}", "amq.gen-RANDOM", text)


def answers(admin: Admin, url: str) -> dict[tuple[str, str], str]:
    """By the names of case and grant: what the broker under the hands of `admin` says."""
    told = {}
    with contextlib.ExitStack() as at_end:
        owner = at_end.enter_context(_somebody(url, "guest", "guest"))
        users: dict[str, Somebody] = {}
        for number, (name, grant) in enumerate(ALL_GRANTS.items()):
            user = f"{admin.vhost}-{number}"
            admin.add_user(user, PASSWORD, (grant.configure, grant.write, grant.read))
            if grant.topics is not None:
                admin.set_topic_permissions(user, "t", *grant.topics)
            users[name] = at_end.enter_context(_somebody(url, user, PASSWORD))
        for case, grant_name in trials():
            for need in case.needs:
                owner.do(*MADE[need])
            told[case.name, grant_name] = users[grant_name].try_case(case)
            owner.do("queue.delete", {"queue": "q"})
            for exchange in ("x", "y", "t"):
                owner.do("exchange.delete", {"exchange": exchange})
    return told


@contextlib.contextmanager
def _somebody(url: str, user: str, password: str) -> Iterator[Somebody]:
    somebody = Somebody(url, user, password)
    try:
        yield somebody
    finally:
        somebody.close()


def save(told: dict[tuple[str, str], str], version: str) -> None:
    """Write recorded.txt anew."""
    lines, last = [f"# RabbitMQ {version}"], ""
    for (case, grant), answer in told.items():
        if case != last:
            lines += ["", f"## {case}"]
            last = case
        lines.append(f"{grant}: {answer}")
    RECORDED.write_text("\n".join(lines) + "\n", encoding="utf-8")


def recorded() -> dict[tuple[str, str], str]:
    """By the names of case and grant: what RabbitMQ said."""
    told = {}
    for part in RECORDED.read_text(encoding="utf-8").split("\n## ")[1:]:
        case, *lines = part.strip("\n").split("\n")
        for line in lines:
            grant, _, answer = line.partition(": ")
            told[case, grant] = answer
    return told


def without_right(answer: str) -> str:
    """RabbitMQ from 3.12 names the right that is missing, 3.10 does not (PERM-2)."""
    return re.sub(r"- (configure|write|read) access to", "- access to", answer)
