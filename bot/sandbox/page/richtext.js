// rich_text blocks and table cells to HTML. Pure.
import { emojiOf } from "./emoji.js";
import { html, link, trusted } from "./html.js";
import { broadcast, channelLink, date, mention, plain } from "./mrkdwn.js";

const LEAF = {
  text: (e) => styled(e.text, e.style),
  link: (e) => styled(link(e.url, e.text || e.url), e.style),
  emoji: (e) => html`${emojiOf(e.name ?? "")}`,
  user: (e, context) => mention(e.user_id, context),
  channel: (e, context) => channelLink(e.channel_id, null, context),
  usergroup: (e) => html`<span class="mention">@${e.usergroup_id}</span>`,
  broadcast: (e) => broadcast(e.range),
  date: (e, context) => date(e.timestamp, e.format ?? "{date_short}", e.url, e.fallback ?? "", context),
  color: (e) => html`<code>${e.value}</code>`,
};

const STYLE_TAGS = [
  ["code", "code"],
  ["strike", "s"],
  ["italic", "em"],
  ["bold", "strong"],
];

function styled(content, style = {}) {
  const body = html`${content}`;
  const lines = trusted(String(body).replace(/\n/g, "<br>"));
  const wrap = (inner, [name, tag]) => (style[name] ? trusted(`<${tag}>${inner}</${tag}>`) : inner);
  return STYLE_TAGS.reduce(wrap, lines);
}

function leaf(item, context) {
  if (Object.hasOwn(LEAF, item?.type ?? "")) return LEAF[item.type](item, context);
  return html`<span class="block-unknown">${item?.text ?? item?.type}</span>`;
}

const leaves = (item, context) => (item.elements ?? []).map((e) => leaf(e, context));

function list(item, context) {
  const tag = item.style === "ordered" ? "ol" : "ul";
  const rows = (item.elements ?? []).map((row) => html`<li>${leaves(row, context)}</li>`);
  const start = item.offset ? html` start="${Number(item.offset) + 1}"` : "";
  const indent = Math.min(8, Number(item.indent) || 0);
  return html`${trusted(`<${tag}`)}${start} class="indent-${indent}">${rows}${trusted(`</${tag}>`)}`;
}

const GROUP = {
  rich_text_section: (e, context) => html`<div>${leaves(e, context)}</div>`,
  rich_text_quote: (e, context) => html`<blockquote>${leaves(e, context)}</blockquote>`,
  rich_text_preformatted: (e) => html`<pre>${(e.elements ?? []).map((x) => x.text ?? x.url ?? "").join("")}</pre>`,
  rich_text_list: list,
};

export function richText(block, context) {
  return (block.elements ?? []).map((item) =>
    Object.hasOwn(GROUP, item?.type ?? "")
      ? GROUP[item.type](item, context)
      : html`<div class="block-unknown">${item?.type}</div>`,
  );
}

export function tableCell(cell, context) {
  if (cell?.type === "rich_text") return richText(cell, context);
  return plain(cell?.text ?? "");
}
