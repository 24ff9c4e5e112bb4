"use strict";
// Elements, numbers as text, and plots by uPlot. No text from a run is ever parsed as HTML:
// everything enters the page through textContent and setAttribute, and uPlot is given no text of a run but names.

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined).map((c) => (c instanceof Node ? c : String(c))));
  return node;
}

// Python text in pieces of [class, text]
const python = (code) => make("pre", {}, ...code.map(([kind, text]) => (kind ? make("span", { class: kind }, text) : text)));
const textOf = (code) => code.map(([, text]) => text).join("");

const isNumber = (v) => typeof v === "number" && Number.isFinite(v);
const palette = (i) => `c${i % 8}`;
const variable = (color) => `var(--${color})`;
const canvasColor = (color) => getComputedStyle(document.documentElement).getPropertyValue(`--${color}`).trim(); // #rrggbb

const formats = {
  number: (v) => {
    const size = Math.abs(v);
    if (size >= 10000) return v.toLocaleString("en", { maximumFractionDigits: 0 });
    if (size >= 100) return v.toFixed(0);
    return size >= 0.001 || v === 0 ? String(+v.toPrecision(3)) : v.toExponential(1);
  },
  reward: (v) => (v > 0 ? "+" : "") + v.toFixed(2),
  share: (v) => `${(100 * v).toFixed(Math.abs(v) < 0.1 && v !== 0 ? 1 : 0)} %`,
  seconds: (v) => (v >= 90 ? `${(v / 60).toFixed(1)} min` : `${v.toFixed(v < 10 ? 1 : 0)} s`),
};

const FEW = 40; // values that are shown as points as well
const BARS = 50; // of a stack: of a long run each is the mean of a stretch of steps
const HEIGHT = 178;

// lines: [{name, color, steps, curve}]
function linePlot(lines, form) {
  const format = formats[form];
  const [tables, series, bands] = [[], [], []];
  for (const { name, color, steps, curve } of lines) {
    const count = curve.mean.filter(isNumber).length;
    const spanGaps = count <= steps.length / 2; // an evaluation every tenth step is a curve too
    const add = (options) => series.push({ class: "unlisted", width: 0, points: { show: false }, spanGaps, ...options });
    if (curve.low) {
      add({});
      add({});
      bands.push({ series: [series.length - 1, series.length], fill: () => canvasColor(color) + "29" });
    }
    if (curve.raw) add({ width: 1, stroke: () => canvasColor(color) + "30" });
    const range = (i) => (curve.low && isNumber(curve.low[i]) ? ` [${format(curve.low[i])}, ${format(curve.high[i])}]` : "");
    add({
      class: "listed", label: name, color, width: 2, stroke: () => canvasColor(color),
      points: { show: count <= FEW, size: 5, fill: () => canvasColor(color) },
      spoken: (step) => { const i = steps.indexOf(step); return isNumber(curve.mean[i]) ? format(curve.mean[i]) + range(i) : "–"; },
    });
    tables.push([steps, ...[curve.high, curve.low, curve.raw, curve.mean].filter(Boolean)]);
  }
  return { data: uPlot.join(tables), series, bands, form, range: form === "share" ? shareRange : niceRange };
}

// parts: [{name, color, values}], shares of their sum; drawn as bars, the longest first, each over the last
function stackPlot(steps, parts) {
  const starts = Array.from({ length: Math.min(BARS, steps.length) + 1 }, (_, i) => Math.floor((i * steps.length) / Math.min(BARS, steps.length)));
  const stretches = starts.slice(1).map((end, i) => [starts[i], end]);
  const sums = parts.map(({ values }) => stretches.map(([from, end]) => values.slice(from, end).reduce((sum, v) => sum + (v || 0), 0)));
  const totals = stretches.map((_, i) => sums.reduce((sum, column) => sum + column[i], 0));
  const shares = sums.map((column) => column.map((v, i) => (totals[i] ? v / totals[i] : null)));
  const tops = shares.map((_, k) => totals.map((total, i) => (total ? shares.slice(k).reduce((sum, column) => sum + column[i], 0) : null)));
  const series = parts.map(({ name, color }, k) => ({
    class: "listed", label: name, color, width: 0, fill: () => canvasColor(color), points: { show: false },
    paths: uPlot.paths.bars({ size: [0.92, 60] }), spoken: (_, i) => (isNumber(shares[k][i]) ? formats.share(shares[k][i]) : "–"),
  }));
  return { data: [stretches.map(([, end]) => steps[end - 1]), ...tops], series, bands: [], form: "share", range: () => [0, 1], isStack: true };
}

