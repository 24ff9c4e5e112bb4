"use strict";
// Tables of rollouts: filter, sort, page, and open a row to see all of it.

const PAGE = 20;
const PYTHON = new RegExp(
  [
    "(?<com>#[^\\n]*)",
    "(?<str>[rbfuRBFU]{0,2}(?:\"\"\"[\\s\\S]*?(?:\"\"\"|$)|'''[\\s\\S]*?(?:'''|$)|\"(?:\\\\.|[^\"\\\\\\n])*\"?|'(?:\\\\.|[^'\\\\\\n])*'?))",
    "(?<def>\\b(?:def|class)[ \\t]+)(?<fn>\\w+)",
    "(?<kw>\\b(?:and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield|match|case|None|True|False)\\b)",
    "(?<bi>\\b(?:abs|all|any|bool|dict|enumerate|filter|float|int|isinstance|iter|len|list|map|max|min|next|ord|chr|print|range|repr|reversed|round|set|sorted|str|sum|tuple|type|zip|input|open|eval|exec)\\b(?=\\())",
    "(?<n>\\b(?:0[xXbBoO][\\da-fA-F_]+|\\d[\\d_]*(?:\\.\\d*)?(?:[eE][+-]?\\d+)?)\\b)",
  ].join("|"),
  "g",
);

function python(text) {
  const pre = make("pre", {});
  let at = 0;
  for (const match of text.matchAll(PYTHON)) {
    pre.append(text.slice(at, match.index));
    const g = match.groups;
    if (g.def) pre.append(make("span", { class: "kw" }, g.def), make("span", { class: "fn" }, g.fn));
    else {
      const kind = ["com", "str", "kw", "bi", "n"].find((k) => g[k]);
      pre.append(make("span", { class: kind }, match[0]));
    }
    at = match.index + match[0].length;
  }
  pre.append(text.slice(at));
  return pre;
}

const words = { passed: "passed", failed: "failed", ill_formed: "ill-formed" };
const clip = (node, text) => make("div", { class: text.split("\n").length > 6 || text.length > 420 ? "clip long" : "clip" }, node);
const pill = (record, good) => make("span", { class: `pill ${record.verdict}` }, record.verdict === "passed" ? good : words[record.verdict]);
const modeCell = (record) => make("span", { class: "mode" }, make("i", { style: { background: `var(--${record.mode})` } }), record.mode);
const plain = (text) => make("pre", {}, text);

function casesOf(cases) {
  return make("div", {}, ...cases.map(([given, value]) =>
    make("div", { class: "case" }, python(given), make("span", {}, "→"), python(value))));
}

function panel(title, ...content) {
  return make("div", {}, make("h3", {}, title), ...content);
}

function details(record) {
  const task = record.task;
  return make("div", { class: "cols" },
    task ? panel("Program", python(task.program)) : null,
    task ? panel(task.cases.length > 1 ? `Cases (${task.cases.length}; the first half is shown to the solver)` : "Input → output", casesOf(task.cases),
      task.message ? panel("Message", plain(task.message)) : null) : null,
    panel(`Completion (${record.tokens} tokens${record.truncated ? ", cut at the limit" : ""})`, python(record.completion)),
    panel(`Prompt (${record.prompt_tokens} tokens)`, plain(record.prompt)));
}

