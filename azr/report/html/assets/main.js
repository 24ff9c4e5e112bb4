"use strict";
// The report: all that it shows is in the page.

function rollouts() {
  const render = (run) => {
    const [cards, table] = ["cards", "answers"].map((id) => document.querySelector(`#${id} .table-host`));
    if (run.stories.length) taskCards(cards, run.stories, run.totals.proposals);
    else cards.replaceChildren(make("div", { class: "card" }, make("p", { class: "empty" }, "this run kept no rollouts (logging.rollouts)")));
    answerTable(table, run.stories, run.totals.answers);
  };
  if (!SOLO) {
    const select = make("select", { "aria-label": "run", onchange: (event) => render(RUNS[event.target.value]) }, ...RUNS.map((r, i) => make("option", { value: i }, r.name)));
    document.querySelector("#cards .bar").append(select);
  }
  render(RUNS[0]);
}

take(JSON.parse(by("data").textContent));
theme();
figures(anyMetric());
about();
rollouts();
for (const section of document.querySelectorAll("section[hidden]")) section.remove();
document.documentElement.dataset.ready = "yes";
