"""Definitions that a broker starts with."""

import json

import pytest

import leveret
from leveret.config.report import ConfigurationError
from leveret.config.settings import Settings


def write(path, **definitions):
    path.write_text(json.dumps(definitions))
    return path


def names(node, users):
    return sorted(node.vhosts), sorted(user.name for user in users)


async def test_no_default_user_is_made(tmp_path):
    file = write(tmp_path / "d.json", vhosts=[{"name": "v"}], users=[{"name": "alice", "tags": []}])
    async with leveret.Broker(settings=Settings(load_definitions=file)) as broker:
        assert broker.call(names) == (["/", "v"], ["alice"])


async def test_all_files_of_a_folder_by_their_names(tmp_path):
    write(tmp_path / "2.json", queues=[{"name": "q", "vhost": "v"}])
    write(tmp_path / "1.json", vhosts=[{"name": "v"}])
    async with leveret.Broker(settings=Settings(load_definitions=tmp_path)) as broker:
        assert broker.call(lambda node, users: list(node.vhosts["v"].queues)) == ["q"]


async def test_they_are_imported_at_each_start(tmp_path):
    folder, data_dir = tmp_path / "definitions", tmp_path / "data"
    folder.mkdir()
    write(folder / "1.json", vhosts=[{"name": "a"}])
    settings = Settings(load_definitions=folder)
    async with leveret.Broker(data_dir=data_dir, settings=settings):
        pass
    write(folder / "2.json", vhosts=[{"name": "b"}])
    async with leveret.Broker(data_dir=data_dir, settings=settings) as broker:
        assert broker.call(names) == (["/", "a", "b"], [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "not an object"),
        ("{\n  oops", "Expecting property name enclosed in double quotes: line 2 column 3 (char 4)"),
        ('{"queues": [{"name": "q", "vhost": "v"}]}', "queues, item 1 (q): there is no virtual host v"),
        ('{"policies": [{"name": "p", "vhost": "/", "pattern": ".*", "definition": {}}]}',
         "policies, item 1 (p): Validation failed\n\nno policy provided\n"),
    ],
)  # fmt: skip
async def test_a_file_that_cannot_be_used_keeps_the_broker_from_starting(tmp_path, text, reason):
    file = tmp_path / "d.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        async with leveret.Broker(settings=Settings(load_definitions=file)):
            pass
    assert raised.value.problems == [f"load_definitions: {file}: {reason}"]


async def test_a_file_that_is_not_there(tmp_path):
    file = tmp_path / "nowhere.json"
    with pytest.raises(ConfigurationError) as raised:
        async with leveret.Broker(settings=Settings(load_definitions=file)):
            pass
    assert raised.value.problems == [f"load_definitions: {file}: No such file or directory"]


async def test_that_nobody_can_log_in_is_logged(tmp_path, caplog):
    async with leveret.Broker(settings=Settings(load_definitions=write(tmp_path / "d.json"))):
        pass
    assert "there are no users in the definitions: nobody can log in" in caplog.messages
