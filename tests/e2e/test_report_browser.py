"""The report in a real browser: it draws, it answers, and what a model wrote stays text."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from azr.report import write_report
from azr.types import Case, Experience, Mode, Prompt, Role, Rollout, Stream, Task, Verdict

MakeRun = Callable[..., Path]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ATTACK = (
    "</script><script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\"><!--<script>"
    "javascript:alert(1)//'\"`${document.title='owned'}`]]>%SCRIPT%"
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def browser() -> str:
    """The browser's path; only a person who says so may do without one."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and os.environ.get("AZR_WITHOUT_BROWSER") == "1":
        pytest.skip("AZR_WITHOUT_BROWSER=1: the report is not tested in a browser")
    if found is None:
        pytest.fail("no chromium found: apt-get install chromium, or set AZR_WITHOUT_BROWSER=1")
    return found


def browse(browser: str, page: Path, folder: Path, *flags: str) -> tuple[str, str]:
    """(the page's DOM after its scripts ran, what it wrote to the console)."""
    done = subprocess.run(
        [
            browser,
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--enable-logging=stderr", "--virtual-time-budget=4000", "--window-size=1360,2400"),
            f"--user-data-dir={folder / 'profile'}",
            *flags,
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, "\n".join(console)


def driven(page: Path, script: str) -> Path:
    """A copy in which a script of the test clicks about; its answer is in #answer."""
    text = page.read_text()
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', text)
    assert policy
    extra = f"""<script>
      const rows = (id) => [...document.querySelectorAll(`#${{id}} tr.row`)];
      const answer = document.body.appendChild(document.createElement("pre"));
      answer.id = "answer";
      answer.textContent = JSON.stringify((() => {{ {script} }})());
    </script></body>"""
    copy = page.with_name("driven.html")
    copy.write_text(text.replace(policy[0], "").replace("</body>", extra))
    return copy


def answer_of(dom: str) -> str:
    match = re.search(r'<pre id="answer">(.*?)</pre>', dom, re.DOTALL)
    assert match, "the page's scripts stopped before the test's"
    return match[1]


def attack(role: Role) -> Experience:
    """An experience in which every text is hostile."""
    stream: Stream = (role, Mode.DEDUCTION)
    rollout = Rollout(
        prompt=Prompt(role=stream[0], mode=stream[1], text=ATTACK, prefill=ATTACK),
        prompt_ids=(1,),
        completion_ids=(1,),
        rollout_logprobs=(-0.1,),
        completion=ATTACK,
        policy_version=0,
    )
    task = Task(
        mode=stream[1], program=ATTACK, cases=(Case(ATTACK, ATTACK),), message=ATTACK, born_step=1
    )
    return Experience(
        rollout=rollout,
        verdict=Verdict.PASSED,
        reward=1.0,
        reason=ATTACK,
        task=task,
        solve_rate=0.5,
    )


def test_the_report_draws_every_plot_and_table_without_a_complaint(
    browser: str, make_run: MakeRun, tmp_path: Path
) -> None:
    page = write_report([make_run("drawn", 6)])
    dom, console = browse(browser, page, tmp_path)
    assert console == ""
    assert 'data-ready="yes"' in dom
    assert dom.count('class="tile"') == 8
    assert dom.count('class="chart"') == 15
    assert dom.count("<svg") == 15, "every plot has data in a complete run"
    assert dom.count('class="line"') > 25
    assert dom.count("<polygon") >= 8, "time and outcome shares are stacked"
    assert dom.count('class="row"') == 40, "a page of proposals and one of answers"
    assert "72 of 72" in dom
    assert '<span class="kw">def </span><span class="fn">f</span>' in dom


def test_several_runs_are_compared(browser: str, make_run: MakeRun, tmp_path: Path) -> None:
    page = write_report([make_run("first", 4), make_run("second", 6, 1)])
    dom, console = browse(browser, page, tmp_path)
    assert console == ""
    assert "first against second" in dom
    assert "mean of all modes" in dom
    assert dom.count("<svg") == 14


@pytest.mark.parametrize("steps", [0, 1, 120])
def test_a_run_of_any_length_is_shown(
    browser: str, make_run: MakeRun, tmp_path: Path, steps: int
) -> None:
    dom, console = browse(browser, write_report([make_run(steps=steps)]), tmp_path)
    assert console == ""
    assert 'data-ready="yes"' in dom
    assert "NaN" not in re.sub(r'<script type="application/json".*?</script>', "", dom)


def test_what_a_model_wrote_is_shown_as_text_and_never_run(
    browser: str, make_run: MakeRun, tmp_path: Path
) -> None:
    page = write_report(
        [make_run("<b>x<%2fb>", 1, 0, (attack(Role.PROPOSER), attack(Role.SOLVER)))]
    )
    script = """
      for (const id of ["proposals", "answers"]) rows(id).forEach((row) => row.click());
      return [document.title, document.querySelectorAll("img, b b, main script").length,
              [...document.querySelectorAll("main pre")]
                .some((p) => p.textContent.includes("<script>document.title"))];
    """
    dom, console = browse(browser, driven(page, script), tmp_path)
    assert console == ""
    assert answer_of(dom) == '["&lt;b&gt;x&lt;%2fb&gt; - azr",0,true]'


def test_the_policy_of_the_page_runs_no_script_but_ours(
    browser: str, make_run: MakeRun, tmp_path: Path
) -> None:
    page = write_report([make_run(steps=1)])
    extra = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    page.write_text(page.read_text().replace("</body>", extra + "</body>"))
    dom, console = browse(browser, page, tmp_path)
    assert "<title>owned" not in dom
    assert "Content Security Policy" in console


def test_filters_sorting_paging_and_details_work(
    browser: str, make_run: MakeRun, tmp_path: Path
) -> None:
    page = write_report([make_run(steps=6)])
    script = """
      const [mode, verdict] = document.querySelectorAll("#proposals select");
      const count = () => parseInt(document.querySelector("#proposals .count").textContent);
      const pick = (select, value) => {
        select.value = value;
        select.dispatchEvent(new Event("change"));
      };
      const out = { all: count() };
      pick(mode, "abduction"); out.abduction = count();
      pick(verdict, "ill_formed"); out.both = count();
      out.right = rows("proposals").every((r) => /abduction.*ill-formed/s.test(r.textContent));
      pick(mode, ""); pick(verdict, "");
      const search = document.querySelector("#proposals input");
      search.value = "import of os"; search.dispatchEvent(new Event("input")); out.found = count();
      search.value = "no such thing"; search.dispatchEvent(new Event("input")); out.none = count();
      search.value = ""; search.dispatchEvent(new Event("input"));
      const heads = [...document.querySelectorAll("#proposals th")];
      const reward = heads.find((h) => h.textContent === "reward");
      const rewards = () => rows("proposals").map((r) => Number(r.lastChild.textContent));
      reward.click(); out.down = rewards().every((v, i, a) => !i || a[i - 1] >= v);
      reward.click(); out.up = rewards().every((v, i, a) => !i || a[i - 1] <= v);
      document.querySelectorAll("#proposals .pages button")[1].click();
      out.page = document.querySelector("#proposals .pages").firstChild.textContent;
      rows("proposals")[0].click(); out.open = document.querySelectorAll("tr.detail").length;
      rows("proposals")[0].click(); out.closed = document.querySelectorAll("tr.detail").length;
      const theme = document.documentElement.dataset.theme;
      document.getElementById("theme").click();
      out.theme = theme !== document.documentElement.dataset.theme;
      return out;
    """
    dom, console = browse(browser, driven(page, script), tmp_path)
    assert console == ""
    text = answer_of(dom)
    for fact in (
        *('"all":72', '"abduction":24', '"right":true', '"none":0', '"down":true', '"up":true'),
        *('"page":"page 2 of 4"', '"open":1', '"closed":0', '"theme":true'),
    ):
        assert fact in text, text
    assert 0 < int(re.findall(r'"both":(\d+)', text)[0]) < 24
    assert 0 < int(re.findall(r'"found":(\d+)', text)[0]) < 72
