"""The dialogues, with Leveret."""

import pytest

from tests.management.dialogues import ABSENT, DIALOGUES, differences, filled


@pytest.mark.parametrize("name", DIALOGUES)
async def test_a_dialogue(api, name):
    api.harness.add_vhost("v-1")
    names = {"v": "v-1", "n": api.node.name, "u": "u-1"}
    for step in DIALOGUES[name]:
        method, _, path = filled(step.ask, names).partition(" ")
        user = filled(step.user, names) if step.user else "guest"
        response = await api.ask(method, path, filled(step.body, names), user=user)
        assert response.status_code == step.status, (step, response.text)
        if step.answer is not None:
            assert differences(step.answer, response.json(), names) == [], step


async def test_a_difference_is_found():
    names = {"v": "x"}
    assert differences({"a": "{v}"}, {"a": "x", "b": 1}, names) == []
    assert differences({"a": "{v}"}, {"a": "y"}, names) == [".a: 'y', not 'x'"]
    assert differences({"a": 1}, {}, names) == [".a is missing"]
    assert differences({"a": ABSENT}, {"a": 1}, names) == [".a is there"]
    assert differences([{"a": 1}], [], names) == [": [] has 0 items"]
    assert differences({"a": True}, {"a": 1}, names) == [".a: 1, not True"]