const shareRange = (u, low, high) => niceRange(u, low, high).map((v) => Math.min(1, Math.max(0, v)));

// 0 belongs to the axis where values come near it
function niceRange(u, low, high) {
  if (low === null) return [0, 1];
  const room = 0.06 * (high - low || Math.abs(high) || 1);
  return [low >= 0 && low < 0.5 * high ? 0 : low - room, high + room];
}

function options(plot, width) {
  const axis = { stroke: () => canvasColor("faint"), font: "11px system-ui, sans-serif", ticks: { show: false } };
  const grid = { stroke: () => canvasColor("grid"), width: 1 };
  const [first, last] = [plot.data[0][0], plot.data[0].at(-1)];
  const side = plot.isStack || first === last ? (last - first || 2) / Math.max(2, 2 * plot.data[0].length - 2) : 0;
  const rest = plot.data[0].findLastIndex((_, i) => plot.data.slice(1).some((column) => isNumber(column[i])));
  const at = (i) => i ?? rest; // at rest: the last step that has a value
  return {
    width, height: HEIGHT, pxAlign: 0,
    scales: { x: { time: false, range: [first - side, last + side] }, y: { range: plot.range } },
    axes: [
      { ...axis, grid: { show: false }, size: 24, gap: 4, space: 60, incrs: [1, 2, 5].flatMap((m) => [1, 10, 100, 1e3, 1e4, 1e5].map((p) => m * p)).sort((a, b) => a - b), values: (u, ticks) => ticks.map((t) => (t >= first && t <= last ? t.toLocaleString("en") : "")) },
      { ...axis, grid, size: 50, gap: 6, space: 34, values: (u, ticks) => ticks.map((t) => formats[plot.form](t)) },
    ],
    series: [
      { label: "step", value: (u, v, k, i) => u.data[0][at(i)] },
      ...plot.series.map((s) => ({ ...s, value: (u, v, k, i) => (s.spoken ? s.spoken(u.data[0][at(i)], at(i)) : null) })),
    ],
    bands: plot.bands,
    legend: { markers: { width: 0, fill: (u, k) => (plot.series[k - 1]?.color ? variable(plot.series[k - 1].color) : null) } },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: !plot.isStack, size: 7 } },
    padding: [8, 10, 0, 0],
  };
}

const PLOTS = new Set();
const recolor = () => PLOTS.forEach((plot) => plot.redraw());
const dropPlots = () => { PLOTS.forEach((plot) => plot.destroy()); PLOTS.clear(); };

// A card with a plot that `draw()` describes, or null for one without data; returns what draws it again.
function addChart(grid, { title, unit, control, draw }) {
  const host = make("div", { class: "plot", tabindex: 0, role: "group", "aria-label": `${title}: left and right choose a step`, onkeydown: walk });
  grid.append(make("div", { class: "chart" }, make("div", { class: "head" }, make("h3", {}, title), control || make("span", { class: "about" }, unit)), host));
  let plot = null;

  function walk(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !plot) return;
    event.preventDefault();
    const steps = plot.data[0];
    const at = Math.min(steps.length - 1, Math.max(0, (plot.cursor.idx ?? steps.length) + by));
    plot.setCursor({ left: plot.valToPos(steps[at], "x"), top: 0 });
  }
  function redraw() {
    if (plot) PLOTS.delete(plot), plot.destroy();
    const drawn = draw();
    plot = drawn && new uPlot(options(drawn, host.clientWidth), drawn.data, host);
    if (plot) PLOTS.add(plot);
    host.replaceChildren(plot ? plot.root : make("p", { class: "empty" }, "no data in this run"));
  }
  new ResizeObserver(() => plot && plot.width !== host.clientWidth && requestAnimationFrame(() => plot.setSize({ width: host.clientWidth, height: HEIGHT }))).observe(host);
  return redraw;
}

const legendKey = ({ name, color }) => make("span", {}, make("i", { style: { background: variable(color) } }), name);
