"""Whatever is written anywhere: there is a configuration, or a list of problems that can be printed, nothing else."""

from hypothesis import example, given
from hypothesis import strategies as st

from leveret.config import rabbitmq_conf
from leveret.config.load import load
from leveret.config.report import ConfigurationError
from leveret.config.settings import TABLE

NAMES = st.sampled_from([setting.name for setting in TABLE])
VALUES = st.one_of(
    st.text(),
    st.sampled_from(
        ["0", "-1", "1e400", "nan", "none", "true", "[]", "50MB", ":::", "[::1]:1", "a,b", "'", '"', "$(X)"]
    ),
)
TOML_VALUES = st.sampled_from(
    ["0", "-1", "1e400", "nan", "inf", "true", "[]", "[[]]", "[1, 'a']", "{}", "{ x = 1 }", "1979-05-27", "07:32:00",
     "''", "'none'", "[true]", "0x7fffffffffffffffffffffffffffffff", "'\\u0000'", "['a', '']"]
)  # fmt: skip
KEYS = st.one_of(NAMES, st.from_regex(r"[a-z_.$*]{1,30}", fullmatch=True), st.text(max_size=20))


def outcome(options, variables, config_file=None):
    try:
        configuration = load(options, variables, config_file)
    except ConfigurationError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.strip()
        return
    for setting in TABLE:
        assert setting.shown(getattr(configuration.settings, setting.attribute)) is not None


@given(lines=st.lists(st.tuples(KEYS, VALUES)))
@example(lines=[("listeners.tcp", "1"), ("listeners.tcp.1", "2")])
def test_in_rabbitmq_conf(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "any.conf"
    path.write_text("\n".join(f"{key} = {value}" for key, value in lines), encoding="utf-8", errors="replace")
    outcome({}, {"RABBITMQ_CONFIG_FILE": str(path)})


@given(text=st.binary())
def test_any_bytes_in_rabbitmq_conf(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "bytes.conf"
    path.write_bytes(text)
    outcome({}, {"RABBITMQ_CONFIG_FILE": str(path)})


@given(lines=st.lists(st.tuples(KEYS, TOML_VALUES)))
@example(lines=[("x", "[" * 5000 + "]" * 5000)])
def test_in_leveret_toml(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("\n".join(f"{key} = {value}" for key, value in lines), encoding="utf-8", errors="replace")
    outcome({}, {}, path)


@given(name=NAMES, value=TOML_VALUES)
def test_any_value_of_any_setting(tmp_path_factory, name, value):
    path = tmp_path_factory.getbasetemp() / "one.toml"
    path.write_text(f"{name} = {value}\n", encoding="utf-8")
    outcome({}, {}, path)


@given(options=st.dictionaries(NAMES, VALUES), values=st.dictionaries(NAMES, VALUES))
def test_in_options_and_variables(options, values):
    variables = {setting.variable: values[setting.name] for setting in TABLE if setting.name in values}
    outcome(options, variables)


@given(arguments=st.text(alphabet="-rabbit {}[],.\"' xheartbeatdisk_free_limit015", max_size=60))
@example(arguments="-rabbit disk_free_limit {mem_relative,1.5}")
def test_in_erlang_options(arguments):
    outcome({}, {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": arguments, "RABBITMQ_LOG": arguments})


def test_the_files_of_this_machine_are_left_out():
    """As the fixture of this folder has it."""
    assert not rabbitmq_conf.FILE.exists()
