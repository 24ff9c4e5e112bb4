"""The report in a real browser: it draws, it answers, and what a model wrote stays text."""

import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azr.report.html import write_report
from azr.types import Case, Experience, Mode, Prompt, Role, Rollout, Stream, Task, Verdict
from tests.curricula import make_curriculum

MakeRun = Callable[..., Path]
ATTACK = (
    "</script><script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\"><!--<script>"
    "javascript:alert(1)//'\"`${document.title='owned'}`]]>%SCRIPT%"
)

pytestmark = pytest.mark.slow


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
      const text = (found) => {{ answer.textContent = JSON.stringify(found); }};
      Promise.resolve((() => {{ {script} }})()).then(text);
    </script></body>"""
    copy = page.with_name("driven.html")
    copy.write_text(text.replace(policy[0], "").replace("</body>", extra))
    return copy


def drawn_in(browser: str, page: Path, folder: Path) -> dict[str, Any]:
    """Each plot by its title: what uPlot was given, and how much of the canvas has colour."""
    script = """
      return Object.fromEntries([...PLOTS].map((plot) => {
        const { width, height } = plot.ctx.canvas;
        const pixels = plot.ctx.getImageData(0, 0, width, height).data;
        const inked = pixels.filter((v, i) => i % 4 === 3 && v > 0).length / (width * height);
        const card = plot.root.closest(".chart");
        const { data, bands } = plot;
        const listed = plot.series.slice(1).filter((s) => s.class === "listed");
        return [card.querySelector("h3").textContent, { data, inked, bands: bands.length,
          names: listed.map((s) => s.label), legend: card.querySelector(".u-legend").innerText }];
      }));
    """
    dom, console = browse(browser, driven(page, script), folder)
    assert console == ""
    return json.loads(html.unescape(answer_of(dom)))


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


def test_the_report_draws_every_plot_and_card_without_a_complaint(
    browser: str, made_curriculum: Path, tmp_path: Path
) -> None:
    page = write_report([made_curriculum])
    dom, console = browse(browser, page, tmp_path)
    assert console == ""
    assert 'data-ready="yes"' in dom
    assert dom.count('class="tile"') == 8
    assert dom.count('class="task"') == 12, "a page of cards"
    assert dom.count('class="row"') == 20, "a page of answers"
    assert '<span class="kw">def</span> <span class="fn">f</span>' in dom
    plots = drawn_in(browser, page, tmp_path)
    assert len(plots) == dom.count('class="chart"') == 31, "every plot has data in a complete run"
    assert all(plot["inked"] > 0.01 for plot in plots.values())
    assert plots["Valid proposals"]["names"] == ["deduction", "abduction", "induction"]
    assert "step12" in re.sub(r"\s", "", plots["Valid proposals"]["legend"]), "at rest: the last"
    assert {"Difficulty", "Novel proposals", "Distance from references"} <= set(plots)
    assert "Intrinsic: complexity" in plots
    banded = {title for title, plot in plots.items() if plot["bands"]}
    assert banded == {"cruxeval-o, pass@1"}, "the evaluation's interval"
    shares = zip(*plots["Difficulty"]["data"][1:], strict=True)
    assert [max(column) for column in shares] == pytest.approx([1] * 12)


def test_what_a_run_did_not_measure_is_left_out(
    browser: str, make_run: MakeRun, tmp_path: Path
) -> None:
    dom, console = browse(browser, write_report([make_run(steps=3)]), tmp_path)
    assert console == ""
    assert dom.count("<canvas") == dom.count('class="chart"') == 27
    for words in (
        "<h3>Distance",
        "<h3>Intrinsic",
        '<section id="evaluation"',
        '<table class="finals',
    ):
        assert words not in dom


def test_seeds_are_compared_as_arms_with_bands_and_a_table(browser: str, tmp_path: Path) -> None:
    runs = [
        make_curriculum(tmp_path / f"{arm}-s{seed}", 12, seed + 9 * place)
        for place, arm in enumerate(("full", "frozen"))
        for seed in range(3)
    ]
    script = """
      const text = (css) => [...document.querySelectorAll(css)].map((n) => n.textContent);
      const out = { title: text("h1")[0], keys: text("#legend span"), bands: text("#bands")[0] };
      out.heads = text("#finals .finals thead th").slice(1);
      const accuracy = [...document.querySelectorAll("#finals .finals tr")]
        .find((row) => /^Answers correct/.test(row.textContent));
      out.cells = accuracy.querySelectorAll("td").length;
      out.differs = accuracy.querySelectorAll(".delta").length;
      out.hidden = getComputedStyle(document.querySelector("#finals .finals .part")).display;
      document.querySelector("#finals .finals button").click();
      out.open = getComputedStyle(document.querySelector("#finals .finals .part")).display;
      out.runs = document.querySelectorAll("#cards .bar option").length;
      const pick = document.querySelector("#cards .bar select");
      const name = () => document.querySelector(".task .name").textContent;
      const first = name(); pick.value = "3"; pick.dispatchEvent(new Event("change"));
      out.other = name() !== first;
      return out;
    """
    page = write_report(runs)
    plots = drawn_in(browser, page, tmp_path)
    assert len(plots) == 31
    assert {plot["bands"] for plot in plots.values()} == {2}, "every curve has its band"
    dom, _ = browse(browser, driven(page, script), tmp_path)
    found = json.loads(html.unescape(answer_of(dom)))
    assert found == {
        "title": "full against frozen",
        "keys": ["full (3 seeds)", "frozen (3 seeds)"],
        "bands": "band: 95 % interval of the mean over seeds",
        "heads": ["full 3 seeds", "frozen 3 seeds"],
        "cells": 2,
        "differs": 1,
        "hidden": "none",
        "open": "table-row",
        "runs": 6,
        "other": True,
    }


def test_runs_of_different_lengths_are_compared(
    browser: str, make_run: MakeRun, tmp_path: Path
) -> None:
    page = write_report([make_run("first", 4), make_run("second", 6, 1)])
    dom, console = browse(browser, page, tmp_path)
    assert console == ""
    assert "first against second" in dom
    assert "all modes" in dom
    assert dom.count("<canvas") == 27


@pytest.mark.parametrize("steps", [0, 1, 120])
def test_a_run_of_any_length_is_shown(
    browser: str, make_run: MakeRun, tmp_path: Path, steps: int
) -> None:
    dom, console = browse(browser, write_report([make_run(steps=steps)]), tmp_path)
    assert console == ""
    assert 'data-ready="yes"' in dom
    assert "NaN" not in re.sub(r'<script type="application/json".*?</script>', "", dom)


def test_shares_of_nothing_are_a_gap(browser: str, make_run: MakeRun, tmp_path: Path) -> None:
    """A step of solvers alone has no proposals: no line may lead across it."""
    run = make_run(steps=3)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    names = {name for row in rows for name in row if name.startswith("outcome/proposer/")}
    assert names
    rows[1] = {name: value for name, value in rows[1].items() if name not in names}
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plot = drawn_in(browser, write_report([run]), tmp_path)["What becomes of proposals"]
    assert len(plot["data"]) == 1 + len(names)
    assert [value is None for value in plot["data"][1]] == [False, True, False]
    assert plot["data"][1][0] == plot["data"][1][2] == 1


def test_a_plot_is_read_by_keyboard_and_follows_the_theme(
    browser: str, made_curriculum: Path, tmp_path: Path
) -> None:
    script = """
      const card = [...document.querySelectorAll(".chart")]
        .find((c) => c.querySelector("h3").textContent === "Valid proposals");
      const host = card.querySelector(".plot");
      const legend = () => card.querySelector(".u-legend").innerText;
      const press = (key) => host.dispatchEvent(new KeyboardEvent("keydown", { key }));
      const plot = [...PLOTS].find((p) => card.contains(p.root));
      const pixels = () => plot.ctx.canvas.toDataURL();
      const out = { focus: host.tabIndex, name: host.getAttribute("aria-label"), rest: legend() };
      const before = pixels();
      document.getElementById("theme").click();
      return new Promise((done) => setTimeout(() => {
        out.recoloured = pixels() !== before;
        press("ArrowLeft"); press("ArrowLeft");
        setTimeout(() => { out.back = legend(); done(out); }, 100);
      }, 100));
    """
    dom, console = browse(browser, driven(write_report([made_curriculum]), script), tmp_path)
    assert console == ""
    found = json.loads(html.unescape(answer_of(dom)))
    assert (found["focus"], found["recoloured"]) == (0, True)
    assert found["name"].startswith("Valid proposals")
    assert re.match(r"step12deduction\d+ %abduction\d+ %", found["rest"])
    assert re.match(r"step11deduction\d+ %abduction\d+ %", found["back"])


def test_what_a_model_wrote_is_shown_as_text_and_never_run(
    browser: str, make_run: MakeRun, tmp_path: Path
) -> None:
    page = write_report(
        [make_run("<b>x<%2fb>", 1, 0, (attack(Role.PROPOSER), attack(Role.SOLVER)))]
    )
    script = """
      rows("answers").forEach((row) => row.click());
      const search = document.querySelector("#cards input[type=search]");
      search.value = "onerror"; search.dispatchEvent(new Event("input"));
      const found = document.querySelectorAll(".task").length;
      for (const fold of document.querySelectorAll(".task details")) {
        fold.open = true; fold.dispatchEvent(new Event("toggle"));
      }
      return [document.title, found, document.querySelectorAll("img, b b, main script").length,
              [...document.querySelectorAll("main .task details pre")]
                .some((p) => p.textContent.includes("<script>document.title"))];
    """
    dom, console = browse(browser, driven(page, script), tmp_path)
    assert console == ""
    assert answer_of(dom) == '["&lt;b&gt;x&lt;%2fb&gt; - azr",1,0,true]'


def test_the_policy_of_the_page_runs_no_script_but_ours(
    browser: str, make_run: MakeRun, tmp_path: Path
) -> None:
    page = write_report([make_run(steps=1)])
    extra = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    page.write_text(page.read_text().replace("</body>", extra + "</body>"))
    dom, console = browse(browser, page, tmp_path)
    assert "<title>owned" not in dom
    assert "Content Security Policy" in console


PICKING = """
  const pick = (control, value) => {
    control.value = value;
    control.dispatchEvent(new Event(control.tagName === "INPUT" ? "input" : "change"));
  };
  const count = (id) => parseInt(document.querySelector(`#${id} .count`).textContent);
