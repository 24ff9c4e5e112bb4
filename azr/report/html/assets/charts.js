"use strict";
// Drawing: elements, scales and two kinds of plot. No text from a run is ever parsed as HTML:
// everything enters the page through textContent and setAttribute.

const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "line", "text", "circle", "rect", "polygon"].includes(tag);
  const node = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined).map((c) => (c instanceof Node ? c : String(c))));
  return node;
}

const isNumber = (v) => typeof v === "number" && Number.isFinite(v);
const mean = (values) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : null);
const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length ? (sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2) : null;
};

const formats = {
  number: (v) => {
    const size = Math.abs(v);
    if (size >= 10000) return v.toLocaleString("en", { maximumFractionDigits: 0 });
    if (size >= 100) return v.toFixed(0);
    if (size >= 1 || v === 0) return String(+v.toFixed(2));
    return size >= 0.001 ? String(+v.toFixed(4)) : v.toExponential(1);
  },
  reward: (v) => (v > 0 ? "+" : "") + v.toFixed(2),
  percent: (v) => `${(100 * v).toFixed(Math.abs(v) < 0.1 && v !== 0 ? 1 : 0)} %`,
  seconds: (v) => (v >= 90 ? `${(v / 60).toFixed(1)} min` : `${v.toFixed(v < 10 ? 1 : 0)} s`),
};

function niceTicks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 2.5, 5, 10].find((m) => m * power >= raw) || 10);
  const ticks = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) ticks.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return ticks;
}

// centred running mean over a 40th of the values, as azr.report.html.arms computes it; gaps stay gaps
function smooth(values) {
  const half = Math.max(1, values.length >> 6);
  return values.map((v, i) => (isNumber(v) ? mean(values.slice(Math.max(0, i - half), i + half + 1).filter(isNumber)) : null));
}

const SIZE = { height: 178, left: 46, right: 10, top: 8, bottom: 22 };

function frame(width, xs, low, high, format) {
  const svg = make("svg", { viewBox: `0 0 ${width} ${SIZE.height}`, height: SIZE.height, role: "img" });
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  const inner = width - SIZE.left - SIZE.right;
  const x = (v) => (first === last ? SIZE.left + inner / 2 : SIZE.left + ((v - first) / (last - first)) * inner);
  const y = (v) => SIZE.height - SIZE.bottom - ((v - low) / (high - low || 1)) * (SIZE.height - SIZE.bottom - SIZE.top);
  for (const tick of niceTicks(low, high, 4)) {
    svg.append(make("line", { class: tick === 0 && low < 0 ? "zero" : "grid", x1: SIZE.left, x2: width - SIZE.right, y1: y(tick), y2: y(tick) }));
    svg.append(make("text", { x: SIZE.left - 7, y: y(tick) + 4, "text-anchor": "end" }, format(tick)));
  }
  const steps = niceTicks(first, last, Math.max(2, Math.floor(width / 70))).filter((t) => Number.isInteger(t));
  for (const tick of first === last ? [first] : steps) svg.append(make("text", { x: x(tick), y: SIZE.height - 6, "text-anchor": "middle" }, tick));
  return { svg, x, y };
}

// series: [{name, color, x: steps, y: values, low, high, isSmooth}]; low and high may be missing
function drawLines(host, { series, format, zero }) {
  const values = series.flatMap((s) => [...s.y, ...(s.low || []), ...(s.high || [])]).filter(isNumber);
  if (!values.length) return empty(host);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (format === formats.percent) [low, high] = [Math.max(0, low), Math.min(1, high)];
  if (zero) [low, high] = [Math.min(0, low), Math.max(0, high)];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  if (!(zero && low === 0)) low -= room;
  high += room;
  const { svg, x, y } = frame(host.clientWidth, series.flatMap((s) => s.x), low, high, format);
  for (const s of series) svg.append(area(s, x, y, low, high));
  for (const s of series) {
    const known = s.y.filter(isNumber).length;
    const sparse = known <= s.y.length / 2 || known <= 40; // an evaluation every tenth step is a curve too
    if (!sparse && !s.isSmooth) svg.append(curve(s, s.y, x, y, "line raw"));
    svg.append(curve(s, sparse || s.isSmooth ? s.y : smooth(s.y), x, y, "line", known <= s.y.length / 2));
    if (known <= 40 && !s.isSmooth) s.y.forEach((v, i) => isNumber(v) && svg.append(make("circle", { cx: x(s.x[i]), cy: y(v), r: 2.6, style: { fill: s.color } })));
  }
  host.replaceChildren(svg);
  hover(svg, series, x, format);
}

// the band around a mean; what leaves the axis is cut there
function area(s, x, y, least, most) {
  if (!s.low) return make("g", {});
  const cut = (v) => y(Math.min(Math.max(v, least), most));
  const known = s.x.map((step, i) => [x(step), s.low[i], s.high[i]]).filter(([, low, high]) => isNumber(low) && isNumber(high));
  const points = [...known.map(([px, , high]) => [px, cut(high)]), ...known.reverse().map(([px, low]) => [px, cut(low)])];
  return make("polygon", { class: "band", points: points.map((p) => p.map((c) => c.toFixed(1)).join()).join(" "), style: { fill: s.color } });
}

