"""Pages that describe the code are those the code writes."""

import importlib.util
import re
import subprocess
import tomllib
from argparse import _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

import pytest

from azr.cli.main import make_parser
from azr.config.keys import describe

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROMISES = [ROOT / "SPECIFICATION.md", ROOT / "docs" / "method" / "features.md"]


def test_the_configuration_page_is_current() -> None:
    path = ROOT / "scripts" / "configuration_doc.py"
    spec = importlib.util.spec_from_file_location("configuration_doc", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page == module.render().rstrip("\n") + "\n", "run: make docs"


def test_every_make_target_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z-]+)", page.read_text()):
            assert target in targets, f"{page.name}: make {target}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_no_page_holds_two_versions_of_itself() -> None:
    marks = ("<<<<<<< ", ">>>>>>> ")
    for page in PAGES:
        assert [line for line in page.read_text().splitlines() if line.startswith(marks)] == []


def test_shell_scripts_parse() -> None:
    for script in [
        *(ROOT / "scripts").glob("*.sh"),
        *(ROOT / "deploy").glob("*.sbatch"),
        ROOT / ".ci" / "run",
    ]:
        subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("page", PROMISES, ids=lambda page: page.name)
def test_every_test_that_a_promise_names_exists(page: Path) -> None:
    text = page.read_text()
    known = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    for file, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?", text):
        assert (ROOT / file).exists(), f"{page.name}: {file}"
        assert not name or re.search(
            rf"def {name}\b|^{name} = ", known[ROOT / file], re.MULTILINE
        ), name
    for name in re.findall(r"`(test_\w+)`", text):
        assert any(f"def {name}(" in source for source in known.values()), f"{page.name}: {name}"


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each `azr` command of a page's blocks; a sentence may begin with azr, too."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```|^    (azr .*?)$", text, re.MULTILINE | re.DOTALL)
    for line in "\n".join(map("".join, blocks)).replace("\\\n", " ").splitlines():
        if words := re.match(r"azr ((?:(?!   |\s#).)+)", line):
            yield words[1].split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_have_flags_that_exist(page: Path) -> None:
    [subparsers] = (a for a in make_parser()[0]._actions if isinstance(a, _SubParsersAction))
    for name, *words in commands_in(page.read_text()):
        assert name in subparsers.choices, f"{page.name}: azr {name}"
        flags = [flag for a in subparsers.choices[name]._actions for flag in a.option_strings]
        for flag in (word.partition("=")[0] for word in words if word.startswith("--")):
            is_key = "--set" in flags and flag.removeprefix("--") in describe()
            assert flag in flags or is_key, f"{page.name}: azr {name} {flag}"


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "method").glob("*.md")), ids=lambda page: page.name
)
def test_keys_that_a_page_of_the_method_names_exist(page: Path) -> None:
    sections = {name.partition(".")[0] for name in describe() if "." in name}
    prefixes = {name.rpartition(".")[0] for name in describe()}
    for key in re.findall(r"`(\w+\.[\w.]+)\b(?!\*)", page.read_text()):
        if key.partition(".")[0] in sections:
            assert key in describe() or key in prefixes, f"{page.name}: {key}"


def test_the_table_of_packages_is_what_the_linter_keeps() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    rows = (ROOT / "ARCHITECTURE.md").read_text().partition("## The ten rows")[2]
    shown = [
        re.findall(r"`(\w+)`", line.split("|")[1])
        for line in re.findall(r"^\| `.*", rows, re.MULTILINE)
    ]
    kept = [re.findall(r"\w+", layer) for layer in layers]
    assert [name for row in shown for name in row] == [name for row in kept for name in row]
