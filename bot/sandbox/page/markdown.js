// The markdown block: headings, lists, quotes, code, rules, links, emphasis. Pure; HTML in it is text.
import { withEmoji } from "./emoji.js";
import { escape, html, link, trusted } from "./html.js";

const INLINE = [
  [/\*\*(?=\S)(.+?)(?<=\S)\*\*/g, "<strong>$1</strong>"],
  [/__(?=\S)(.+?)(?<=\S)__/g, "<strong>$1</strong>"],
  [/~~(?=\S)(.+?)(?<=\S)~~/g, "<s>$1</s>"],
  [/(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])/g, "<em>$1</em>"],
  [/(?<![\w_])_(?=\S)([^_]+?)(?<=\S)_(?![\w_])/g, "<em>$1</em>"],
];

function inline(text) {
  const held = [];
  const hold = (markup) => `\uE000${held.push(String(markup)) - 1}\uE001`;
  const rest = text
    .replace(/[\uE000\uE001]/g, "")
    .replace(/`([^`]+)`/g, (_, code) => hold(html`<code>${code}</code>`))
    .replace(/!?\[([^\]\n]*)\]\(([^()\s]+)\)/g, (_, label, url) => hold(link(url, label || url)));
  const shown = INLINE.reduce((out, [pattern, to]) => out.replace(pattern, to), escape(withEmoji(rest)));
  return trusted(shown.replace(/\uE000(\d+)\uE001/g, (_, at) => held[at] ?? ""));
}

const KINDS = [
  ["heading", /^(#{1,6})\s+(.*)$/],
  ["rule", /^\s*(?:[-*_]\s*){3,}$/],
  ["ul", /^\s*[-*+]\s+(.*)$/],
  ["ol", /^\s*\d+[.)]\s+(.*)$/],
  ["quote", /^>\s?(.*)$/],
];

function classify(line) {
  for (const [kind, pattern] of KINDS) {
    const found = pattern.exec(line);
    if (found) return { kind, text: found.at(-1) ?? "", level: found[1]?.length };
  }
  return { kind: line.trim() ? "text" : "gap", text: line };
}

const items = (rows) => rows.map((row) => html`<li>${inline(row.text)}</li>`);
const joined = (rows) => rows.map((row, i) => html`${i ? trusted("<br>") : ""}${inline(row.text)}`);

const DRAW = {
  heading: (rows) => rows.map((row) => html`<div class="md-heading md-${row.level}">${inline(row.text)}</div>`),
  rule: () => html`<hr>`,
  ul: (rows) => html`<ul>${items(rows)}</ul>`,
  ol: (rows) => html`<ol>${items(rows)}</ol>`,
  quote: (rows) => html`<blockquote>${joined(rows)}</blockquote>`,
  text: (rows) => html`<p>${joined(rows)}</p>`,
  gap: () => "",
};

function paragraphs(text) {
  const runs = [];
  for (const row of text.split("\n").map(classify)) {
    if (runs.at(-1)?.kind !== row.kind) runs.push({ kind: row.kind, rows: [] });
    runs.at(-1).rows.push(row);
  }
  return runs.map(({ kind, rows }) => DRAW[kind](rows));
}

/** The HTML of standard Markdown, as Slack's markdown block takes it. */
export function markdown(text) {
  const parts = String(text ?? "").split(/^```[^\n]*\n([\s\S]*?)^```\s*$/m);
  return parts.map((part, i) => (i % 2 ? html`<pre>${part.replace(/\n$/, "")}</pre>` : paragraphs(part)));
}
