"""What rabbitmq.conf, leveret.toml and the environment may say, and what is told of the rest."""

import errno
from pathlib import Path

import pytest

from leveret.config.report import ConfigurationError
from leveret.config.values import Address


def problems(configured, *arguments, **options):
    with pytest.raises(ConfigurationError) as raised:
        configured(*arguments, **options)
    return raised.value.problems


# -- rabbitmq.conf


@pytest.mark.parametrize(
    ("line", "heartbeat"),
    [
        ("heartbeat = 7", 7),
        ("heartbeat=7", 7),
        ("  heartbeat\t=  7  ", 7),
        ("heartbeat = 7 # seconds", 7),
        ("heartbeat = 7#seconds", 7),  # seen in RabbitMQ 3.10: a # begins a comment anywhere
        ("heartbeat = '7'", 7),
        ("heartbeat = 5\nheartbeat = 7", 7),
        ("#heartbeat = 5", 60),
        ("", 60),
    ],
)
def test_a_line_of_rabbitmq_conf(configured, write, line, heartbeat):
    write("rabbitmq.conf", line)
    assert configured().settings.heartbeat == heartbeat


def test_quotes_keep_what_would_be_a_comment(configured, write):
    write("rabbitmq.conf", "log.file = 'a # b'\n")
    assert configured().settings.log_file == Path("a # b")


@pytest.mark.parametrize(
    "line", ["heartbeat", "heartbeat =", "= 7", "heartbeat = '7", "heart beat = 7", "heartbeat = '7' 8"]
)
def test_what_is_no_line_is_told(configured, write, folder, line):
    write("rabbitmq.conf", f"\n{line}\n")
    (problem,) = problems(configured)
    assert problem.startswith(f"{folder}/rabbitmq.conf:2: ")


def test_variables_are_put_in(configured, write, folder):
    """RabbitMQ 4.x."""
    write("rabbitmq.conf", "heartbeat = $(BEAT)0\n")
    assert configured({"BEAT": "7"}).settings.heartbeat == 70
    assert problems(configured)[0] == f"{folder}/rabbitmq.conf:1: there is no environment variable BEAT"


def test_fragments_win_over_the_main_file_in_the_order_of_their_names(configured, write, folder):
    """Seen in RabbitMQ 3.10."""
    write("rabbitmq.conf", "heartbeat = 33\nchannel_max = 33\nframe_max = 33333\n")
    write("conf.d/20-b.conf", "heartbeat = 22\n")
    write("conf.d/10-a.conf", "heartbeat = 11\nchannel_max = 11\n")
    write("conf.d/90-c.config", "heartbeat = 44\n")
    configuration = configured()
    settings = configuration.settings
    assert (settings.heartbeat, settings.channel_max, settings.frame_max) == (22, 11, 33333)
    assert [path.name for path in configuration.files] == ["rabbitmq.conf", "10-a.conf", "20-b.conf"]
    assert configuration.sources["channel_max"] == f"{folder}/conf.d/10-a.conf:2"


@pytest.mark.parametrize("name", ["other", "other.conf"])
def test_another_main_file_is_named_with_or_without_conf(configured, write, folder, name):
    write("rabbitmq.conf", "heartbeat = 1\n")
    write("other.conf", "heartbeat = 2\n")
    assert configured({"RABBITMQ_CONFIG_FILE": str(folder / name)}).settings.heartbeat == 2


def test_a_named_main_file_that_is_not_there_is_a_warning(configured, folder):
    """RabbitMQ goes on without a word."""
    (note,) = configured({"RABBITMQ_CONFIG_FILE": "nowhere"}).notes
    assert note == ("RABBITMQ_CONFIG_FILE: there is no file nowhere.conf", True)


@pytest.mark.parametrize("pattern", ["more", "more/*.conf"])
def test_other_fragments_are_named_by_folder_or_pattern(configured, write, folder, pattern):
    write("conf.d/a.conf", "heartbeat = 1\n")
    write("more/a.conf", "heartbeat = 2\n")
    assert configured({"RABBITMQ_CONFIG_FILES": str(folder / pattern)}).settings.heartbeat == 2


