"use strict";
// What is shown, and in which order.

const DATA = JSON.parse(document.getElementById("data").textContent);
const { runs: RUNS, arms: ARMS } = DATA;
const SOLO = RUNS.length === 1;
const KNOWN = ["deduction", "abduction", "induction", "error"]; // in this order; others after them
const NAMES = ARMS.flatMap((a) => Object.keys(a.metrics)).map((n) => /^(?:valid|accuracy\/solver)\/(\w+)$/.exec(n)).filter(Boolean).map((m) => m[1]);
const MODES = [...new Set([...KNOWN.filter((m) => NAMES.includes(m)), ...NAMES])];
const palette = (i) => `var(--c${i % 8})`;
const by = (id) => document.getElementById(id);
const plural = (count, word) => `${formats.number(count)} ${word}${count === 1 ? "" : "s"}`;

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

const values = (arm, name) => arm.metrics[name] || [];
const has = (name) => ARMS.some((arm) => values(arm, name).some(isNumber));

function series(arm, name, label, color) {
  const [low, high] = arm.bands[name] || [];
  return { name: label, color, x: arm.steps, y: values(arm, name), low, high, isSmooth: arm.smooth > 1 };
}

let focus = "*"; // a mode, when several runs are compared; `*` is all of them
function byMode(pattern) {
  const found = SOLO
    ? MODES.map((m) => series(ARMS[0], pattern(m), m, `var(--${m}, var(--c3))`))
    : ARMS.map((arm, i) => series(arm, pattern(focus), arm.name, palette(i)));
  return found.filter((s) => s.y.some(isNumber));
}

function byArm(matches) {
  return ARMS.flatMap((arm, i) => {
    const names = Object.keys(arm.metrics).filter(matches);
    return names.map((n, j) => series(arm, n, SOLO ? n : `${arm.name}${names.length > 1 ? ` ${n}` : ""}`, palette(SOLO ? j : i)));
  }).filter((s) => s.y.some(isNumber));
}

// ------------------------------------------------------------ tiles

function ends(values) {
  const seen = values.filter(isNumber);
  const n = Math.max(1, Math.min(10, Math.floor(seen.length / 4)));
  return seen.length ? { first: mean(seen.slice(0, n)), last: mean(seen.slice(-n)), n, steps: seen.length } : null;
}

function moved(label, arm, name, format) {
  const e = ends(values(arm, name));
  if (!e) return tile(label, "–", "no data");
  if (e.steps < 2) return tile(label, format(e.last), "one step");
  const up = e.last > e.first ? "up" : e.last < e.first ? "down" : "";
  return tile(label, [format(e.first), make("small", {}, " → "), make("span", { class: up }, format(e.last))],
    e.n > 1 ? `mean of the first and the last ${e.n} steps` : "first and last step");
}

const tile = (label, value, note) => make("div", { class: "tile" }, make("div", { class: "label" }, label), make("div", { class: "value" }, ...[value].flat()), make("div", { class: "note" }, note));

function tiles() {
  if (!SOLO) return by("tiles").remove();
  const [run, arm] = [RUNS[0], ARMS[0]];
  const times = values(arm, "time/step").filter(isNumber);
  const speed = median(values(arm, "perf/tokens_per_s").filter(isNumber));
  const { proposals, valid, programs } = run.totals;
  by("tiles").replaceChildren(
    tile("steps", [String(run.steps.length ? run.steps[run.steps.length - 1] : 0), make("small", {}, ` of ${run.planned}`)], times.length ? `${formats.seconds(times.reduce((a, b) => a + b, 0))} in all` : ""),
    moved("valid proposals", arm, "valid/*", formats.percent),
    moved("answers correct", arm, "accuracy/solver/*", formats.percent),
    moved("learnable tasks", arm, "learnable/*", formats.percent),
    tile("tasks made", proposals ? formats.number(valid) : "–", proposals ? `of ${plural(proposals, "proposal")}; ${plural(programs, "different program")}` : "no rollouts were kept"),
    moved("solver reward", arm, "reward/solver/*/mean", formats.reward),
    tile("seconds a step", times.length ? formats.number(median(times)) : "–", "median"),
    tile("tokens a second", speed === null ? "–" : formats.number(speed), "while playing, median"),
  );
}

// ------------------------------------------------------------ charts

const PHASES = { play: "var(--c0)", train: "var(--c3)", sync: "var(--c1)", evaluate: "var(--c2)", other: "var(--faint)" };
const DIFFICULTIES = { none: ["solved by none", "var(--bad)"], some: ["by some", "var(--c0)"], all: ["by all", "var(--good)"] };
const pct = formats.percent;

