"use strict";
// Tasks as cards: the program, what it gives, how many solved it, and every answer beside its reason.

const CARDS = 12;
const WORDS = { passed: "valid", failed: "refused", ill_formed: "ill-formed", again: "asked again" };
const ANSWER_WORDS = { passed: "right", failed: "wrong", ill_formed: "ill-formed" };

const plain = (text) => make("pre", {}, text);
const dot = (mode) => make("i", { style: { background: variable(modeColor(mode)) } });

function clip(code, most = 7) {
  const text = textOf(code);
  return make("div", { class: text.split("\n").length > most || text.length > 70 * most ? "clip long" : "clip" }, python(code));
}

const modeCell = (mode) => make("span", { class: "mode" }, dot(mode), mode);
const pill = (verdict, words) => make("span", { class: `pill ${verdict}` }, words[verdict] || verdict);

// Filters: what the reader chooses, and whether a record is kept for it.
function choice(all, options, fits) {
  const control = make("select", { "aria-label": all }, make("option", { value: "" }, all), ...options.map(([value, name]) => make("option", { value }, name)));
  return { control, keep: (record) => !control.value || fits(record, control.value) };
}

function typed(type, words, fits) {
  const control = make("input", { type, min: type === "number" ? 0 : null, placeholder: words, "aria-label": words });
  return { control, keep: (record) => !control.value || fits(record, control.value.toLowerCase()) };
}

const modesOf = (stories) => [...new Set(stories.map((story) => story.mode))].map((mode) => [mode, mode]);

// What is left of records after the filters, `size` a page; `show` draws a page.
function pages(records, { size, filters, order, show, total }) {
  let page = 0;
  const count = make("span", { class: "count" });
  const pager = make("div", { class: "pages" });
  const turn = (by, words, isEnd) => make("button", { class: "page", type: "button", disabled: isEnd ? "" : null, onclick: () => { page += by; render(); } }, words);

  function render() {
    const kept = order(records.filter((record) => filters.every((filter) => filter.keep(record))));
    const last = Math.max(0, Math.ceil(kept.length / size) - 1);
    page = Math.min(page, last);
    show(kept.slice(page * size, (page + 1) * size));
    count.textContent = `${kept.length} of ${records.length}` + (total > records.length ? `, a sample of ${formats.number(total)}` : "");
    pager.replaceChildren(`page ${page + 1} of ${last + 1}`, turn(-1, "← back", page === 0), turn(1, "on →", page === last));
  }
  const begin = () => { page = 0; render(); };
  for (const { control } of filters) control.addEventListener(control.tagName === "SELECT" ? "change" : "input", begin);
  return { bar: make("div", { class: "filters" }, ...filters.map(({ control }) => control), count), pager, begin };
}

const sortedBy = (records, key, sign = 1) => records.map((r) => [key(r), r]).sort(([a], [b]) => sign * (a < b ? -1 : a > b ? 1 : 0)).map(([, r]) => r);

// filled when it is first opened: a report holds thousands of texts
function fold(title, fill) {
  const node = make("details", {}, make("summary", {}, ...[title].flat()));
  node.addEventListener("toggle", () => node.childElementCount === 1 && node.append(...fill()));
  return node;
}

function sampledText(r, prompt = r.prompt) {
  const cut = r.truncated ? ", cut at the limit" : "";
  return [
    make("h4", {}, `Completion (${r.tokens} tokens${cut}; reward ${formats.reward(r.reward)}, advantage ${formats.reward(r.advantage)})`), plain(r.completion),
    make("h4", {}, `Prompt (${r.prompt_tokens} tokens)`), plain(prompt)];
}

function casesOf(story) {
  const rows = story.cases.slice(0, 4).map(([given, value]) =>
    make("div", { class: "case" }, python([["", "f("], ...given, ["", ")"]]), make("span", {}, "→"), python(value)));
  const rest = story.cases.length - rows.length;
  return make("div", { class: "cases" }, ...rows, rest > 0 ? make("div", { class: "reason" }, `and ${rest} more`) : null);
}

function difficulty(story) {
  if (!isNumber(story.rate)) return "";
  return story.rate === 0 ? "none" : story.rate === 1 ? "all" : "some";
}