"""


@pytest.mark.parametrize("width", [420, 1360])
def test_the_page_is_never_wider_than_the_screen(
    browser: str, made_curriculum: Path, tmp_path: Path, width: int
) -> None:
    """In a frame, since a headless window is never narrower than 500 px."""
    page = write_report([made_curriculum, make_curriculum(tmp_path / "second", 4, 1)])
    around = tmp_path / "around.html"
    around.write_text(
        f"<iframe src={page.as_uri()} style='width:{width}px;height:2000px;border:0'></iframe>"
        "<pre id=answer></pre><script>setTimeout(() => {"
        "const page = document.querySelector('iframe').contentDocument.documentElement;"
        "answer.textContent = page.dataset.ready + ' ' + page.scrollWidth; }, 1500)</script>"
    )
    dom, _ = browse(browser, around, tmp_path, "--allow-file-access-from-files")
    ready, wide = answer_of(dom).split()
    assert ready == "yes"
    assert int(wide) <= width


def test_the_page_asks_the_network_for_nothing(
    browser: str, made_curriculum: Path, tmp_path: Path
) -> None:
    script = "return performance.getEntriesByType('resource').map((entry) => entry.name);"
    dom, _ = browse(browser, driven(write_report([made_curriculum]), script), tmp_path)
    assert answer_of(dom) == "[]"