function lines(title, about, find, format = formats.number, zero = true) {
  return { title, about, draw: (host) => drawLines(host, { series: find(), format, zero }) };
}

const modeLines = (title, about, pattern, format, zero) => lines(title, about, () => byMode((m) => pattern.replace("*", m)), format, zero);
const ifAny = (pattern, chart) => (has(pattern) ? [chart] : []);

function taskCharts() {
  return [
    modeLines("New tasks", "valid proposals of a step", "curriculum/tasks/*"),
    modeLines("Different tasks so far", "in the whole run", "curriculum/distinct/*"),
    modeLines("Valid proposals", "share that runs, safe and deterministic", "valid/*", pct),
    ...(SOLO ? [difficultyChart()] : [
      modeLines("Solved by no trial", "share of new tasks", "curriculum/none/*", pct),
      modeLines("Solved by some trials", "share: those that teach", "curriculum/some/*", pct),
      modeLines("Solved by all trials", "share of new tasks", "curriculum/all/*", pct)]),
    modeLines("Mean solve rate", "over the trials of new tasks", "solve_rate/*", pct),
    modeLines("Novelty", "share never made before in the run", "curriculum/novel/*", pct),
    ...ifAny("ast_distance/*", modeLines("Distance from references", "AST edit distance, 0 to 1", "ast_distance/*", formats.number, false)),
    modeLines("Program length", "lines, mean of valid proposals", "lines/*"),
    modeLines("Learnability", "1 − solve rate, 0 when nobody solves it", "learnability/*"),
    ...intrinsicCharts(),
    ...(SOLO ? [stack("What becomes of proposals", "share of a step's proposals", outcomes()), stack("Why proposals were refused", "share of refusals", refusals())] : []),
  ];
}

function learningCharts() {
  return [
    modeLines("Answers correct", "share of solver answers", "accuracy/solver/*", pct),
    modeLines("Proposer reward", "mean of a step", "reward/proposer/*/mean", formats.reward, false),
    modeLines("Solver reward", "mean of a step", "reward/solver/*/mean", formats.reward, false),
    modeLines("Entropy of proposals", "nats a token", "entropy/proposer/*", formats.number, false),
    modeLines("Entropy of answers", "nats a token", "entropy/solver/*", formats.number, false),
    modeLines("Proposal length", "tokens, mean", "length/proposer/*/mean"),
    modeLines("Answer length", "tokens, mean", "length/solver/*/mean"),
    ...ifAny("length/solver/*/right", modeLines("Length of right answers", "tokens, mean", "length/solver/*/right")),
    ...ifAny("length/solver/*/wrong", modeLines("Length of wrong answers", "tokens, mean", "length/solver/*/wrong")),
  ];
}

function evaluationCharts() {
  const names = [...new Set(ARMS.flatMap((arm) => Object.keys(arm.metrics)))].filter((n) => /^eval\/.+\/pass@1$/.test(n)).sort();
  return names.map((name) => lines(name.split("/")[1], `pass@1; band: 95 % over ${SOLO ? "items" : "seeds, or items"}`, () => byArm((n) => n === name), pct, false));
}

function machineCharts() {
  return [
    SOLO ? stack("Where the time goes", "share of a step", phases()) : lines("Seconds a step", "", () => byArm((n) => n === "time/step"), formats.seconds),
    lines("Tokens a second", "sampled, while playing", () => byArm((n) => n === "perf/tokens_per_s")),
    lines("Mismatch", "|Δ log-probability|, engine against learner", () => byArm((n) => /mismatch(\/mean_abs)?$/.test(n))),
    lines("Gradient norm", "before clipping", () => byArm((n) => /(^|\/)grad_norm$/.test(n))),
    anyMetric(),
  ];
}

function intrinsicCharts() {
  const names = ARMS.flatMap((arm) => Object.keys(arm.metrics)).filter((n) => n.startsWith("intrinsic/*/"));
  return [...new Set(names)].sort().map((name) => modeLines(`Intrinsic: ${name.split("/").slice(2).join(" ").replaceAll("_", " ")}`, "mean of valid proposals", name));
}

function stack(title, about, parts) {
  return { title, about, keys: () => parts, draw: (host) => drawStack(host, parts) };
}

function difficultyChart() {
  const select = make("select", { "aria-label": "mode of difficulty" }, make("option", { value: "*" }, "all modes"), ...MODES.map((m) => make("option", { value: m }, m)));
  const parts = () => Object.entries(DIFFICULTIES).map(([key, [name, color]]) => series(ARMS[0], `curriculum/${key}/${select.value}`, name, color));
  return { title: "Difficulty", control: select, keys: parts, draw: (host) => drawStack(host, parts()) };
}