@pytest.mark.parametrize(
    ("lines", "listeners"),
    [
        ("listeners.tcp.default = 5673", (Address("", 5673),)),
        ("listeners.tcp.1 = 127.0.0.1:1\nlisteners.tcp.2 = [::1]:2", (Address("127.0.0.1", 1), Address("::1", 2))),
        ("listeners.tcp.1 = 1\nlisteners.tcp.1 = 2", (Address("", 2),)),
        ("listeners.tcp = none\nlisteners.tcp.1 = 1", ()),
    ],
)
def test_listeners_are_numbered(configured, write, lines, listeners):
    write("rabbitmq.conf", lines)
    assert configured().settings.listeners_tcp == listeners


@pytest.mark.parametrize(
    ("lines", "ports"),
    [
        ("", (15672, None)),
        ("management.ssl.port = 15671", (None, 15671)),
        ("management.ssl.port = 15671\nmanagement.tcp.port = 15672", (15672, 15671)),
    ],
)
def test_tls_for_the_http_api_is_instead_of_what_is_not_asked_for(configured, write, lines, ports):
    write("rabbitmq.conf", lines)
    settings = configured().settings
    assert (settings.management_port, settings.management_ssl_port) == ports


@pytest.mark.parametrize(
    ("lines", "ports"),
    [
        ("", (15692, None)),
        ("prometheus.ssl.port = 15691", (None, 15691)),
        ("prometheus.ssl.port = 15691\nprometheus.tcp.port = 15692", (15692, 15691)),
        ("prometheus.tcp.port = 15693\nprometheus.tcp.listener = none", (None, None)),
    ],
)
def test_tls_for_the_metrics_is_instead_of_what_is_not_asked_for(configured, write, lines, ports):
    write("rabbitmq.conf", lines)
    settings = configured().settings
    assert (settings.metrics_port, settings.metrics_ssl_port) == ports


def test_a_wrong_element_is_told_with_a_line(configured, write, folder):
    write("rabbitmq.conf", "listeners.tcp.1 = nowhere\n")
    (problem,) = problems(configured)
    assert problem.startswith(f"{folder}/rabbitmq.conf:1: listeners.tcp: ")


def test_a_key_that_rabbitmq_has_and_we_do_not_is_a_warning(configured, write, folder):
    write("rabbitmq.conf", "management.hsts.policy = x\nauth_ldap.servers.1 = ldap\n")
    assert configured().notes == (
        (f"{folder}/rabbitmq.conf:1: management.hsts.policy is not supported yet, and has no effect", True),
        (f"{folder}/rabbitmq.conf:2: auth_ldap.servers.1 is not supported yet, and has no effect", True),
    )


def test_a_key_without_meaning_for_us_is_mentioned(configured, write, folder):
    write("rabbitmq.conf", "cluster_formation.peer_discovery_backend = k8s\n")
    assert configured().notes == (
        (
            f"{folder}/rabbitmq.conf:1: cluster_formation.peer_discovery_backend has no meaning here, and no effect",
            False,
        ),
    )


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("hartbeat", "; did you mean 'heartbeat'?"),
        ("listeners.tpc.1", "; did you mean 'listeners.tcp.*'?"),
        ("managment.tcp.port", "; did you mean 'management.tcp.port'?"),
        ("zzzzzzzz", ""),
        ("heartbeat.x", "; did you mean 'heartbeat'?"),
        ("Heartbeat", "; did you mean 'heartbeat'?"),
    ],
)
def test_an_unknown_key_stops_the_start_and_the_nearest_is_named(configured, write, folder, key, hint):
    """RabbitMQ refuses to start as well."""
    write("rabbitmq.conf", f"{key} = 1\n")
    assert problems(configured) == [f"{folder}/rabbitmq.conf:1: unknown key '{key}'{hint}"]


