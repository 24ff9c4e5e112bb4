"""`azr view` in a real browser: it follows, it fits, keys suffice, and text stays text."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azr.types import Role
from tests.browser import Browser, browsing
from tests.e2e.test_report_browser import attack
from tests.viewing import GrowingRun, growing, viewing

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("view") / "runs"


@pytest.fixture(scope="module")
def run(runs: Path) -> Iterator[GrowingRun]:
    other = growing(runs / "b-s1", steps=5, seed=1)
    other.grow(5)
    made = growing(runs / "a-s0", steps=30)
    made.start()
    made.grow(3)
    yield made
    made.die()


@pytest.fixture(scope="module")
def url(runs: Path, run: GrowingRun) -> Iterator[str]:
    with viewing(runs) as found:
        yield found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("profile")) as found:
        yield found


SHOWN = "document.querySelector('#status').textContent"
CARD = "(document.querySelector('.task .when') || {textContent: ''}).textContent"


@pytest.mark.parametrize("width", [420, 1360])
def test_a_run_is_followed_while_it_writes(
    browser: Browser, url: str, run: GrowingRun, width: int
) -> None:
    browser.open(url, width)
    browser.wait(f"{SHOWN} === 'a-s0: step {run.step}, running'")
    plots = browser.value("PLOTS.size")
    assert plots > 25
    browser.value("document.querySelector('#tasks-charts .plot').focus()")
    run.grow(2)
    browser.wait(f"{SHOWN} === 'a-s0: step {run.step}, running'")
    browser.wait(f"{CARD} === 'step {run.step}'")
    assert browser.value("PLOTS.size") == plots
    assert browser.value("[...PLOTS].every((plot) => plot.data[0].length > 3)")
    assert browser.value("document.activeElement.className") == "plot", "the focus stays"
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.value(overflow) == 0, "nothing is cut off"
    assert browser.complaints == []


def test_runs_are_chosen_and_compared_by_keyboard_and_have_their_roles(
    browser: Browser, url: str, run: GrowingRun
) -> None:
    browser.open(url, 1360)
    browser.wait(f"{SHOWN} === 'a-s0: step {run.step}, running'")
    roles = browser.roles()
    assert {
        ("checkbox", "compare a-s0"),
        ("button", "b-s1"),
        ("progressbar", "steps of a-s0"),
        ("heading", "Runs"),
        ("region", "Runs"),
        ("columnheader", "state"),
        ("navigation", "sections"),
        ("button", "light or dark"),
    } <= roles
    assert "status" in {role for role, _ in roles}
    modes = ("deduction, step", "abduction, step", "induction, step")
    assert any(role == "article" and name.startswith(modes) for role, name in roles)
    browser.value("document.querySelector('#theme').focus()")
    for _ in range(3):  # the first run's box, its name, the second run's box
        browser.press("Tab")
    assert browser.value("document.activeElement.ariaLabel") == "compare b-s1"
    browser.press(" ")
    browser.wait("document.querySelector('h1').textContent === 'a-s0 against b-s1'")
    assert "run=a-s0&run=b-s1" in browser.value("location.hash")
    assert browser.value("document.querySelectorAll('.falls thead th').length") == 3
    browser.press("Tab")
    browser.press("Enter")
    browser.wait("document.querySelector('h1').textContent === 'b-s1'")
    assert browser.value("document.querySelectorAll('.pill.dead, .pill.finished').length") == 1
    assert browser.complaints == []


def test_who_reads_a_card_keeps_it_and_is_told_of_newer_ones(
    browser: Browser, url: str, run: GrowingRun
) -> None:
    browser.open(f"{url}#run=a-s0", 1360)
    browser.wait(f"{CARD} === 'step {run.step}'")
    at = run.step
    browser.value("document.querySelector('.task details').open = true")
    run.grow(1)
    browser.wait("!document.querySelector('.newer').hidden")
    assert browser.value(CARD) == f"step {at}"
    browser.value("document.querySelector('.newer').click()")
    browser.wait(f"{CARD} === 'step {run.step}'")
    browser.value("document.querySelectorAll('#cards .pages button')[1].click()")
    browser.wait("!document.querySelectorAll('#cards .pages button')[0].disabled")


def test_what_a_model_wrote_is_text_here_too(
    browser: Browser, make_run: Callable[..., Path]
) -> None:
    hostile = make_run("hostile", 1, 0, (attack(Role.PROPOSER), attack(Role.SOLVER)))
    with viewing(hostile) as url:
        browser.open(url, 420)
        browser.wait("document.querySelectorAll('.task').length > 0")
        browser.value("document.querySelector('#cards input[type=search]').value = 'onerror'")
        browser.value("turn('')")
        browser.wait("document.querySelectorAll('.task').length === 1")
        assert browser.value("document.title") == "hostile - azr view"
        assert browser.value("document.querySelectorAll('main img, main script').length") == 0
        text = "document.querySelector('.task').textContent.includes('<script>document.title')"
        assert browser.value(text)
        refused = browser.value(
            "new Promise((done) => { addEventListener('securitypolicyviolation', () => done(true));"
            " document.body.append(Object.assign(document.createElement('script'),"
            " {textContent: 'document.title=1'})); })"
        )
        assert refused, "the policy lets no other script run"