const phases = () => Object.entries(PHASES).map(([n, color]) => series(ARMS[0], `time/${n}`, n, color)).filter((s) => s.y.some(isNumber));

function largest(prefix, most, isKept = () => true) {
  const [arm] = ARMS;
  const size = (name) => values(arm, name).reduce((sum, v) => sum + (v || 0), 0);
  const names = Object.keys(arm.metrics).filter((n) => n.startsWith(prefix) && isKept(n)).sort((a, b) => size(b) - size(a));
  const rest = names.slice(most).map((n) => values(arm, n));
  return { names: names.slice(0, most), rest: rest.length ? arm.steps.map((_, i) => rest.reduce((sum, y) => sum + (y[i] || 0), 0)) : null };
}

function parts(prefix, colors) {
  const [arm] = ARMS;
  const { names, rest } = largest(prefix, 7);
  const spoken = (n) => n.slice(prefix.length).replaceAll("_", " ").replace(".", ": ");
  const found = names.map((n, i) => series(arm, n, spoken(n), n.endsWith("/passed") ? "var(--good)" : palette(colors[i % colors.length])));
  return rest ? [...found, { name: "other", color: "var(--faint)", x: arm.steps, y: rest }] : found;
}

const outcomes = () => parts("outcome/proposer/", [5, 1, 4, 3, 7, 6, 0, 2]);
const refusals = () => parts("refused/", [0, 1, 4, 3, 5, 6, 7, 2]);

function anyMetric() {
  const names = [...new Set(ARMS.flatMap((arm) => Object.keys(arm.metrics)))].sort();
  const select = make("select", { "aria-label": "metric" }, ...names.map((n) => make("option", { value: n }, n)));
  select.value = names.find((n) => n === "loss" || n.endsWith("/loss")) || names[0] || "";
  const draw = (host) => drawLines(host, { series: byArm((n) => n === select.value), format: formats.number, zero: false });
  return { title: "Any metric", control: select, draw };
}

function charts() {
  const groups = { tasks: taskCharts(), learning: learningCharts(), evaluation: evaluationCharts(), machine: machineCharts() };
  const redraws = Object.entries(groups).flatMap(([name, found]) => {
    const grid = by(`${name}-charts`);
    if (!found.length) grid.closest("section").remove();
    return found.map((chart) => {
      const redraw = addChart(grid, chart);
      if (chart.control) chart.control.addEventListener("change", redraw);
      return redraw;
    });
  });
  legend(redraws);
}

function legend(redraws) {
  const keys = SOLO ? MODES.map((m) => ({ name: m, color: `var(--${m}, var(--c3))` })) : ARMS.map((arm, i) => ({ name: arm.runs.length > 1 ? `${arm.name} (${arm.runs.length} seeds)` : arm.name, color: palette(i) }));
  const seeds = ARMS.filter((arm) => arm.runs.length > 1).map((arm) => arm.runs.length);
  const bands = seeds.length === 0 ? "" : Math.max(...seeds) > 2 ? "band: 95 % interval of the mean over seeds" + (seeds.includes(2) ? " (of two seeds: from one to the other)" : "") : "band: from one seed to the other";
  const smooth = Math.max(...ARMS.map((arm) => arm.smooth));
  by("legend").replaceChildren(...keys.map(legendKey));
  if (bands) by("bands").textContent = bands + (smooth > 1 ? `; running mean over ${smooth} steps` : "");
  if (!SOLO && MODES.length > 1) {
    const select = make("select", { "aria-label": "mode", onchange: (event) => { focus = event.target.value; redraws.forEach((r) => r()); } },
      make("option", { value: "*" }, "all modes"), ...MODES.map((m) => make("option", { value: m }, m)));
    by("legend").append(select);
  }
}

// ------------------------------------------------------------ tasks, answers, facts

function rollouts() {
  const render = (run) => {
    const [cards, table] = ["cards", "answers"].map((id) => document.querySelector(`#${id} .table-host`));
    if (run.stories.length) taskCards(cards, run.stories, run.totals);
    else cards.replaceChildren(make("div", { class: "card" }, make("p", { class: "empty" }, "this run kept no rollouts (logging.rollouts)")));
    answerTable(table, run.stories, run.totals.answers);
  };
  if (!SOLO) {
    const select = make("select", { "aria-label": "run", onchange: (event) => render(RUNS[event.target.value]) }, ...RUNS.map((r, i) => make("option", { value: i }, r.name)));
    document.querySelector("#cards .bar").append(select);
  }
  render(RUNS[0]);
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
if (SOLO) by("finals").remove();
else finalTable(document.querySelector("#finals .table-host"), ARMS, DATA.finals);
charts();
rollouts();
about();
document.documentElement.dataset.ready = "yes";
