// Slack's mrkdwn to HTML. Pure: (text, context) -> Markup; text is never HTML.
// context: {users: Map, channels: Map, now: epoch seconds, zone: IANA name, me: user id}
import { dateWords } from "./clock.js";
import { withEmoji } from "./emoji.js";
import { escape, html, link, safeUrl, trusted } from "./html.js";

const OPEN = "\uE000";
const CLOSE = "\uE001";
const HELD = /\uE000(\d+)\uE001/g;

export const plain = (text) => html`${withEmoji(String(text ?? ""))}`;

/** A text object of Slack: plain_text or mrkdwn. */
export function textObject(object, context) {
  if (!object) return "";
  if (typeof object === "string") return plain(object);
  return object.type === "mrkdwn" ? mrkdwn(object.text, context) : html`<span class="plain">${plain(object.text)}</span>`;
}

export const unescape = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

export function mention(id, context) {
  const user = context.users.get(id);
  const mine = id === context.me ? " mention-me" : "";
  return html`<span class="mention${mine}" data-user="${id}">@${user ? user.real_name || user.name : id}</span>`;
}

export function channelLink(id, label, context) {
  const name = context.channels.get(id)?.name ?? label ?? "private channel";
  return html`<a class="mention" href="#" data-go-channel="${id}">#${name}</a>`;
}

export const broadcast = (range) => html`<span class="mention mention-me">@${range}</span>`;

const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** A moment in the viewer's zone; `context.starts` says that it begins a line. */
export function date(seconds, format, address, fallback, context) {
  const known = /^-?\d+(\.\d+)?$/.test(String(seconds));
  const said = known ? dateWords(format, Number(seconds), context.zone, context.now) : fallback;
  const words = context.starts ? capital(said) : said;
  const shown = html`<time title="${fallback}">${words}</time>`;
  return address ? link(address, shown) : shown;
}

function command(body, context) {
  const [target, label] = split(body, "|");
  if (target.startsWith("date^")) return dateCommand(target, label, context);
  if (target.startsWith("subteam^")) return html`<span class="mention">${groupName(target, label)}</span>`;
  return ["here", "channel", "everyone"].includes(target) ? broadcast(target) : html`${label ?? `<${target}>`}`;
}

const groupName = (target, label) => `@${(label ?? target.slice("subteam^".length)).replace(/^@/, "")}`;

function dateCommand(target, label, context) {
  const [, seconds, format, address] = target.split("^");
  return date(seconds, unescape(format ?? ""), address && unescape(address), unescape(label ?? ""), context);
}

function split(body, mark) {
  const at = body.indexOf(mark);
  return at < 0 ? [body, undefined] : [body.slice(0, at), body.slice(at + 1)];
}

function angle(body, context) {
  const [target, label] = split(body.slice(1), "|");
  if (body[0] === "@") return mention(target, context);
  if (body[0] === "#") return channelLink(target, label && unescape(label), context);
  if (body[0] === "!") return command(body.slice(1), context);
  return linkToken(body);
}

function linkToken(body) {
  const [address, label] = split(body, "|");
  const shown = unescape(label || address.replace(/^mailto:/, ""));
  return link(unescape(address), withEmoji(shown));
}

function bareLink(address, hold) {
  const tail = /[.,;:!?'")\]]*$/.exec(address)[0];
  const clean = unescape(address.slice(0, address.length - tail.length));
  return safeUrl(clean) ? hold(link(clean, clean)) + tail : address;
}

const startsLine = (text, at) => /^[*_~>\s]*$/.test(text.slice(text.lastIndexOf("\n", at) + 1, at));

// Code, links and mentions are taken out first and put back last, so that nothing inside them is formatted.
function takeOut(text, context, held) {
  const hold = (markup) => `${OPEN}${held.push(markup) - 1}${CLOSE}`;
  return text
    .replace(/[\uE000\uE001]/g, "")
    .replace(/```\n?([\s\S]+?)\n?```/g, (_, code) => hold(html`<pre>${unescape(code)}</pre>`))
    .replace(/`([^`\n]+)`/g, (_, code) => hold(html`<code>${unescape(code)}</code>`))
    .replace(/<([^<>\n]+)>/g, (_, body, at, all) => hold(angle(body, { ...context, starts: startsLine(all, at) })))
    .replace(/https?:\/\/[^\s<>|\uE000\uE001]+/g, (address) => bareLink(address, hold));
}

// `c` is the mark as it is written in a character class and outside of one.
function mark(c, tag) {
  const pattern = `(?<![\\p{L}\\p{N}${c}])${c}(?![\\s${c}])([^${c}\\n]*?[^${c}\\s])${c}(?![\\p{L}\\p{N}${c}])`;
  const expression = new RegExp(pattern, "gu");
  return (text) => text.replace(expression, `<${tag}>$1</${tag}>`);
}

const STYLES = [mark("\\*", "strong"), mark("_", "em"), mark("~", "s")];
const styled = (line) => STYLES.reduce((text, apply) => apply(text), line);

function lineMarkup(line) {
  const bullet = /^(\s*)(?:[•◦▪-]|\*(?=\s))\s+(.*)$/.exec(line);
  if (bullet) return { tag: "li", text: styled(bullet[2]) };
  const quote = /^&gt;\s?(.*)$/.exec(line);
  return quote ? { tag: "blockquote", text: styled(quote[1]) } : { tag: "p", text: styled(line) };
}

const WRAP = {
  p: (rows) => rows.join("<br>"),
  li: (rows) => `<ul>${rows.map((row) => `<li>${row}</li>`).join("")}</ul>`,
  blockquote: (rows) => `<blockquote>${rows.join("<br>")}</blockquote>`,
};

function lines(text) {
  const runs = [];
  for (const { tag, text: row } of text.split("\n").map(lineMarkup)) {
    if (runs.at(-1)?.tag !== tag) runs.push({ tag, rows: [] });
    runs.at(-1).rows.push(row);
  }
  return runs.map(({ tag, rows }) => WRAP[tag](rows)).join("");
}

/** The HTML of a mrkdwn text. A broken token is shown as text; nothing is ever dropped but bad link targets. */
export function mrkdwn(text, context) {
  const held = [];
  const rest = takeOut(String(text ?? ""), context, held);
  const body = lines(escape(withEmoji(unescape(rest))));
  const back = (shown) => shown.replace(HELD, (_, at) => back(String(held[at] ?? "")));
  return trusted(back(body));
}
