"""Long lists: messages go on meanwhile, and those who ask the same at once share one that begins after they asked."""

import json

import pytest
import trio
import trio.testing

from leveret.management.answers import Problem
from leveret.management.listing import Listing
from leveret.management.making import Makers
from leveret.shell import turns

STEPS = 24


def steps_of(turns, outcome=b"[]"):
    """Notes when it begins and ends; takes two turns and more."""
    turns.append("begins")
    for _ in range(STEPS):
        yield
    turns.append("ends")
    if isinstance(outcome, Problem):
        raise outcome
    return outcome


@pytest.fixture(autouse=True)
def every_look_at_the_clock_ends_a_turn(monkeypatch):
    monkeypatch.setattr(turns, "TURN_SECONDS", 0)


async def test_others_have_turns_meanwhile(nursery):
    turns = []

    async def other():
        for _ in range(6):
            turns.append("other")
            await trio.lowlevel.checkpoint()

    nursery.start_soon(other)
    assert await Makers().made("k", lambda: steps_of(turns)) == b"[]"
    assert "other" in turns[turns.index("begins") : turns.index("ends")]


async def test_whoever_asks_while_one_is_made_gets_the_next_and_shares_it(nursery):
    makers, begun, got = Makers(), [], []

    async def ask():
        got.append(await makers.made("k", lambda: steps_of(begun, b"%d" % begun.count("begins"))))

    nursery.start_soon(ask)
    while not begun:
        await trio.lowlevel.checkpoint()
    for _ in range(3):
        nursery.start_soon(ask)
    await trio.testing.wait_all_tasks_blocked()
    assert got == [b"0", b"1", b"1", b"1"]
    assert begun == ["begins", "ends"] * 2


async def test_different_lists_wait_for_nobody(nursery):
    makers, turns = Makers(), []
    for key in "ab":
        nursery.start_soon(makers.made, key, lambda: steps_of(turns))
    await trio.testing.wait_all_tasks_blocked()
    assert sorted(turns) == ["begins", "begins", "ends", "ends"]
    assert turns[:2] == ["begins", "begins"]


async def test_all_lists_have_one_turn_at_a_time(nursery):
    """A message is between each two turns, or after two of them: what is ready at once comes in any order."""
    makers, turns = Makers(), []

    def steps(name):
        for _ in range(3):
            turns.append(name)
            yield
        return b"[]"

    async def messages():
        for _ in range(30):
            turns.append("message")
            await trio.lowlevel.checkpoint()

    nursery.start_soon(messages)
    for key in "abcdef":
        nursery.start_soon(makers.made, key, lambda name=key: steps(name))
    await trio.testing.wait_all_tasks_blocked()
    assert len(turns) == 30 + 6 * 3
    assert max(len(between) for between in "".join(turn[0] for turn in turns).split("m")) <= 2


async def test_a_problem_is_that_of_all(nursery):
    makers, problems = Makers(), []

    async def ask():
        try:
            await makers.made("k", lambda: steps_of([], Problem(400, "x")))
        except Problem as problem:
            problems.append(problem)

    for _ in range(3):
        nursery.start_soon(ask)
    await trio.testing.wait_all_tasks_blocked()
    assert len(problems) == 3


async def test_where_the_one_who_makes_it_goes_away_another_one_does(nursery):
    makers, turns, got = Makers(), [], []
    scopes = [trio.CancelScope() for _ in range(3)]

    async def ask(scope):
        with scope:
            got.append(await makers.made("k", lambda: steps_of(turns)))

    for scope in scopes:
        nursery.start_soon(ask, scope)
    while not turns:
        await trio.lowlevel.checkpoint()
    scopes[0].cancel()
    scopes[1].cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert got == [b"[]"]