def forbid(monkeypatch, path):
    """For root, who may read everything."""
    read_text = Path.read_text

    def refuse(self, *arguments, **options):
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read_text(self, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", refuse)


def test_a_file_that_may_not_be_read_is_told(configured, write, monkeypatch):
    path = write("other.conf", "")
    forbid(monkeypatch, path)
    assert problems(configured, {"RABBITMQ_CONFIG_FILE": str(path)}) == [f"{path}: Permission denied"]


def test_that_of_a_rabbitmq_on_the_same_machine_is_a_warning(configured, write, monkeypatch):
    path = write("rabbitmq.conf", "heartbeat = 7\n")
    forbid(monkeypatch, path)
    configuration = configured()
    assert configuration.notes == ((f"{path}: Permission denied", True),)
    assert configuration.settings.heartbeat == 60


def test_a_file_that_is_no_text_is_told(configured, folder):
    (folder / "rabbitmq.conf").write_bytes(b"\xff\xfe")
    assert problems(configured) == [f"{folder}/rabbitmq.conf: it is not UTF-8"]


# -- leveret.toml


def test_leveret_toml_has_dotted_names_and_tables(configured, write):
    write(
        "leveret.toml",
        """
        heartbeat = 7
        consumer_timeout = false
        log.level = "debug"
        [listeners]
        tcp = [5673, "127.0.0.1:5674"]
        """,
    )
    settings = configured().settings
    assert (settings.heartbeat, settings.consumer_timeout, settings.log_level) == (7, None, "debug")
    assert settings.listeners_tcp == (Address("", 5673), Address("127.0.0.1", 5674))


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("\nhartbeat = 7\n", 2, "unknown setting 'hartbeat'; did you mean 'heartbeat'?"),
        ("[log]\nconsole.levle = 7\n", 2, "unknown setting 'log.console.levle'; did you mean 'log.console_level'?"),
        ("[zzz]\n\nx = 7\n", 3, "unknown setting 'zzz.x'"),
        ("# x\n[log]\n# y\n 'level' = 7\n", 4, "log.level: debug, info, warning, error, critical or none, not 7"),
        ("heartbeat = 1.5\n", 1, "heartbeat: a number of seconds, 0 to 65535, not 1.5"),
    ],
)
def test_what_is_wrong_in_leveret_toml_is_told_with_its_line(configured, write, text, line, problem):
    write("leveret.toml", text)
    assert problems(configured) == [f"leveret.toml:{line}: {problem}"]


def test_what_is_no_toml_is_told(configured, write):
    write("leveret.toml", "heartbeat = \n")
    (problem,) = problems(configured)
    assert problem.startswith("leveret.toml: ")
    assert "line 1" in problem


def test_another_file_is_named_by_option_or_variable(configured, write):
    write("leveret.toml", "heartbeat = 1\n")
    one, two = write("one.toml", "heartbeat = 2\n"), write("two.toml", "heartbeat = 3\n")
    assert configured({"LEVERET_CONFIG": str(one)}).settings.heartbeat == 2
    assert configured({"LEVERET_CONFIG": str(one)}, two).settings.heartbeat == 3


def test_a_named_file_that_is_not_there_is_told(configured):
    assert problems(configured, {"LEVERET_CONFIG": "nowhere.toml"}) == ["nowhere.toml: No such file or directory"]


# -- environment


def test_an_empty_variable_is_not_set(configured):
    assert configured({"LEVERET_HEARTBEAT": "", "RABBITMQ_NODE_PORT": ""}).settings == configured().settings


def test_our_variable_wins_over_that_of_rabbitmq(configured):
    assert configured({"LEVERET_PORT": "1", "RABBITMQ_NODE_PORT": "2"}).settings.port == 1


def test_the_first_of_two_variables_of_rabbitmq_wins(configured):
    variables = {"RABBITMQ_MNESIA_BASE": "base", "RABBITMQ_MNESIA_DIR": "dir"}
    assert configured(variables).settings.data_dir == Path("dir")


@pytest.mark.parametrize(
    ("variables", "console", "file", "level"),
    [
        ({"RABBITMQ_LOGS": "-"}, True, None, "info"),
        ({"RABBITMQ_LOGS": "a.log"}, False, Path("a.log"), "info"),
        ({"RABBITMQ_LOG": "debug"}, True, None, "debug"),
        ({"RABBITMQ_LOG": "connection.debug,warning,+color"}, True, None, "warning"),
    ],
)
def test_where_rabbitmq_would_log(configured, variables, console, file, level):
    settings = configured(variables).settings
    assert (settings.log_console, settings.log_file, settings.log_level) == (console, file, level)


