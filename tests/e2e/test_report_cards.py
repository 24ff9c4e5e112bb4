"""The report's cards and answers in a real browser: filtered, searched, ordered, paged, opened."""

import html
import json
from pathlib import Path

import pytest

from azr.report.html import write_report
from tests.e2e.test_report_browser import PICKING, answer_of, browse, driven

pytestmark = pytest.mark.slow


def test_cards_are_filtered_searched_ordered_and_paged(
    browser: str, made_curriculum: Path, tmp_path: Path
) -> None:
    script = (
        PICKING
        + """
      const [mode, verdict, hard] = document.querySelectorAll("#cards .filters select");
      const order = document.querySelector("#cards select[aria-label=order]");
      const [from, to] = document.querySelectorAll("#cards input[type=number]");
      const search = document.querySelector("#cards input[type=search]");
      const cards = () => [...document.querySelectorAll(".task")];
      const every = (what) => cards().length && cards().every((c) => what.test(c.textContent));
      const out = { all: count("cards") };
      pick(mode, "abduction"); out.abduction = count("cards"); out.modes = every(/^abduction/);
      pick(verdict, "failed"); out.both = count("cards"); out.refused = every(/refused/);
      pick(mode, ""); pick(verdict, "");
      pick(hard, "none"); out.nobody = every(/nobody solved it/);
      pick(hard, "all"); out.everybody = every(/every trial solved it/); pick(hard, "");
      pick(from, "3"); pick(to, "4"); out.steps = every(/step [34]/); out.some = count("cards");
      pick(from, ""); pick(to, "");
      pick(search, "RAISED VALUEERROR"); out.found = count("cards");
      out.reason = every(/ValueError/);
      pick(search, "no such thing"); out.none = count("cards"); pick(search, "");
      pick(order, "oldest"); out.oldest = /step 1\\D/.test(cards()[0].textContent);
      pick(order, "hardest"); out.hardest = /nobody solved it/.test(cards()[0].textContent);
      pick(order, "newest"); out.newest = /step 12/.test(cards()[0].textContent);
      document.querySelectorAll("#cards .pages button")[1].click();
      out.page = document.querySelector("#cards .pages").firstChild.textContent.slice(0, 6);
      pick(verdict, "passed");
      out.answers = cards()[0].querySelectorAll(".answers li").length;
      cards()[0].querySelector("button.more").click();
      out.more = cards()[0].querySelectorAll(".answers li").length;
      const fold = cards()[0].querySelector(".answers details");
      fold.open = true; fold.dispatchEvent(new Event("toggle"));
      out.written = /Completion .*Let me see/s.test(fold.textContent);
      const theme = document.documentElement.dataset.theme;
      document.getElementById("theme").click();
      out.theme = theme !== document.documentElement.dataset.theme;
      return out;
    """
    )
    page = write_report([made_curriculum])
    dom, console = browse(browser, driven(page, script), tmp_path)
    assert console == ""
    found = json.loads(html.unescape(answer_of(dom)))
    total = found.pop("all")
    assert total > found.pop("abduction") > found.pop("both") > 0
    assert total > found.pop("some") > 0
    assert total > found.pop("found") > 0
    assert found.pop("none") == 0
    assert (found.pop("page"), found.pop("answers"), found.pop("more")) == ("page 2", 3, 5)
    assert found
    assert all(found.values()), found


def test_answers_are_filtered_sorted_and_opened(
    browser: str, made_curriculum: Path, tmp_path: Path
) -> None:
    script = (
        PICKING
        + """
      const [mode, verdict] = document.querySelectorAll("#answers select");
      const search = document.querySelector("#answers input");
      const out = { all: count("answers") };
      pick(mode, "deduction"); out.mode = count("answers");
      pick(verdict, "failed"); out.both = count("answers");
      out.why = rows("answers").some((r) => /expected \\{.*answered \\{/.test(r.textContent));
      pick(verdict, ""); pick(mode, ""); pick(search, "sum of all"); out.found = count("answers");
      out.literal = rows("answers").every((r) => /not a Python literal: sum/.test(r.textContent));
      pick(search, "");
      const heads = [...document.querySelectorAll("#answers th")];
      const reward = heads.find((h) => h.textContent === "reward");
      const rewards = () => rows("answers").map((r) => Number(r.lastChild.textContent));
      reward.click(); out.down = rewards().every((v, i, a) => !i || a[i - 1] >= v);
      reward.click(); out.up = rewards().every((v, i, a) => !i || a[i - 1] <= v);
      rows("answers")[0].click(); out.open = document.querySelectorAll("tr.detail").length === 1;
      rows("answers")[0].click(); out.closed = document.querySelectorAll("tr.detail").length === 0;
      return out;
    """
    )
    page = write_report([made_curriculum])
    dom, console = browse(browser, driven(page, script), tmp_path)
    assert console == ""
    found = json.loads(html.unescape(answer_of(dom)))
    assert found.pop("all") > found.pop("mode") > found.pop("both") > 0
    assert found.pop("found") > 0
    assert all(found.values()), found
