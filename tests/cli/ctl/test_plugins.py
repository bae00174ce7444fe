"""rabbitmq-plugins: the file that is written, with and without a broker, and what is told of it."""

import json

import pytest

from leveret.config.plugins import SERVED
from leveret.version import EMULATED_RABBITMQ_VERSION


@pytest.fixture
def plugins(ctl):
    return lambda *words: ctl(*words, program="rabbitmq-plugins")


@pytest.fixture
def file(runtime_dir):
    return runtime_dir / "plugins" / "enabled_plugins"


def write(file, *names):
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"[{','.join(names)}].\n")


def test_enabling_offline_writes_the_file_as_rabbitmq_does(plugins, file):
    write(file, "rabbitmq_event_exchange")
    status, stdout, stderr = plugins("enable", "--offline", "rabbitmq_management", "rabbitmq_mqtt")
    assert (status, stderr) == (0, "rabbitmq_mqtt is not served here, and has no effect\n")
    assert stdout.splitlines()[1:] == [
        "rabbitmq_management",
        "rabbitmq_mqtt",
        "The following plugins have been configured:",
        "  rabbitmq_event_exchange",
        "  rabbitmq_management",
        "  rabbitmq_mqtt",
        stdout.splitlines()[7],
        "The following plugins have been enabled:",
        "  rabbitmq_management",
        "  rabbitmq_mqtt",
        "",
        "set 3 plugins.",
        "Offline change; changes will take effect at broker restart.",
    ]
    assert file.read_text() == "[rabbitmq_event_exchange,rabbitmq_management,rabbitmq_mqtt].\n"


def test_without_a_file_all_that_is_served_is_enabled_and_stays_so(plugins, file):
    status, stdout, _ = plugins("enable", "--offline", "rabbitmq_management")
    assert (status, stdout.splitlines()[-1], file.exists()) == (0, "Plugin configuration unchanged.", False)
    plugins("enable", "--offline", "rabbitmq_stomp")
    assert file.read_text() == f"[{','.join(sorted({*SERVED, 'rabbitmq_stomp'}))}].\n"


def test_disabling_and_setting(plugins, file):
    write(file, "rabbitmq_event_exchange", "rabbitmq_management")
    assert plugins("disable", "--offline", "rabbitmq_event_exchange", "nosuch")[0] == 0
    assert file.read_text() == "[rabbitmq_management].\n"
    plugins("set", "--offline", "rabbitmq_sharding")
    assert file.read_text() == "[rabbitmq_sharding].\n"
    status, stdout, _ = plugins("disable", "--offline", "--all")
    assert (status, stdout.splitlines()[1]) == (0, "All plugins have been disabled.")
    assert file.read_text() == "[].\n"


def test_an_unknown_one_is_refused_and_nothing_is_written(plugins, file):
    status, _, stderr = plugins("enable", "--offline", "rabbitmq_mqtt", "nosuch")
    assert (status, stderr, file.exists()) == (70, "Error:\n{:plugins_not_found, [:nosuch]}\n", False)


def test_words_are_needed(plugins):
    assert plugins("enable")[0] == 64
    assert plugins("enable", "--offline", "--online", "rabbitmq_mqtt")[0] == 65


def test_a_file_that_cannot_be_written_is_told(plugins, file):
    file.parent.write_text("in the way")
    status, _, stderr = plugins("enable", "--offline", "rabbitmq_mqtt")
    assert (status, stderr) == (78, f"Error:\nCould not update enabled plugins file at {file}: File exists\n")


