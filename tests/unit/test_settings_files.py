"""Files of settings as editors leave them, and the tables in them."""

from pathlib import Path

import pytest

from azr.config.loading import load, to_toml
from azr.errors import ConfigError
from tests.unit.test_settings import write


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_files_of_any_editor_are_read(tmp_path: Path, mark: str, end: str) -> None:
    file = tmp_path / "a.toml"
    text = end.join(["steps = 3 # é", "[learner]", "lr = 1e-3", ""])
    file.write_bytes((mark + text).encode())
    assert load([file]).learner.lr == 1e-3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_another_encoding_is_told_in_one_line(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding != "latin-1" else ""
    file = tmp_path / "a.toml"
    file.write_bytes(f"{mark}steps = 3 # é".encode(encoding))
    words = "not valid TOML" if encoding == "latin-1" else "save it as UTF-8"
    with pytest.raises(ConfigError, match=words) as refusal:
        load([file])
    assert "\n" not in str(refusal.value)


def test_a_folder_is_no_configuration_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory"):
        load([tmp_path])


KWARGS = "selfplay.chat_template_kwargs"


@pytest.mark.parametrize(
    "text", ['{"enable_thinking": false, "level": 2}', "{enable_thinking = false, level = 2}"]
)
def test_arguments_of_the_chat_template_are_a_table(tmp_path: Path, text: str) -> None:
    on = ("selfplay.chat_template", "true")
    expected = {"enable_thinking": False, "level": 2}
    config = load([], [on, (KWARGS, text)])
    assert config.selfplay.chat_template_kwargs == expected
    assert load([write(tmp_path, to_toml(config))]) == config
    table = "[selfplay]\nchat_template = true\nenvelope = 'r1'\n[selfplay.chat_template_kwargs]\n"
    file = write(tmp_path, table + "enable_thinking = false\nlevel = 2\n", "b.toml")
    assert load([file]).selfplay.chat_template_kwargs == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("enable_thinking", "must be a table"),
        ("[1]", "must be a table"),
        ("3", "must be a table"),
        ('{"tools": "x"}', "must be arguments of the template, got 'tools'"),
        ('{"a b": 1}', "must be arguments of the template, got 'a b'"),
        ('{"a": [1]}', r"must be a table of texts, numbers, true or false, got \{'a': \[1\]\}"),
        ('{"a": null}', r"must be a table of texts, numbers, true or false, got \{'a': None\}"),
    ],
)
def test_other_arguments_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load([], [("selfplay.chat_template", "true"), (KWARGS, text)])
    with pytest.raises(ConfigError, match=r"must be left out|must be"):
        load([], [(KWARGS, text)])


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("rollout.temperatures", r"a table of numbers, got \{'solver/deduction': True\}"),
        ("learner.entropy_targets", r"a table of numbers, at least 0, got"),
    ],
)
def test_a_table_of_numbers_is_refused_by_what_it_may_hold(key: str, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key} must be {words}"):
        load([], [(key, '{"solver/deduction" = true}')])
