"use strict";
// What is shown of a run or of several, by the report and by azr view: both `take` data and show it.

let DATA, RUNS, ARMS, MODES, SOLO;
function take(data) {
  DATA = data;
  ({ runs: RUNS, arms: ARMS, modes: MODES } = data);
  SOLO = RUNS.length === 1;
}

const by = (id) => document.getElementById(id);
const modeColor = (mode) => palette(Math.max(0, MODES.indexOf(mode)));

function theme() {
  const root = document.documentElement;
  const wanted = new URLSearchParams(location.search).get("theme") || location.hash.replace("#theme=", "");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = ["dark", "light"].includes(wanted) ? wanted : null;
  const apply = () => { root.dataset.theme = chosen || (system.matches ? "dark" : "light"); recolor(); };
  system.addEventListener("change", apply);
  by("theme").addEventListener("click", () => { chosen = root.dataset.theme === "dark" ? "light" : "dark"; apply(); });
  apply();
}

function tile({ title, form, values, note }) {
  const format = formats[form];
  const [first, last] = values;
  const way = last > first ? "up" : last < first ? "down" : "";
  const value = values.length === 2 ? [format(first), make("small", {}, " → "), make("span", { class: way }, format(last))] : [values.length ? format(first) : "–"];
  return make("div", { class: "tile" }, make("div", { class: "label" }, title), make("div", { class: "value" }, ...value), make("div", { class: "note" }, note));
}

// ------------------------------------------------------------ charts

let focus = "*"; // a mode, when several runs are compared; `*` is all of them

function modePicker(label, onchange) {
  return make("select", { "aria-label": label, onchange: (event) => onchange(event.target.value) }, make("option", { value: "*" }, "all modes"), ...MODES.map((m) => make("option", { value: m }, m)));
}

// of one run a line for each mode, of several one for each arm
function lines(metric, form) {
  const line = (arm, mode, name, color) => ({ name, color, steps: arm.steps, curve: arm.curves[metric.replace("*", mode)] });
  const all = SOLO && metric.includes("*") ? MODES.map((mode) => line(ARMS[0], mode, mode, modeColor(mode))) : ARMS.map((arm, i) => line(arm, focus, arm.name, palette(i)));
  const known = all.filter(({ curve }) => curve);
  return known.length ? linePlot(known, form) : null;
}

function stacked(parts, mode) {
  const [arm] = ARMS;
  const values = (name) => { const curve = arm.curves[name.replace("*", mode)]; return curve ? curve.raw || curve.mean : []; };
  const sums = parts.map(({ name, color, metrics }) => ({ name, color, values: arm.steps.map((_, i) => metrics.reduce((sum, m) => sum + (values(m)[i] || 0), 0)) }));
  return sums.some((part) => part.values.some((v) => v > 0)) ? stackPlot(arm.steps, sums) : null;
}

// what is drawn follows `take`: a chart that stays is drawn again, not made anew
function describe(chart) {
  let mode = "*";
  const described = { ...chart, draw: () => (described.parts.length ? stacked(described.parts, mode) : lines(described.metric, described.form)) };
  if (chart.parts.some((part) => part.metrics.some((m) => m.includes("*")))) described.control = modePicker(`mode of ${chart.title}`, (chosen) => { mode = chosen; described.redraw(); });
  return described;
}

function anyMetric() {
  const names = [...new Set(ARMS.flatMap((arm) => Object.keys(arm.curves)))].sort();
  const described = { section: "machine", title: "Any metric", draw: () => lines(described.control.value, "number") };
  described.control = make("select", { "aria-label": "metric", onchange: () => described.redraw() }, ...names.map((n) => make("option", { value: n }, n)));
  described.control.value = names.find((n) => n === "loss") || names[0];
  return names.length ? [described] : [];
}

const drawn = { key: "", charts: [] };

function charts(more = []) {
  const key = JSON.stringify([MODES, ARMS.map(({ name, runs, window }) => [name, runs, window]), DATA.charts.map(({ section, title, parts }) => [section, title, parts.length])]);
  if (key === drawn.key) DATA.charts.forEach((chart, i) => Object.assign(drawn.charts[i], chart));
  else makeCharts([...DATA.charts.map(describe), ...more]);
  drawn.key = key;
  for (const chart of drawn.charts) chart.redraw();
}

function makeCharts(all) {
  dropPlots();
  for (const grid of document.querySelectorAll(".charts")) grid.replaceChildren();
  for (const chart of all) chart.redraw = addChart(by(`${chart.section}-charts`), chart);
  for (const grid of document.querySelectorAll(".charts")) grid.closest("section").hidden = !grid.childElementCount;
  drawn.charts = all;
  legend(() => all.forEach((chart) => chart.redraw()));
}

function legend(redraw) {
  const keys = SOLO ? MODES.map((m) => ({ name: m, color: modeColor(m) })) : ARMS.map((arm, i) => ({ name: arm.runs.length > 1 ? `${arm.name} (${arm.runs.length} seeds)` : arm.name, color: palette(i) }));
  const seeds = ARMS.map((arm) => arm.runs.length).filter((count) => count > 1);
  const window = Math.max(...ARMS.map((arm) => arm.window));
  const words = [];
  if (Math.max(0, ...seeds) > 2) words.push("band: 95 % interval of the mean over seeds" + (seeds.includes(2) ? " (of two seeds: from one to the other)" : ""));
  else if (seeds.length) words.push("band: from one seed to the other");
  if (window > 1) words.push(`running mean over ${window} steps`);
  by("legend").replaceChildren(...keys.map(legendKey));
  by("bands").textContent = words.join("; ");
  if (!SOLO && MODES.length > 1) by("legend").append(modePicker("mode", (chosen) => { focus = chosen; redraw(); }));
}

// ------------------------------------------------------------ facts, and all together

function about() {
  by("runs").replaceChildren(...RUNS.map((run) => make("div", { class: "card" }, SOLO ? null : make("h3", {}, run.name),
    make("div", { class: "facts" }, ...run.facts.map(([name, value]) => make("div", {}, make("span", {}, name), make("b", {}, value)))),
    make("details", {}, make("summary", {}, "configuration"), plain(run.config)))));
}

function figures(more) {
  by("title").textContent = DATA.title;
  by("subtitle").textContent = DATA.subtitle;
  by("footer").textContent = DATA.footer;
  by("tiles").replaceChildren(...DATA.tiles.map(tile));
  by("finals").hidden = SOLO;
  if (!SOLO) finalTable(document.querySelector("#finals .table-host"), ARMS, DATA.finals);
  by("decay").hidden = !RUNS.some((run) => run.falls.length);
  fallTable(document.querySelector("#decay .table-host"), RUNS);
  charts(more);
}