def test_the_list_shows_what_is_enabled_and_runs(start, plugins, file):
    write(file, "rabbitmq_management", "rabbitmq_mqtt")
    start()
    status, stdout, _ = plugins("list", "rabbitmq_m")
    assert status == 0
    assert [line.split()[:2] for line in stdout.splitlines()] == [
        ["Listing", "plugins"],
        ["Configured:", "E"],
        ["|", "Status:"],
        ["|/"],
        ["[E*]", "rabbitmq_management"],
        ["[e*]", "rabbitmq_management_agent"],
        ["[", "]"],  # rabbitmq_message_deduplication
        ["[E", "]"],
    ]
    assert "* = running on one@test" in stdout
    for option in ("-E", "--enabled"):
        assert plugins("list", "-m", option, "-q")[1].split() == ["rabbitmq_management", "rabbitmq_mqtt"]
    for option in ("-e", "--implicitly-enabled"):
        assert "rabbitmq_web_dispatch" in plugins("list", "-m", option, "-q")[1].split()
    shape = json.loads(plugins("list", "mqtt$", "--formatter", "json")[1])
    assert [(one["name"], one["enabled"], one["running"]) for one in shape["plugins"]] == [
        ("rabbitmq_mqtt", "enabled", False),
        ("rabbitmq_web_mqtt", "not_enabled", False),
    ]


def test_the_list_is_there_without_a_broker(plugins, file):
    write(file)
    status, stdout, _ = plugins("list", "rabbitmq_top")
    assert status == 0
    assert "[failed to contact" in stdout
    assert stdout.splitlines()[-1].startswith("[  ] rabbitmq_top ")


def test_what_is_enabled_can_be_asked_for(start, plugins, file):
    write(file, "rabbitmq_management")
    assert plugins("is_enabled", "--offline", "rabbitmq_management", "-q") == (
        0, "Plugin rabbitmq_management is enabled\n", ""
    )  # fmt: skip
    start()
    assert plugins("is_enabled", "rabbitmq_management", "rabbitmq_web_dispatch") == (
        0,
        "Asking node one@test if plugins rabbitmq_management, rabbitmq_web_dispatch are enabled...\n"
        "Plugins rabbitmq_management, rabbitmq_web_dispatch are enabled on node one@test\n",
        "",
    )
    status, _, stderr = plugins("is_enabled", "rabbitmq_top")
    assert status == 69
    assert stderr.startswith("Error:\nPlugin rabbitmq_top is not enabled on node one@test. Enabled plugins and ")


def test_what_is_part_of_the_broker_is_started_at_once_and_what_is_not_at_the_next_start(start, plugins, file):
    """A broker that was told of no file serves all there is."""
    write(file, "rabbitmq_event_exchange")
    start()
    assert plugins("enable", "rabbitmq_mqtt")[1].splitlines()[-1] == "started 1 plugins."
    assert plugins("disable", "rabbitmq_mqtt")[1].splitlines()[-1] == "stopped 1 plugins."
    assert plugins("enable", "rabbitmq_event_exchange")[1].splitlines()[-1] == "Plugin configuration unchanged."


def test_a_list_has_more_of_each_if_asked_for(plugins):
    status, stdout, _ = plugins("list", "-q", "-v", "--offline", "management_agent")
    assert (status, stdout.splitlines()[3:]) == (
        0,
        [
            "[E ] rabbitmq_management_agent",
            f"     Version:     \t{EMULATED_RABBITMQ_VERSION}",
            "     Dependencies:\t[rabbitmq_web_dispatch]",
            "     Description: \t",
        ],
    )


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("list", "("), 70, "( is no regular expression: missing ), unterminated subpattern at position 0"),
        (("list", "--minimal", "--verbose"), 65, "Bad argument: Cannot set both verbose and minimal"),
        (("enable", "--all", "rabbitmq_top"), 65, "Bad argument: Cannot set both --all and a list of plugins"),
        (("set", "--all"), 64, "Invalid options for this command"),
        (("set", "--online", "--offline", "x"), 65, "Bad argument: Cannot set both online and offline"),
        (("is_enabled", "--online", "--offline", "x"), 65, "Bad argument: Cannot set both online and offline"),
        (("directories", "--online", "--offline"), 65, "Bad argument: Cannot set both online and offline"),
    ],
)
def test_what_goes_not_together_is_refused(plugins, file, words, status, text):
    found, _, stderr = plugins(*words)
    assert (found, text in stderr) == (status, True)
    assert not file.exists()


def test_where_the_file_is(plugins, file):
    assert plugins("directories", "-q") == (0, f"Enabled plugins file: {file}\n", "")
