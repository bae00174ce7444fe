"""The file `enabled_plugins` as containers have it mounted: what it turns off, and what is told of the rest."""

import pytest

from leveret.config import plugins


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("[rabbitmq_management,rabbitmq_prometheus].\n", 15672),
        ("[ rabbitmq_prometheus ,\n  rabbitmq_management ]", 15672),  # spaces and a missing dot are often seen
        ("[rabbitmq_prometheus].", None),
        ("[].", None),
        ("", None),
        ("%% [rabbitmq_management].\n[].", None),
        ("[rabbitmq_shovel_management].", 15672),  # RabbitMQ starts rabbitmq_management for it
        ("[rabbitmq_management_agent].", None),
    ],
)
def test_the_http_api_is_there_where_its_plugin_is_enabled(configured, write, text, port):
    write("enabled_plugins", text)
    assert configured().settings.management_port == port


def test_without_the_file_everything_is_there(configured):
    assert configured().settings.management_port == 15672


def test_another_file_is_named_by_rabbitmqs_variable(configured, write, folder):
    write("enabled_plugins", "[rabbitmq_management].")
    other = str(write("other", "[]."))
    configuration = configured({"RABBITMQ_ENABLED_PLUGINS_FILE": other})
    assert configuration.settings.management_port is None
    assert configuration.sources["management_port"] == other


def test_the_variable_wins_over_the_file(configured, write):
    write("enabled_plugins", "[rabbitmq_management].")
    assert configured({"RABBITMQ_ENABLED_PLUGINS": "rabbitmq_prometheus"}).settings.management_port is None


def test_all_of_them_in_a_word(configured, write):
    """As RabbitMQ (3.10) reads RABBITMQ_ENABLED_PLUGINS."""
    write("enabled_plugins", "[].")
    configuration = configured({"RABBITMQ_ENABLED_PLUGINS": "ALL"})
    assert configuration.settings.management_port == 15672
    assert set(plugins.running(configuration.settings)) == set(plugins.SERVED)
    assert configuration.notes == ()


def test_a_port_of_rabbitmq_conf_enables_no_plugin_and_one_of_a_higher_place_does(configured, write):
    """As RabbitMQ: the key is read, and nobody listens."""
    write("enabled_plugins", "[].")
    write("rabbitmq.conf", "management.tcp.port = 8080\n")
    assert configured().settings.management_port is None
    assert configured({"LEVERET_MANAGEMENT_PORT": "8081"}).settings.management_port == 8081


def test_a_plugin_that_is_not_served_is_a_warning(configured, write, folder):
    """RabbitMQ 3.10 says nothing of one that is not installed, and starts."""
    write("enabled_plugins", "[rabbitmq_mqtt,rabbitmq_delayed_message_exchange].")
    assert configured().notes == (
        (f"{folder}/enabled_plugins: rabbitmq_mqtt is not served here, and has no effect", True),
    )


def test_a_file_that_cannot_be_read_is_a_warning(configured, folder):
    (folder / "enabled_plugins").write_bytes(b"\xff")
    configuration = configured()
    assert configuration.notes == ((f"{folder}/enabled_plugins: it is not UTF-8", True),)
    assert configuration.settings.management_port == 15672


def test_what_rabbitmq_starts_along_is_told_as_started():
    """Seen in RabbitMQ 3.10 (`Server startup complete; 4 plugins started.`)."""
    assert plugins.started(["rabbitmq_management", "rabbitmq_prometheus", "rabbitmq_mqtt"]) == (
        "rabbitmq_management", "rabbitmq_management_agent", "rabbitmq_prometheus", "rabbitmq_web_dispatch",
    )  # fmt: skip
    assert plugins.started([]) == ()


def test_what_has_no_port_does_not_run(configured):
    def running(**options):
        return set(plugins.running(configured(**options).settings))

    assert set(plugins.SERVED) == running()
    assert set(plugins.SERVED) - running(management_port="none") == {"rabbitmq_management"}
    assert set(plugins.SERVED) - running(metrics_port="none") == {"rabbitmq_prometheus"}
    assert set(plugins.SERVED) == running(management_port="none", management__ssl__port="15671")
