"""One precedence: options, environment, leveret.toml, rabbitmq.conf, defaults; and where every value came from."""

import pytest

from leveret.config.report import ConfigurationError
from leveret.config.settings import TABLE, Settings
from leveret.config.values import SIZE_WORDS, Address

ALL = {"RABBITMQ_NODE_PORT": "3", "LEVERET_HEARTBEAT": "3"}


def test_without_anything_there_are_the_defaults(configured):
    configuration = configured()
    assert configuration.settings == Settings(listeners_tcp=(Address("127.0.0.1", 5672),))
    assert set(configuration.sources.values()) == {"default"}
    assert (configuration.files, configuration.notes) == ((), ())


def test_every_place_wins_over_those_below(configured, write, folder):
    def heartbeat(variables=None, **options):
        configuration = configured(variables, **options)
        return configuration.settings.heartbeat, configuration.sources["heartbeat"]

    assert heartbeat() == (60, "default")
    write("rabbitmq.conf", "# comment\nheartbeat = 1\n")
    assert heartbeat() == (1, f"{folder}/rabbitmq.conf:2")
    write("leveret.toml", "\n\nheartbeat = 2\n")
    assert heartbeat() == (2, "leveret.toml:3")
    assert heartbeat({"LEVERET_HEARTBEAT": "3"}) == (3, "LEVERET_HEARTBEAT")
    assert heartbeat({"LEVERET_HEARTBEAT": "3"}, heartbeat="4") == (4, "--heartbeat")


def test_every_setting_can_be_set_in_leveret_toml_by_variable_and_by_option(configured, write):
    """A value that is not the default, for each."""
    for setting in TABLE:
        text = other_text(setting)
        expected = setting.kind.parse(text)
        path = write("one.toml", f'"{setting.name}" = "{text}"\n')
        for place in (
            configured(config_file=path),
            configured({setting.variable: text}),
            configured(**{setting.name: text}),
        ):
            assert getattr(place.settings, setting.attribute) == expected, setting.name
            assert place.sources[setting.name] != "default"


def other_text(setting):
    """A value that is not the default."""
    texts = (
        "777",
        "debug",
        "quorum",
        "os",
        "verify_peer",
        "false",
        "true",
        "5671",
        "0.25",
        "EXTERNAL",
        "common_name",
        "ip",
        "http",
        "post",
        "stdout",
        "x",
        "/x",
    )
    return next(text for text in texts if _is_other(setting, text))


def _is_other(setting, text):
    try:
        return setting.kind.parse(text) not in (setting.default, None)
    except ValueError:
        return False


def test_every_key_of_rabbitmq_conf_sets_its_setting(configured, write):
    for setting in TABLE:
        for key in setting.keys:
            text = other_text(setting)
            write("rabbitmq.conf", f"{key} = {text}\n")
            assert getattr(configured().settings, setting.attribute) == setting.kind.parse(text), key


def test_every_variable_of_rabbitmq_sets_its_setting(configured):
    for setting in TABLE:
        for variable in setting.variables:
            assert configured({variable: other_text(setting)}).sources[setting.name] == variable


def test_all_problems_are_told_at_once_each_with_its_place(configured, write, folder):
    write("rabbitmq.conf", "heartbeat = fast\nhartbeat = 1\n")
    write("leveret.toml", "[log]\nlevel = 'loud'\n")
    with pytest.raises(ConfigurationError) as raised:
        configured({"LEVERET_FRAME_MAX": "1"})
    assert raised.value.problems == [
        f"{folder}/rabbitmq.conf:2: unknown key 'hartbeat'; did you mean 'heartbeat'?",
        f"{folder}/rabbitmq.conf:1: heartbeat: a number of seconds, 0 to 65535, not 'fast'",
        "leveret.toml:2: log.level: debug, info, warning, error, critical or none, not 'loud'",
        f"LEVERET_FRAME_MAX: frame_max: {SIZE_WORDS}, 4096 to 134217728, not '1'",
    ]


def test_what_a_higher_place_says_does_not_excuse_what_is_wrong_below(configured, write):
    write("rabbitmq.conf", "heartbeat = fast\n")
    with pytest.raises(ConfigurationError):
        configured(heartbeat="4")


# -- host and port beside listeners


@pytest.mark.parametrize(
    ("variables", "options", "listeners"),
    [
        ({}, {}, "127.0.0.1:1, 127.0.0.1:2"),
        ({"RABBITMQ_NODE_PORT": "3"}, {}, "127.0.0.1:3"),
        ({"RABBITMQ_NODE_IP_ADDRESS": "::"}, {}, "[::]:5672"),
        ({"RABBITMQ_NODE_PORT": "3"}, {"host": "::1"}, "[::1]:3"),
        ({"LEVERET_LISTENERS_TCP": "4"}, {}, "4"),
        ({"LEVERET_LISTENERS_TCP": "4", "RABBITMQ_NODE_PORT": "3"}, {}, "4"),
        ({"LEVERET_LISTENERS_TCP": "none"}, {}, "none"),
        ({"LEVERET_LISTENERS_TCP": "none"}, {"port": "0"}, "127.0.0.1:0"),
    ],
)
def test_host_and_port_or_listeners_whichever_was_said_higher(configured, write, variables, options, listeners):
    write("leveret.toml", 'listeners.tcp = ["127.0.0.1:1", "127.0.0.1:2"]\n')
    configuration = configured(variables, **options)
    (row,) = (setting for setting in TABLE if setting.name == "listeners.tcp")
    assert row.shown(configuration.settings.listeners_tcp) == listeners


def test_the_source_of_a_listener_is_that_of_host_and_port(configured):
    configuration = configured({"RABBITMQ_NODE_PORT": "3"})
    assert configuration.sources["listeners.tcp"] == "RABBITMQ_NODE_PORT"


# -- the table


def test_no_name_is_the_beginning_of_another():
    """TOML could not say both `log = 1` and `log.level = 2`."""
    names = [setting.name for setting in TABLE]
    assert not [name for name in names for other in names if other.startswith(name + ".")]


@pytest.mark.parametrize("spelling", ["name", "attribute", "option", "variable"])
def test_names_are_unique(spelling):
    names = [getattr(setting, spelling) for setting in TABLE]
    assert len(names) == len(set(names))


def test_keys_and_variables_belong_to_one_setting():
    for names in (
        [key for setting in TABLE for key in setting.keys],
        [v for setting in TABLE for v in setting.variables],
    ):
        assert len(names) == len(set(names))
