"use strict";
// What is shown, and in which order.

const DATA = JSON.parse(document.getElementById("data").textContent);
const RUNS = DATA.runs;
const SOLO = RUNS.length === 1;
const MODES = ["deduction", "abduction", "induction", "error"].filter((m) => RUNS.some((r) => Object.keys(r.metrics).some((k) => k.endsWith(`/${m}`) || k.includes(`/${m}/`))));
const palette = (i) => `var(--c${i % 8})`;
const by = (id) => document.getElementById(id);

function theme() {
  const root = document.documentElement;
  const wanted = new URLSearchParams(location.search).get("theme") || location.hash.replace("#theme=", "");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = ["dark", "light"].includes(wanted) ? wanted : null;
  const apply = () => { root.dataset.theme = chosen || (system.matches ? "dark" : "light"); };
  system.addEventListener("change", apply);
  by("theme").addEventListener("click", () => { chosen = root.dataset.theme === "dark" ? "light" : "dark"; apply(); });
  apply();
}

// ------------------------------------------------------------ series

const values = (run, name) => run.metrics[name] || [];
const series = (run, name, label, color) => ({ name: label, color, x: run.steps, y: values(run, name) });

// the mean over those modes that have a value, step by step
function averaged(run, names, label, color) {
  const columns = names.map((n) => values(run, n)).filter((c) => c.length);
  const y = run.steps.map((_, i) => mean(columns.map((c) => c[i]).filter(isNumber)));
  return { name: label, color, x: run.steps, y };
}

let focus = ""; // a mode, when several runs are compared
function byMode(pattern) {
  if (SOLO) return MODES.map((m) => series(RUNS[0], pattern(m), m, `var(--${m})`)).filter((s) => s.y.some(isNumber));
  const names = (focus ? [focus] : MODES).map(pattern);
  return RUNS.map((run, i) => averaged(run, names, run.name, palette(i)));
}

function byRun(matches) {
  return RUNS.flatMap((run, i) => {
    const names = Object.keys(run.metrics).filter(matches);
    return names.map((n, j) => series(run, n, SOLO ? n : `${run.name}${names.length > 1 ? ` ${n}` : ""}`, palette(SOLO ? j : i)));
  }).filter((s) => s.y.some(isNumber));
}

// ------------------------------------------------------------ tiles

function ends(values) {
  const seen = values.filter(isNumber);
  const n = Math.max(1, Math.min(3, Math.floor(seen.length / 2)));
  return seen.length ? { first: mean(seen.slice(0, n)), last: mean(seen.slice(-n)), n, steps: seen.length } : null;
}

function moved(label, run, names, format) {
  const e = ends(averaged(run, names, "", "").y);
  if (!e) return tile(label, "–", "no data");
  if (e.steps < 2) return tile(label, format(e.last), "one step");
  const up = e.last > e.first ? "up" : e.last < e.first ? "down" : "";
  return tile(label, [format(e.first), make("small", {}, " → "), make("span", { class: up }, format(e.last))],
    e.n > 1 ? `mean of the first and the last ${e.n} steps` : "first and last step");
}

const tile = (label, value, note) => make("div", { class: "tile" }, make("div", { class: "label" }, label), make("div", { class: "value" }, ...[value].flat()), make("div", { class: "note" }, note));

function tiles() {
  const run = RUNS[0];
  const times = values(run, "time/step").filter(isNumber);
  const speed = median(values(run, "perf/tokens_per_s").filter(isNumber));
  const proposals = run.batch * run.steps.length * MODES.length;
  const valid = MODES.flatMap((m) => values(run, `valid/${m}`)).reduce((sum, v) => sum + (v || 0), 0) * run.batch;
  by("tiles").replaceChildren(
    tile("steps", [String(run.steps.length ? run.steps[run.steps.length - 1] : 0), make("small", {}, ` of ${run.planned}`)], times.length ? `${formats.seconds(times.reduce((a, b) => a + b, 0))} in all` : ""),
    moved("proposer reward", run, MODES.map((m) => `reward/proposer/${m}/mean`), formats.reward),
    moved("solver reward", run, MODES.map((m) => `reward/solver/${m}/mean`), formats.reward),
    moved("valid proposals", run, MODES.map((m) => `valid/${m}`), formats.percent),
    moved("answers correct", run, MODES.map((m) => `accuracy/solver/${m}`), formats.percent),
    tile("tasks made", formats.number(Math.round(valid)), `valid, of ${formats.number(proposals)} proposals`),
    tile("seconds a step", times.length ? formats.number(median(times)) : "–", "median"),
    tile("tokens a second", speed === null ? "–" : formats.number(speed), "while playing, median"),
  );
}

// ------------------------------------------------------------ charts

const PHASES = { play: "var(--c0)", train: "var(--c3)", sync: "var(--c1)", other: "var(--faint)" };

