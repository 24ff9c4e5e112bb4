"use strict";
// A program as coloured text. One linear pass of one expression; whatever it does not know stays plain.

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