async def test_who_may_see_different_things_shares_no_list(api, nursery):
    api.harness.add_vhost("hidden")
    for vhost in ("%2F", "hidden"):
        await api.put(f"/queues/{vhost}/q")
    api.add_user("alice", "management", vhosts=("/",))
    api.add_user("bob", "management", vhosts=("hidden",))
    seen = []

    async def ask(user):
        seen.append((user, [queue["vhost"] for queue in await api.get("/queues", user=user)]))

    for user in ("guest", "guest", "alice", "bob") * 2:
        nursery.start_soon(ask, user)
    await trio.testing.wait_all_tasks_blocked()
    assert sorted(seen) == sorted([("guest", ["/", "hidden"])] * 4 + [("alice", ["/"]), ("bob", ["hidden"])] * 2)


async def test_a_queue_that_goes_while_the_list_is_made_is_not_in_it(api, monkeypatch):
    for number in range(STEPS):
        await api.put(f"/queues/%2F/{number:02}")
    vhost = api.node.vhosts["/"]

    class Clock:
        """Between two turns the last queue goes."""

        def perf_counter(self):
            if "23" in vhost.queues:
                vhost.delete_queue(vhost.queues["23"])
            return 0.0

    monkeypatch.setattr(turns, "time", Clock())
    assert [queue["name"] for queue in await api.get("/queues")] == [f"{number:02}" for number in range(23)]


GET = {"count": -1, "ackmode": "ack_requeue_false", "encoding": "auto"}


@pytest.fixture
def full(api):
    client = api.harness.connect()
    client.declare("q")
    for number in range(STEPS):
        client.publish("", "q", b"%d" % number)
    return api


async def test_many_messages_are_got_in_turns(full, nursery):
    turns = []

    async def other():
        for _ in range(10):
            turns.append(full.node.vhosts["/"].queues["q"].message_count)
            await trio.lowlevel.checkpoint()

    nursery.start_soon(other)
    response = await full.post("/queues/%2F/q/get", GET)
    assert [message["payload"] for message in response.json()] == [str(number) for number in range(STEPS)]
    assert set(turns) & set(range(1, STEPS))
    assert full.flush_count > 2


async def test_who_goes_away_has_got_nothing(full, nursery):
    queue = full.node.vhosts["/"].queues["q"]
    with trio.CancelScope() as scope:

        async def cancel():
            while not queue.unacked_count:
                await trio.lowlevel.checkpoint()
            scope.cancel()

        nursery.start_soon(cancel)
        await full.post("/queues/%2F/q/get", GET)
    assert scope.cancelled_caught
    assert (queue.message_count, queue.unacked_count) == (STEPS, 0)


async def test_a_queue_may_go_while_messages_are_got(full, nursery):
    vhost = full.node.vhosts["/"]

    async def delete():
        while not vhost.queues["q"].unacked_count:
            await trio.lowlevel.checkpoint()
        vhost.delete_queue(vhost.queues["q"])

    nursery.start_soon(delete)
    response = await full.post("/queues/%2F/q/get", GET | {"ackmode": "ack_requeue_true"})
    assert response.status_code == 200
    assert 0 < len(response.json()) < STEPS


def made(listing):
    """How many steps it took, and the answer."""
    answers = []

    def make():
        answers.append((yield from listing.steps()))

    return len(list(make())), json.loads(answers[0])


def test_a_list_in_order_is_made_in_steps_too():
    listing = Listing(lambda: range(10), lambda number: {"n": -number}, {"sort": "n"})
    assert made(listing) == (20, [{"n": number} for number in range(-9, 1)])


def test_names_are_looked_at_in_steps_too():
    query = {"page": "1", "name": "[37]", "use_regex": "true"}
    step_count, page = made(Listing(lambda: range(10), lambda number: {"n": number}, query, name=str))
    assert (step_count, page["items"]) == (12, [{"n": 3}, {"n": 7}])


async def test_a_virtual_host_with_much_in_it_has_gone_when_that_is_answered(api, monkeypatch):
    monkeypatch.setattr("leveret.core.vhost.DELETED_IN_A_SLICE", 1)
    api.harness.add_vhost("v")
    before = api.flush_count
    assert await api.delete("/vhosts/v") == 204
    assert "v" not in api.node.vhosts
    assert await api.delete("/vhosts/v") == 404
    assert api.flush_count > before
    api.harness.add_vhost("v")
    api.harness.run_work()
    assert "v" in api.node.vhosts