function rateLine(story) {
  if (!isNumber(story.rate)) return null;
  const words = { none: "nobody solved it", some: `${formats.share(story.rate)} of the trials solved it`, all: "every trial solved it" }[difficulty(story)];
  return make("div", { class: "rate" }, make("div", { class: `meter ${difficulty(story)}` }, make("i", { style: { width: `${100 * story.rate}%` } })),
    make("span", {}, words), make("span", { class: "reward" }, `reward ${formats.reward(story.proposal.reward)}`));
}

// a prompt that is empty is that of the first answer
const promptOf = (answer, story) => answer.prompt || story.answers[0].prompt;

function answerRow(answer, story) {
  return make("li", {}, fold([pill(answer.verdict, ANSWER_WORDS), make("span", { class: "why" }, answer.why)], () => sampledText(answer, promptOf(answer, story))));
}

function answersOf(story) {
  if (!story.answers.length) return null;
  const right = story.answers.filter((a) => a.verdict === "passed").length;
  const list = make("ul", {}, ...story.answers.slice(0, 3).map((a) => answerRow(a, story)));
  const rest = story.answers.slice(3);
  const more = rest.length ? make("button", { class: "more", type: "button", onclick: () => { list.append(...rest.map((a) => answerRow(a, story))); more.remove(); } }, `${rest.length} more`) : null;
  return make("div", { class: "answers" },
    make("h4", {}, `${right} of ${story.answers.length} recorded answers right${story.more ? ` (${story.more} are not in this report)` : ""}`),
    story.shows_program ? make("div", { class: "reason mono" }, textOf(story.question)) : make("div", { class: "reason" }, "The program is sought; the solver sees the first half of the cases."),
    list, more);
}

function card(story) {
  const isAgain = story.verdict === "again";
  return make("article", { class: "task", "aria-label": `${story.mode}, step ${story.step}, ${WORDS[story.verdict] || story.verdict}` },
    make("header", {}, modeCell(story.mode), make("span", { class: "when" }, `step ${story.step}${isAgain ? `, ${story.born ? `made in step ${story.born}` : "a seed"}` : ""}`),
      make("span", { class: "name mono" }, story.name), pill(story.verdict, WORDS)),
    clip(story.program, 14),
    story.cases.length ? casesOf(story) : null,
    story.message ? make("p", { class: "message" }, story.message) : null,
    rateLine(story),
    !isAgain && story.verdict !== "passed" ? make("p", { class: "refusal" }, story.why) : null,
    answersOf(story),
    story.proposal ? fold("the proposal as written", () => sampledText(story.proposal)) : null);
}

const ORDERS = {
  newest: (s) => -s.step,
  oldest: (s) => s.step,
  hardest: (s) => (isNumber(s.rate) ? s.rate : 2),
  easiest: (s) => (isNumber(s.rate) ? -s.rate : 2),
  longest: (s) => -textOf(s.program).split("\n").length,
};

function searchable(story) {
  const answers = story.answers.flatMap((a) => [textOf(a.given), a.why, a.completion]);
  const codes = [story.program, ...story.cases.flat()].map(textOf);
  return [story.name, ...codes, story.message, story.why, ...answers, story.proposal && story.proposal.completion].filter(Boolean).join("\n").toLowerCase();
}

function taskCards(host, stories, total) {
  for (const story of stories) story.search = searchable(story);
  const grid = make("div", { class: "tasks" });
  const order = make("select", { "aria-label": "order" }, ...Object.keys(ORDERS).map((o) => make("option", { value: o }, `${o} first`)));
  const { bar, pager, begin } = pages(stories, {
    size: CARDS,
    total,
    filters: [
      choice("all modes", modesOf(stories), (s, mode) => s.mode === mode),
      choice("all verdicts", Object.entries(WORDS), (s, verdict) => s.verdict === verdict),
      choice("any difficulty", [["none", "solved by none"], ["some", "solved by some"], ["all", "solved by all"]], (s, hard) => difficulty(s) === hard),
      typed("number", "from step", (s, step) => s.step >= Number(step)),
      typed("number", "to step", (s, step) => s.step <= Number(step)),
      typed("search", "search programs, answers, reasons", (s, text) => s.search.includes(text)),
      { control: order, keep: () => true },
    ],
    order: (kept) => sortedBy(kept, ORDERS[order.value]),
    show: (page) => grid.replaceChildren(...(page.length ? page.map(card) : [make("p", { class: "empty" }, "nothing matches")])),
  });
  bar.classList.add("card");
  host.replaceChildren(bar, grid, pager);
  begin();
}
