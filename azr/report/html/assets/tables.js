"use strict";
// Tables: answers (filter, sort, page, open a row to see all of it), final figures of arms, and how measures fell.

const PAGE = 20;

// columns: [{title, width, value: record -> sortable, cell: record -> node, num}]
function recordTable(host, records, columns, total) {
  const sorted = { column: 0, down: true };
  const body = make("tbody");
  const heads = columns.map((column, i) =>
    make("th", { class: column.num ? "num" : null, scope: "col", style: { width: column.width }, onclick: () => sortBy(i) }, column.title));

  function sortBy(i) {
    sorted.down = sorted.column === i ? !sorted.down : true;
    sorted.column = i;
    list.begin();
  }
  function row(record) {
    const line = make("tr", { class: "row", tabindex: 0 }, ...columns.map((column) =>
      make("td", { class: column.num ? "num" : null, "data-label": column.title }, column.cell(record))));
    const toggle = () => {
      const next = line.nextSibling;
      if (next && next.classList.contains("detail")) next.remove();
      else line.after(make("tr", { class: "detail" }, make("td", { colspan: columns.length }, details(record))));
    };
    line.addEventListener("click", () => getSelection().isCollapsed && toggle());
    line.addEventListener("keydown", (event) => event.key === "Enter" && toggle());
    return line;
  }
  function show(page) {
    heads.forEach((head, i) => (i === sorted.column ? head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending") : head.removeAttribute("aria-sort")));
    body.replaceChildren(...(page.length ? page.map(row) : [make("tr", {}, make("td", { colspan: columns.length }, make("p", { class: "empty" }, "nothing matches")))]));
  }
  const list = pages(records, {
    size: PAGE,
    total,
    filters: [
      choice("all modes", modesOf(records.map((r) => r.story)), (r, mode) => r.story.mode === mode),
      choice("all verdicts", Object.entries(ANSWER_WORDS), (r, verdict) => r.verdict === verdict),
      typed("search", "search tasks, answers, reasons", (r, text) => r.search.includes(text)),
    ],
    order: (kept) => sortedBy(kept, columns[sorted.column].value, sorted.down ? -1 : 1),
    show,
  });
  host.replaceChildren(make("div", { class: "card" }, list.bar,
    make("div", { class: "scroll" }, make("table", { class: "records" }, make("thead", {}, make("tr", {}, ...heads)), body)), list.pager));
  list.begin();
}

function details(record) {
  const story = record.story;
  const part = (title, ...content) => make("div", {}, make("h3", {}, title), ...content);
  const cut = record.truncated ? ", cut at the limit" : "";
  return make("div", { class: "cols" },
    part("Program", python(story.program)), part("Input → output", casesOf(story), story.message ? make("p", { class: "message" }, story.message) : null),
    part(`Completion (${record.tokens} tokens${cut})`, plain(record.completion)),
    part(`Prompt (${record.prompt_tokens} tokens)`, plain(promptOf(record, story))));
}

function questionCell(r) {
  if (!r.story.shows_program) return make("div", {}, clip(r.story.question, 5), make("div", { class: "reason mono" }, "which f?"));
  return make("div", {}, clip(r.story.program, 5), make("div", { class: "reason mono" }, textOf(r.story.question)));
}

const answerColumns = [
  { title: "step", width: "62px", num: true, value: (r) => r.story.step, cell: (r) => r.story.step },
  { title: "mode", width: "112px", value: (r) => r.story.mode, cell: (r) => modeCell(r.story.mode) },
  { title: "task", width: "auto", value: (r) => textOf(r.story.program).length, cell: questionCell },
  { title: "expected", width: "17%", value: (r) => textOf(r.story.expected), cell: (r) => clip(r.story.expected, 5) },
  { title: "answered", width: "20%", value: (r) => textOf(r.given), cell: (r) => clip(r.given, 5) },
  { title: "verdict", width: "190px", value: (r) => r.verdict + r.why, cell: (r) => make("div", {}, pill(r.verdict, ANSWER_WORDS), make("div", { class: "reason" }, r.why)) },
  { title: "reward", width: "78px", num: true, value: (r) => r.reward, cell: (r) => formats.reward(r.reward) },
];

function answerTable(host, stories, total) {
  const records = stories.flatMap((story) => story.answers.map((answer) => ({ ...answer, story, search: [story.name, ...[story.program, story.expected, story.question].map(textOf), answer.why, answer.completion].join("\n").toLowerCase() })));
  if (records.length) recordTable(host, records, answerColumns, total);
  else host.replaceChildren(make("div", { class: "card" }, make("p", { class: "empty" }, "no answers were recorded")));
}

// ------------------------------------------------------------ final figures

function span(figure, format) {
  return isNumber(figure.low) ? make("small", {}, ` [${format(figure.low)}, ${format(figure.high)}]`) : null;
}

function figureCell(figure, row) {
  const format = row.form === "share" ? (v) => `${(100 * v).toFixed(1)}` : formats.number;
  return figure ? make("div", {}, format(figure.value) + (row.form === "share" ? " %" : ""), span(figure, format)) : "–";
}

function differenceCell(difference, row) {
  if (!difference) return null;
  const format = row.form === "share" ? (v) => (v > 0 ? "+" : "") + (100 * v).toFixed(1) : (v) => (v > 0 ? "+" : "") + formats.number(v);
  const isClear = isNumber(difference.low) && (difference.low > 0 || difference.high < 0);
  return make("div", { class: isClear ? "delta clear" : "delta" }, format(difference.value), span(difference, format));
}

function finalTable(host, arms, rows) {
  const head = make("tr", {}, make("th", { scope: "col" }, "at the end of training"), ...arms.map((arm, i) =>
    make("th", { scope: "col", class: "num" }, make("i", { class: "key", style: { background: variable(palette(i)) } }), arm.name,
      make("small", {}, arm.runs.length > 1 ? ` ${arm.runs.length} seeds` : ""))));
  const line = (row) => make("tr", { class: row.is_part ? "part" : null },
    make("th", { scope: "row" }, row.is_part ? row.title.split(", ").at(-1) : row.title, row.is_part ? null : make("small", {}, ` ${row.unit}`)),
    ...row.figures.map((figure, i) => make("td", { class: "num" }, figureCell(figure, row), i ? differenceCell(row.differences[i - 1], row) : null)));
  const wasOpen = Boolean(host.querySelector(".open")); // before these figures came
  const table = make("table", { class: wasOpen ? "finals open" : "finals" }, make("thead", {}, head), make("tbody", {}, ...rows.map(line)));
  const fold = make("button", { class: "more", type: "button", "aria-expanded": String(wasOpen) }, wasOpen ? "hide modes" : "show modes");
  fold.addEventListener("click", () => {
    const isOpen = table.classList.toggle("open");
    fold.setAttribute("aria-expanded", String(isOpen));
    fold.textContent = isOpen ? "hide modes" : "show modes";
  });
  if (rows.some((row) => row.is_part)) head.firstChild.append(" ", fold);
  host.replaceChildren(make("div", { class: "card scroll" }, table));
}

// ------------------------------------------------------------ how measures fell

const stepOf = (fall) => (fall.step === null ? "–" : `step ${fall.step}`);
const halfOf = (fall) => (fall.half_life === null ? "–" : `${formats.number(fall.half_life)} steps`);
const unsure = (fall) => (fall.is_certain ? null : make("small", {}, " uncertain"));

function fallCells(fall) {
  const format = formats[fall.form];
  const cells = [[format(fall.best), make("small", {}, ` step ${fall.best_step}`)], [format(fall.last)], [stepOf(fall), fall.step === null ? null : unsure(fall)], [halfOf(fall)]];
  return cells.map((cell) => make("td", { class: "num" }, ...cell));
}

function fallCell(fall) {
  if (!fall) return make("td", { class: "num" }, "");
  return make("td", { class: "num" }, make("div", {}, stepOf(fall), fall.step === null ? null : unsure(fall)), fall.half_life === null ? null : make("small", {}, `half-life ${halfOf(fall)}`));
}

function fallTable(host, runs) {
  const isSingle = runs.length === 1;
  const titles = [...new Set(runs.flatMap((run) => run.falls.map((fall) => fall.title)))];
  const heads = isSingle ? ["best", "at the end", "step of decay", "half-life"] : runs.map((run) => run.name);
  const named = (run, title) => run.falls.find((fall) => fall.title === title);
  const row = (title) => make("tr", {}, make("th", { scope: "row" }, title), ...(isSingle ? fallCells(named(runs[0], title)) : runs.map((run) => fallCell(named(run, title)))));
  const head = make("tr", {}, make("th", { scope: "col" }, "measure"), ...heads.map((name) => make("th", { scope: "col", class: "num" }, name)));
  host.replaceChildren(make("div", { class: "card scroll" }, make("table", { class: "falls finals" }, make("thead", {}, head), make("tbody", {}, ...titles.map(row)))));
}