// columns: [{title, width, value: record -> sortable, cell: record -> node, num}]
function recordTable(host, records, columns, shown, total, good) {
  const state = { mode: "", verdict: "", text: "", column: 0, down: true, page: 0 };
  const body = make("tbody");
  const count = make("span", { class: "count" });
  const pages = make("div", { class: "pages" });
  const heads = columns.map((column, i) =>
    make("th", { class: column.num ? "num" : null, scope: "col", style: { width: column.width }, onclick: () => sortBy(i) }, column.title));

  function sortBy(i) {
    state.down = state.column === i ? !state.down : true;
    state.column = i;
    state.page = 0;
    render();
  }
  function chosen() {
    const text = state.text.toLowerCase();
    const value = columns[state.column].value;
    const kept = records.filter((r) =>
      (!state.mode || r.mode === state.mode) && (!state.verdict || r.verdict === state.verdict) &&
      (!text || r.search.includes(text)));
    const sign = state.down ? -1 : 1;
    return kept.map((r) => [value(r), r]).sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (a < b ? -1 : a > b ? 1 : 0);
    }).map(([, r]) => r);
  }
  function row(record) {
    const line = make("tr", { class: "row", tabindex: 0 }, ...columns.map((column) =>
      make("td", { class: column.num ? "num" : null }, column.cell(record))));
    const toggle = () => {
      const next = line.nextSibling;
      if (next && next.classList.contains("detail")) next.remove();
      else line.after(make("tr", { class: "detail" }, make("td", { colspan: columns.length }, details(record))));
    };
    line.addEventListener("click", () => getSelection().isCollapsed && toggle());
    line.addEventListener("keydown", (event) => event.key === "Enter" && toggle());
    return line;
  }
  function render() {
    const kept = chosen();
    const last = Math.max(0, Math.ceil(kept.length / PAGE) - 1);
    state.page = Math.min(state.page, last);
    heads.forEach((head, i) => (i === state.column ? head.setAttribute("aria-sort", state.down ? "descending" : "ascending") : head.removeAttribute("aria-sort")));
    const page = kept.slice(state.page * PAGE, (state.page + 1) * PAGE);
    body.replaceChildren(...(page.length ? page.map(row) : [make("tr", {}, make("td", { colspan: columns.length }, make("p", { class: "empty" }, "nothing matches")))]));
    count.textContent = `${kept.length} of ${shown}` + (total > shown ? `, a sample over all steps of ${total}` : "");
    const go = (by) => () => { state.page += by; render(); };
    pages.replaceChildren(`page ${state.page + 1} of ${last + 1}`,
      make("button", { class: "page", type: "button", disabled: state.page === 0 ? "" : null, onclick: go(-1) }, "← newer"),
      make("button", { class: "page", type: "button", disabled: state.page === last ? "" : null, onclick: go(1) }, "older →"));
    const [back, on] = pages.querySelectorAll("button");
    if (state.column !== 0 || !state.down) [back.textContent, on.textContent] = ["← back", "on →"];
  }
  const change = (key) => (event) => { state[key] = event.target.value; state.page = 0; render(); };
  const modes = [...new Set(records.map((r) => r.mode))];
  host.replaceChildren(make("div", { class: "card" },
    make("div", { class: "filters" },
      picker("all modes", modes.map((m) => [m, m]), change("mode")),
      picker("all verdicts", Object.entries({ ...words, passed: good }), change("verdict")),
      make("input", { type: "search", placeholder: "search programs, answers, reasons", "aria-label": "search", oninput: change("text") }),
      count),
    make("div", { class: "scroll" }, make("table", { class: "records" }, make("thead", {}, make("tr", {}, ...heads)), body)),
    pages));
  render();
}

function picker(all, choices, onchange) {
  return make("select", { onchange, "aria-label": all }, make("option", { value: "" }, all), ...choices.map(([value, name]) => make("option", { value }, name)));
}

const number = (key) => (r) => (isNumber(r[key]) ? r[key] : null);
const signed = (key) => (r) => (isNumber(r[key]) ? formats.reward(r[key]) : "–");
const reason = (r) => (r.reason ? make("div", { class: "reason" }, r.reason) : null);

function rateCell(r) {
  if (!isNumber(r.solve_rate)) return "–";
  return make("div", {}, formats.percent(r.solve_rate), make("div", { class: "meter" }, make("i", { style: { width: `${100 * r.solve_rate}%` } })));
}

function inputsCell(r) {
  if (!r.task) return make("span", { class: "reason" }, "–");
  const first = r.task.cases.slice(0, 2);
  const rest = r.task.cases.length - first.length;
  return make("div", {}, casesOf(first), rest > 0 ? make("div", { class: "reason" }, `and ${rest} more`) : null);
}

const stepColumn = { title: "step", width: "64px", num: true, value: (r) => r.step, cell: (r) => r.step };
const modeColumn = { title: "mode", width: "112px", value: (r) => r.mode, cell: modeCell };

const proposalColumns = [
  stepColumn,
  modeColumn,
  { title: "program", width: "auto", value: (r) => r.program.length, cell: (r) => clip(python(r.program), r.program) },
  { title: "input → output", width: "25%", value: (r) => (r.task ? r.task.cases.length : null), cell: inputsCell },
  { title: "outcome", width: "150px", value: (r) => r.verdict + r.reason, cell: (r) => make("div", {}, pill(r, "valid"), reason(r)) },
  { title: "solve rate", width: "92px", num: true, value: number("solve_rate"), cell: rateCell },
  { title: "reward", width: "78px", num: true, value: number("reward"), cell: signed("reward") },
];

const answerColumns = [
  stepColumn,
  modeColumn,
  { title: "task", width: "auto", value: (r) => (r.task ? r.task.program.length : null), cell: (r) => (r.task ? questionCell(r) : "–") },
  { title: "expected", width: "18%", value: (r) => r.expected, cell: (r) => clip(python(r.expected), r.expected) },
  { title: "given", width: "24%", value: (r) => r.given, cell: (r) => clip(python(r.given), r.given) },
  { title: "verdict", width: "140px", value: (r) => r.verdict + r.reason, cell: (r) => make("div", {}, pill(r, "correct"), reason(r)) },
  { title: "reward", width: "78px", num: true, value: number("reward"), cell: signed("reward") },
];

function questionCell(r) {
  const program = r.mode === "induction" ? casesText(r.task.cases.slice(0, Math.floor(r.task.cases.length / 2))) : r.task.program;
  const asked = { deduction: () => `f(${r.task.cases[0][0]}) = ?`, abduction: () => `f(?) = ${r.task.cases[0][1]}`, induction: () => "which f?", error: () => `f(${r.task.cases[0][0]}) raises ?` }[r.mode]();
  return make("div", {}, clip(python(program), program), make("div", { class: "reason mono" }, asked));
}

const casesText = (cases) => cases.map(([given, value]) => `f(${given}) = ${value}`).join("\n");