function chartList() {
  const lines = (title, about, find, format, zero = true) => ({ title, about, draw: (host) => drawLines(host, { series: find(), format, zero }) });
  const pct = formats.percent;
  return [
    lines("Proposer reward", "mean of a step", () => byMode((m) => `reward/proposer/${m}/mean`), formats.reward, false),
    lines("Solver reward", "mean of a step", () => byMode((m) => `reward/solver/${m}/mean`), formats.reward, false),
    lines("Valid proposals", "share that runs, safe and deterministic", () => byMode((m) => `valid/${m}`), pct),
    lines("Answers correct", "share of solver answers", () => byMode((m) => `accuracy/solver/${m}`), pct),
    lines("Solve rate", "mean over valid proposals", () => byMode((m) => `solve_rate/${m}`), pct),
    lines("Learnability", "1 − solve rate, 0 when nobody solves it", () => byMode((m) => `learnability/${m}`), formats.number),
    lines("Proposal length", "tokens, mean", () => byMode((m) => `length/proposer/${m}/mean`), formats.number),
    lines("Answer length", "tokens, mean", () => byMode((m) => `length/solver/${m}/mean`), formats.number),
    lines("Entropy of proposals", "nats a token", () => byMode((m) => `entropy/proposer/${m}`), formats.number),
    ...(SOLO ? shares() : [lines("Seconds a step", "", () => byRun((n) => n === "time/step"), formats.seconds)]),
    lines("Tokens a second", "sampled, while playing", () => byRun((n) => n === "perf/tokens_per_s"), formats.number),
    lines("Mismatch", "|Δ log-probability|, engine against learner", () => byRun((n) => /mismatch(\/mean_abs)?$/.test(n)), formats.number),
    lines("Gradient norm", "before clipping", () => byRun((n) => /(^|\/)grad_norm$/.test(n)), formats.number),
  ];
}

function shares() {
  const run = RUNS[0];
  const phases = Object.entries(PHASES).map(([n, color]) => series(run, `time/${n}`, n, color)).filter((s) => s.y.some(isNumber));
  const prefix = "outcome/proposer/";
  const size = (name) => values(run, name).reduce((sum, v) => sum + (v || 0), 0);
  const kinds = Object.keys(run.metrics).filter((n) => n.startsWith(prefix)).sort((a, b) => size(b) - size(a)).slice(0, 8);
  const outcomes = kinds.map((n, i) => series(run, n, n.slice(prefix.length), n.endsWith("/passed") ? "var(--good)" : palette([5, 1, 4, 3, 7, 6, 0, 2][i % 8])));
  return [
    { title: "Where the time goes", about: "share of a step", keys: phases, draw: (host) => drawStack(host, { series: phases }) },
    { title: "What becomes of proposals", about: "share of a step's proposals", keys: outcomes, draw: (host) => drawStack(host, { series: outcomes }) },
  ];
}

function anyMetric() {
  const names = [...new Set(RUNS.flatMap((r) => Object.keys(r.metrics)))].sort();
  const select = make("select", { "aria-label": "metric" }, ...names.map((n) => make("option", { value: n }, n)));
  select.value = names.find((n) => n === "loss" || n.endsWith("/loss")) || names[0] || "";
  const draw = (host) => drawLines(host, { series: byRun((n) => n === select.value), format: formats.number, zero: false });
  return { title: "Any metric", control: select, draw };
}

function charts() {
  const grid = by("charts");
  const redraws = [...chartList(), anyMetric()].map((chart) => {
    const redraw = addChart(grid, chart);
    if (chart.control) chart.control.addEventListener("change", redraw);
    return redraw;
  });
  const keys = SOLO ? MODES.map((m) => ({ name: m, color: `var(--${m})` })) : RUNS.map((r, i) => ({ name: r.name, color: palette(i) }));
  by("legend").replaceChildren(...keys.map(legendKey));
  if (!SOLO && MODES.length > 1) {
    by("legend").append(picker("mean of all modes", MODES.map((m) => [m, m]), (event) => { focus = event.target.value; redraws.forEach((r) => r()); }));
  }
}

// ------------------------------------------------------------ tables and facts

function tables() {
  let run = RUNS[0];
  const render = () => {
    fill("proposals", run.proposals, proposalColumns, run.totals.proposer, "valid");
    fill("answers", run.answers, answerColumns, run.totals.solver, "correct");
  };
  if (!SOLO) {
    const select = make("select", { "aria-label": "run", onchange: (event) => { run = RUNS[event.target.value]; render(); } }, ...RUNS.map((r, i) => make("option", { value: i }, r.name)));
    document.querySelector("#proposals .bar").append(select);
  }
  render();
}

function fill(id, records, columns, total, good) {
  const host = document.querySelector(`#${id} .table-host`);
  for (const r of records) {
    r.search = [r.program, r.given, r.completion, r.reason, r.task && r.task.program].filter(Boolean).join("\n").toLowerCase();
  }
  if (records.length) recordTable(host, records, columns, records.length, total, good);
  else host.replaceChildren(make("div", { class: "card" }, make("p", { class: "empty" }, "this run kept no rollouts (logging.rollouts)")));
}

function about() {
  by("runs").replaceChildren(...RUNS.map((run) => make("div", { class: "card" }, SOLO ? null : make("h3", {}, run.name),
    make("div", { class: "facts" }, ...run.facts.map(([name, value]) => make("div", {}, make("span", {}, name), make("b", {}, value)))),
    make("details", {}, make("summary", {}, "configuration"), make("pre", {}, run.config)))));
}

theme();
by("title").textContent = DATA.title;
by("subtitle").textContent = DATA.subtitle;
by("footer").textContent = DATA.footer;
tiles();
charts();
tables();
about();
document.documentElement.dataset.ready = "yes";
