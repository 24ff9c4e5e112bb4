"use strict";
// azr view: the runs of a folder, and the report of those that are chosen, as they write.

const EVERY_MS = 2000, BEHIND_MS = 150, HIDDEN_MS = 15000;
const MEANING = {
  running: "a process works on it",
  finished: "it has made all its planned steps",
  stopped: "it ended on a checkpoint: azr train --resume goes on where it stood",
  dead: "it ended between two checkpoints: azr train --resume replays the steps after the last",
};
const view = { chosen: new URLSearchParams(location.hash.slice(1)).getAll("run"), version: "", rows: new Map(), step: -1, timer: 0 };

async function ask(path, query = []) {
  const answer = await fetch(`${path}?${new URLSearchParams(query)}`);
  if (answer.status === 204) return null;
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

const ago = (s) => (s < 100 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : s < 129600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`);
const left = (run) => (run.state === "running" && run.step && run.step_s && run.planned > run.step ? `, about ${ago((run.planned - run.step) * run.step_s)} left` : "");

// ------------------------------------------------------------ the list

function choose(names) {
  view.chosen = names;
  view.version = "";
  history.replaceState(null, "", `#${new URLSearchParams(names.map((name) => ["run", name]))}`);
  refresh();
}

function compare(name, isWanted) {
  const others = view.chosen.filter((chosen) => chosen !== name);
  choose(isWanted ? [...others, name] : others.length ? others : [name]);
}

function newRow(name) {
  const box = make("input", { type: "checkbox", "aria-label": `compare ${name}`, onchange: (event) => compare(name, event.target.checked) });
  const button = make("button", { class: "name", type: "button", title: "show this run alone", onclick: () => choose([name]) }, name);
  const cells = Object.fromEntries(["state", "steps", "sign", "time", "model"].map((key) => [key, make("td", { class: "soft", "data-label": { sign: "last sign", time: "a step" }[key] || key })]));
  const bar = make("i", {});
  const meter = make("div", { class: "meter", role: "progressbar", "aria-label": `steps of ${name}`, "aria-valuemin": 0 }, bar);
  const words = make("span", {});
  cells.steps.append(make("div", { class: "steps" }, meter, words));
  const line = make("tr", { class: "row" }, make("td", { "data-label": "compare" }, box), make("td", { "data-label": "run" }, button), ...Object.values(cells));
  return { line, box, button, cells, bar, meter, words };
}

function fillRow(row, run) {
  const isChosen = view.chosen.includes(run.name);
  const whole = Math.max(run.planned, run.step, 1);
  row.line.classList.toggle("chosen", isChosen);
  row.button.setAttribute("aria-current", String(isChosen));
  row.box.checked = isChosen;
  if (row.state !== run.state) row.cells.state.replaceChildren(make("span", { class: `pill ${run.state}`, title: MEANING[run.state] }, run.state));
  row.state = run.state;
  row.bar.style.setProperty("width", `${(100 * run.step) / whole}%`);
  row.meter.setAttribute("aria-valuemax", whole);
  row.meter.setAttribute("aria-valuenow", run.step);
  row.words.textContent = `${formats.number(run.step)} of ${run.planned ? formats.number(run.planned) : "?"}${left(run)}`;
  row.cells.sign.textContent = `${ago(run.quiet_s)} ago`;
  row.cells.time.textContent = isNumber(run.step_s) ? formats.seconds(run.step_s) : "–";
  row.cells.model.textContent = run.model.split("/").at(-1) || "–";
}

function showList({ folder, runs }) {
  const host = document.querySelector("#list .table-host");
  if (!runs.length) {
    view.rows.clear();
    host.replaceChildren(make("div", { class: "card" }, make("p", { class: "empty" }, `${folder} holds no run yet; azr train writes one, and it appears here`)));
    return;
  }
  if (!view.rows.size) {
    const widths = [["", "38px"], ["run", "24%"], ["state", "112px"], ["steps", "auto"], ["last sign", "110px"], ["a step", "90px"], ["model", "20%"]];
    const heads = widths.map(([title, width]) => make("th", { scope: "col", style: { width } }, title || make("span", { "aria-label": "compare" }, "")));
    host.replaceChildren(make("div", { class: "card" }, make("table", { class: "records" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody"))));
  }
  const body = host.querySelector("tbody");
  for (const run of runs) {
    if (!view.rows.has(run.name)) view.rows.set(run.name, newRow(run.name));
    fillRow(view.rows.get(run.name), run);
  }
  const lines = runs.map((run) => view.rows.get(run.name).line);
  if (lines.length === body.childElementCount && lines.every((line, i) => line === body.children[i])) return;
  const focused = document.activeElement; // a node that is moved loses it
  body.replaceChildren(...lines);
  if (body.contains(focused)) focused.focus({ preventScroll: true });
}

function say(text, isGone = false) {
  by("status").classList.toggle("gone", isGone);
  if (by("status").textContent !== text) by("status").textContent = text;
}

// ------------------------------------------------------------ the newest tasks

const cards = { key: "", before: "", next: null };

function cardFilters(host) {
  const select = (label, options) => choice(label, options, () => true).control;
  const controls = {
    mode: select("all modes", MODES.map((mode) => [mode, mode])),
    verdict: select("all verdicts", Object.entries(WORDS)),
    difficulty: select("any difficulty", [["none", "solved by none"], ["some", "solved by some"], ["all", "solved by all"]]),
    search: typed("search", "search programs, answers, reasons", () => true).control,
  };
  let timer = 0;
  for (const control of Object.values(controls)) {
    control.addEventListener(control.tagName === "SELECT" ? "change" : "input", () => { clearTimeout(timer); timer = setTimeout(() => turn(""), 250); });
  }
  if (!SOLO) controls.run = make("select", { "aria-label": "tasks of", onchange: () => turn("") }, ...RUNS.map((run) => make("option", { value: run.name }, run.name)));
  const newer = make("button", { class: "page newer", type: "button", hidden: "", onclick: () => turn("") }, "newer tasks");
  const turns = [make("button", { class: "page", type: "button", onclick: () => turn("") }, "← newest"), make("button", { class: "page", type: "button", onclick: () => turn(cards.next) }, "older →")];
  Object.assign(cards, { controls, newer, turns, grid: make("div", { class: "tasks" }) });
  host.replaceChildren(make("div", { class: "filters card" }, ...Object.values(controls), newer), cards.grid, make("div", { class: "pages" }, ...turns));
}

async function turn(before) {
  cards.before = before;
  const asked = Object.entries(cards.controls).map(([name, control]) => [name, control.value]);
  if (SOLO) asked.push(["run", RUNS[0].name]);
  const found = await ask("/api/cards", [...asked, ["before", before]]);
  if (cards.before !== before) return; // another page was asked for since
  cards.next = found.before;
  cards.newer.hidden = true;
  cards.turns[0].disabled = !before;
  cards.turns[1].disabled = !found.before;
  const empty = found.before ? "nothing in these steps; look at older ones" : "no task is recorded (logging.rollouts), or none matches";
  cards.grid.replaceChildren(...(found.cards.length ? found.cards.map(card) : [make("p", { class: "empty" }, empty)]));
}

// who reads a card keeps it; who does not sees the newest
function followCards() {
  const key = JSON.stringify([RUNS.map((run) => run.name), MODES]);
  if (key !== cards.key) cardFilters(document.querySelector("#cards .table-host"));
  const isRead = cards.before || cards.grid.querySelector("details[open]") || cards.grid.contains(document.activeElement);
  if (key === cards.key && isRead) cards.newer.hidden = false;
  else turn("");
  cards.key = key;
}

// ------------------------------------------------------------ following

function show({ page, version }) {
  view.version = version;
  if (!page) return; // steps wait to be read: the curves of the metrics are there already
  take(page);
  const names = page.runs.map((run) => run.name).join("\n");
  document.body.classList.remove("nothing");
  document.title = `${page.title} - azr view`;
  figures([]);
  if (view.shown !== names) about();
  view.shown = names;
  if (view.cards !== version) followCards();
  view.cards = version;
}

async function follow() {
  const list = await ask("/api/runs");
  const there = new Map(list.runs.map((run) => [run.name, run]));
  view.chosen = view.chosen.filter((name) => there.has(name));
  if (!view.chosen.length && list.runs.length) view.chosen = [list.runs[0].name];
  showList(list);
  document.body.classList.toggle("nothing", !view.chosen.length);
  if (!view.chosen.length) return EVERY_MS;
  const found = await ask("/api/page", [...view.chosen.map((name) => ["run", name]), ["since", view.version]]);
  if (found) show(found);
  const waiting = found ? found.waiting : 0;
  const [first] = view.chosen.map((name) => there.get(name));
  say(waiting ? `reading: ${formats.number(waiting)} steps to go` : view.chosen.length > 1 ? `${view.chosen.length} runs compared` : `${first.name}: step ${first.step}, ${first.state}`);
  return waiting ? BEHIND_MS : document.hidden ? HIDDEN_MS : EVERY_MS;
}

async function refresh() {
  const turnOf = (view.turn = (view.turn || 0) + 1); // a choice in between begins its own turns
  clearTimeout(view.timer);
  let wait = EVERY_MS;
  try {
    wait = await follow();
  } catch (error) {
    say(error instanceof TypeError ? "the server does not answer; this is what it said last" : error.message, true);
  }
  document.documentElement.dataset.ready = "yes";
  if (turnOf === view.turn) view.timer = setTimeout(refresh, wait);
}

// the address keeps the chosen runs, so a section is gone to by hand
function sections() {
  const link = ([id, title]) => make("a", { href: `#${id}`, onclick: (event) => { event.preventDefault(); by(id).tabIndex = -1; by(id).focus({ preventScroll: true }); by(id).scrollIntoView(); } }, title);
  const titles = { tasks: "Curriculum", learning: "Learning", decay: "Decay", machine: "Machine", cards: "Tasks" };
  document.querySelector(".key-bar").append(make("nav", { id: "sections", "aria-label": "sections" }, ...Object.entries(titles).map(link)));
}

document.body.classList.add("nothing");
sections();
by("answers").remove();
theme();
addEventListener("visibilitychange", () => document.hidden || refresh());
refresh();