def test_erlang_options_of_compose_files(configured):
    variables = {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": '-rabbit heartbeat 7 -rabbitmq_management load_definitions "x"'}
    configuration = configured(variables)
    assert configuration.settings.heartbeat == 7
    (note,) = configuration.notes
    assert "-rabbitmq_management load_definitions" in note.text


@pytest.mark.parametrize(
    ("option", "absolute", "relative"),
    [
        ("disk_free_limit 1000", 1000, None),
        ('disk_free_limit "1GB"', 10**9, None),
        ("disk_free_limit {absolute,2000}", 2000, None),
        ('disk_free_limit {absolute, "1GB"}', 10**9, None),
        ("disk_free_limit {mem_relative,1.5}", None, 1.5),
    ],
)
def test_limits_among_erlang_options(configured, option, absolute, relative):
    settings = configured({"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-rabbit {option}"}).settings
    assert (settings.disk_free_limit_absolute, settings.disk_free_limit_relative) == (absolute, relative)


def test_the_password_may_be_in_a_file(configured, write, folder):
    """Docker secrets."""
    configuration = configured({"RABBITMQ_DEFAULT_PASS_FILE": str(write("secret", "dragon\n"))})
    assert configuration.settings.default_pass == "dragon"
    assert "RABBITMQ_DEFAULT_PASS_FILE is no longer taken by RabbitMQ" in configuration.notes[0].text
    assert problems(configured, {"RABBITMQ_DEFAULT_PASS_FILE": "nowhere"}) == [
        "RABBITMQ_DEFAULT_PASS_FILE: nowhere: No such file or directory"
    ]


def permissions(settings):
    return (
        settings.default_permissions_configure, settings.default_permissions_write, settings.default_permissions_read,
    )  # fmt: skip


def test_the_permissions_of_the_first_user_are_three_patterns_in_one_variable(configured, write):
    """RabbitMQ has a variable for each of name, password and virtual host, and none for them."""
    write("rabbitmq.conf", "default_permissions.configure = a\n")
    three = {"RABBITMQ_DEFAULT_PERMISSIONS": "^mine  .* ^$"}
    assert permissions(configured(three).settings) == ("^mine", ".*", "^$")
    assert permissions(configured(three | {"LEVERET_DEFAULT_PERMISSIONS_WRITE": "b"}).settings) == ("^mine", "b", "^$")


@pytest.mark.parametrize("written", [".*", ".* .*", ".* .* .* .*", " "])
def test_another_number_of_patterns_is_told(configured, written):
    assert problems(configured, {"RABBITMQ_DEFAULT_PERMISSIONS": written}) == [
        f"RABBITMQ_DEFAULT_PERMISSIONS: three patterns, as in '.* .* .*': configure, write, read; not {written!r}"
    ]


@pytest.mark.parametrize(
    ("lines", "users"),
    [
        ("loopback_users = none", ()),
        ("loopback_users.guest = false", ()),
        ("loopback_users.guest = true\nloopback_users.other = true", ("guest", "other")),
        ("loopback_users = none\nloopback_users.guest = true", ()),  # seen in RabbitMQ 3.10
        ("", ("guest",)),
    ],
)
def test_flagged_names(configured, write, lines, users):
    write("rabbitmq.conf", lines)
    assert configured().settings.loopback_users == users


def test_a_flag_that_is_none_is_told(configured, write, folder):
    write("rabbitmq.conf", "default_user_tags.administrator = yes\n")
    assert problems(configured) == [
        f"{folder}/rabbitmq.conf:1: default_user_tags.administrator: true or false, not 'yes'"
    ]


def test_a_wrong_secret_is_not_repeated(configured, write):
    write("leveret.toml", "default_pass = 12345\n")
    assert problems(configured) == ["leveret.toml:1: default_pass: a text"]


def test_rabbitmqs_variables_that_do_nothing_here_are_told_and_those_of_others_are_not(configured):
    notes = configured({"RABBITMQ_CONF_ENV_FILE": "x", "RABBITMQ_URL": "amqp://x", "RABBITMQ_ERLANG_COOKIE": "x"}).notes
    assert notes == (("RABBITMQ_CONF_ENV_FILE is not supported yet, and has no effect", True),)


@pytest.mark.parametrize("machine", ["burrow", "burrow.example.com"])
def test_the_node_is_called_after_the_machine_without_its_domain(configured, monkeypatch, machine):
    """Seen in RabbitMQ 3.10."""
    monkeypatch.setattr("socket.gethostname", lambda: machine)
    assert configured().settings.node_name == "rabbit@burrow"
    assert configured({"RABBITMQ_NODENAME": "hare"}).settings.node_name == "hare@burrow"
    assert configured({"RABBITMQ_NODENAME": "hare@field.example.com"}).settings.node_name == "hare@field.example.com"


def test_a_misspelt_variable_of_ours_is_told(configured):
    (note,) = configured({"LEVERET_HARTBEAT": "x", "LEVERET_ZZZZZZZZZZZZZZZ": "x"}).notes
    assert note == ("LEVERET_HARTBEAT is not a variable of Leveret; did you mean 'LEVERET_HEARTBEAT'?", True)
