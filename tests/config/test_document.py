import tomllib

import pytest

from nnlayers._core.toml_text import toml_text
from nnlayers.config.document import ConfigError, differences, dumps, override, read


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = [1,", "x.toml: not valid TOML: "),
        (b"a = '\xff'", "x.toml: not UTF-8 text, at byte 5"),
        (b"a = 1\0", "x.toml: not valid TOML: "),
        (b"a = " + b"9" * 10_000, "x.toml: not valid TOML: "),
        (b"a = " + b"[" * 100_000, "x.toml: not valid TOML: "),
        (b"a = " + b"{a=" * 100_000, "x.toml: not valid TOML: "),
        (b"[" + b"a." * 2_000 + b"a]", "x.toml: must not be nested 64 tables or arrays deep"),
        (b"a." * 2_000 + b"a = 1", "x.toml: must not be nested 64 tables or arrays deep"),
        (b"'a' . " * 64 + b"a = 1", "x.toml: must not be nested 64 tables or arrays deep"),
    ],
)
def test_a_malformed_file_is_an_error_that_names_it(tmp_path, content, message):
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("0.5", 0.5),
        ("true", True),
        ('"1"', "1"),
        ("plain words", "plain words"),
        ("[1, 2]", [1, 2]),
        ('{type = "X"}', {"type": "X"}),
        ("1\nb = 2", "1\nb = 2"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_an_assigned_value_is_toml_or_otherwise_a_string(text, value):
    config = {}
    override(config, [f"a.b={text}"], "x.toml")
    assert config == {"a": {"b": value}}


@pytest.mark.parametrize("path", ["list.2", "list.-1", "list.x", "list.2.a", "number.a"])
def test_a_key_path_that_does_not_exist_is_an_error_that_names_it(path):
    with pytest.raises(ConfigError, match=r"x.toml: (list|number)"):
        override({"list": [1, 2], "number": 3}, [f"{path}=1"], "x.toml")


def test_a_config_survives_writing():
    config = {"a": 1e-08, "b": [{"type": "X", "c": [1, 2]}], "d": "ü\n\\", "e": True}
    assert tomllib.loads(dumps(config)) == config


def test_equal_configs_do_not_differ():
    config = {"a": {"b": [1, {"c": 2}]}}
    assert list(differences(config, config)) == []


def test_a_key_of_one_config_alone_differs():
    assert list(differences({"a": {}}, {"a": {"b": 1}})) == [("a.b", [None, 1])]


def test_an_assignment_that_nests_too_deeply_is_an_error():
    with pytest.raises(ConfigError, match=r"x\.toml: must not be nested 64 tables"):
        override({}, ["a." * 2_000 + "a=1"], "x.toml")


@pytest.mark.parametrize("value", ["[" * 100_000, "{a=" * 100_000, "9" * 10_000])
def test_an_assigned_value_that_is_not_toml_is_a_string(value):
    config = {}
    override(config, [f"a={value}"], "x.toml")
    assert config == {"a": value}


@pytest.mark.parametrize("text", ["a\nb", "\x1b[0m", '"', "\\", "\t", "ü", "\0", "\x7f"])
def test_values_and_keys_in_messages_are_toml(text):
    assert tomllib.loads(f"a = {toml_text({text: text})}".replace("\x7f", "\\u007f"))["a"] == {
        text: text
    }