function curve(series, values, x, y, kind, bridges = false) {
  let path = "";
  let drawing = false;
  values.forEach((v, i) => {
    if (isNumber(v)) path += `${drawing ? "L" : "M"}${x(series.x[i]).toFixed(1)} ${y(v).toFixed(1)}`;
    drawing = isNumber(v) || (bridges && drawing);
  });
  return make("path", { d: path, class: kind, style: { stroke: series.color } });
}

// at most `count` points: of a long run, means of equal stretches
function binned(s, count) {
  if (s.x.length <= count) return s;
  const starts = Array.from({ length: count }, (_, i) => Math.floor((i * s.x.length) / count));
  const cut = (list, i) => list.slice(starts[i], starts[i + 1]);
  return { ...s, x: starts.map((_, i) => cut(s.x, i).at(-1)), y: starts.map((_, i) => mean(cut(s.y, i).map((v) => v || 0))) };
}

// shares of a whole, stacked to 100 %
function drawStack(host, whole) {
  const series = whole.map((s) => binned(s, 50));
  const xs = series.length ? series[0].x : [];
  const totals = xs.map((_, i) => series.reduce((sum, s) => sum + (s.y[i] || 0), 0));
  if (!totals.some((t) => t > 0)) return empty(host);
  const { svg, x, y } = frame(host.clientWidth, xs, 0, 1, formats.percent);
  const reach = xs.length === 1 ? 30 : Math.min(30, (x(xs[1]) - x(xs[0])) / 4); // of a step that stands alone
  let floor = xs.map(() => 0);
  for (const s of series) {
    const roof = floor.map((f, i) => f + (totals[i] ? (s.y[i] || 0) / totals[i] : 0));
    for (const stretch of stretches(totals)) {
      const ends = stretch.length === 1 ? [[stretch[0], -reach], [stretch[0], reach]] : stretch.map((i) => [i, 0]);
      const edge = (heights) => ends.map(([i, aside]) => [x(xs[i]) + aside, y(heights[i])]);
      const points = [...edge(roof), ...edge(floor).reverse()];
      svg.append(make("polygon", { points: points.map((p) => p.map((c) => c.toFixed(1)).join()).join(" "), style: { fill: s.color, opacity: 0.85 } }));
    }
    floor = roof;
  }
  host.replaceChildren(svg);
  const shares = series.map((s) => ({ ...s, y: s.y.map((v, i) => (totals[i] ? (v || 0) / totals[i] : null)) }));
  hover(svg, shares, x, formats.percent);
}

// places of steps in a row that have something to share out
function stretches(totals) {
  const found = [];
  totals.forEach((total, i) => {
    if (!(total > 0)) return;
    if (found.length && found.at(-1).at(-1) === i - 1) found.at(-1).push(i);
    else found.push([i]);
  });
  return found;
}

function empty(host) {
  host.replaceChildren(make("p", { class: "empty" }, "no data in this run"));
}

function hover(svg, series, x, format) {
  const tip = document.getElementById("tip");
  const cross = make("line", { class: "cross", y1: SIZE.top, y2: SIZE.height - SIZE.bottom, visibility: "hidden" });
  const steps = [...new Set(series.flatMap((s) => s.x))].sort((a, b) => a - b);
  svg.append(cross);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const step = steps.reduce((best, s) => (Math.abs(x(s) - at) < Math.abs(x(best) - at) ? s : best), steps[0]);
    cross.setAttribute("x1", x(step));
    cross.setAttribute("x2", x(step));
    cross.setAttribute("visibility", "visible");
    const rows = series.map((s) => [s, s.x.indexOf(step)]).filter(([s, i]) => isNumber(s.y[i]));
    const band = (s, i) => (s.low && isNumber(s.low[i]) ? `  [${format(s.low[i])}, ${format(s.high[i])}]` : "");
    tip.replaceChildren(make("b", {}, `step ${step}`), ...rows.map(([s, i]) => make("div", {}, make("span", { class: "tip-key", style: { background: s.color } }), `${s.name}  ${format(s.y[i])}${band(s, i)}`)));
    tip.hidden = false;
    tip.style.left = `${Math.min(event.clientX + 16, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
  });
  svg.addEventListener("pointerleave", () => {
    tip.hidden = true;
    cross.setAttribute("visibility", "hidden");
  });
}

// a card with title, keys and a plot that is redrawn when its width changes
function addChart(grid, { title, about, keys, draw, control }) {
  const keyRow = keys ? make("div", { class: "legend keys" }) : null;
  const host = make("div", { class: "plot" });
  const card = make("div", { class: "chart" },
    make("div", { class: "head" }, make("h3", {}, title), control || make("span", { class: "about" }, about || "")),
    keyRow,
    host);
  grid.append(card);
  const redraw = () => {
    if (keyRow) keyRow.replaceChildren(...keys().map(legendKey));
    if (host.clientWidth) draw(host);
  };
  let width = 0;
  new ResizeObserver(() => {
    if (host.clientWidth !== width) {
      width = host.clientWidth;
      requestAnimationFrame(redraw); // not inside the observer: drawing changes sizes again
    }
  }).observe(host);
  return redraw;
}

const legendKey = ({ name, color }) => make("span", {}, make("i", { style: { background: color } }), name);
