// One message, lists of them, and what can be done to one.
import { avatar, badge, nameOf } from "./avatar.js";
import { messageBody } from "./blocks.js";
import { ago, dayOf, nearDay, show, timeOf } from "./clock.js";
import { EMOJI, emojiOf } from "./emoji.js";
import { askText } from "./dialog.js";
import { attributes, html } from "./html.js";
import { menu, toast } from "./popover.js";
import { act, context, openThread, state } from "./state.js";

const QUICK = ["rotating_light", "eyes", "white_check_mark", "+1"];
const GROUP_WINDOW = 300;

const svg = (path) => html`<svg class="icon-svg" viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
const ICON = {
  thread: svg("M2.5 3h11v8h-6L4 13.5V11H2.5zM5 6h6M5 8.5h4"),
  more: svg("M3 8h.01M8 8h.01M13 8h.01"),
};

function reaction({ name, users }) {
  const mine = users.includes(state.me);
  const who = users.map((id) => nameOf(state.users.get(id))).join(", ");
  return html`<button type="button" class="reaction${mine ? " mine" : ""}" data-reaction="${name}" data-key="r:${name}"
    aria-pressed="${mine ? "true" : "false"}" title="${who} reacted with :${name}:">
    <span class="emoji">${emojiOf(name)}</span>${users.length}</button>`;
}

const reactions = (message) =>
  message.reactions?.length ? html`<div class="reactions">${message.reactions.map(reaction)}</div>` : "";

function replies(message, at) {
  if (!message.reply_count) return "";
  const faces = (message.reply_users ?? []).slice(0, 4).map((id) => avatar(state.users.get(id), "tiny"));
  const count = `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`;
  const last = message.latest_reply
    ? html`<span class="muted">Last reply ${ago(Number(message.latest_reply), at.now)}</span>`
    : "";
  return html`<button type="button" class="replies" data-do="thread">${faces}<b>${count}</b>${last}</button>`;
}

const quick = (
  name,
) => html`<button type="button" data-reaction="${name}" data-quick="${name}" title="React with :${name}:"
  aria-label="React with ${name}"><span class="emoji">${EMOJI.get(name)}</span></button>`;

function tools() {
  return html`<div class="tools" role="group" aria-label="Message actions">${QUICK.map(quick)}
    <button type="button" data-do="thread" title="Reply in thread" aria-label="Reply in thread">${ICON.thread}</button>
    <button type="button" data-do="more" title="More actions" aria-label="More actions" aria-haspopup="menu">${ICON.more}</button></div>`;
}

function clockTime(ts, at) {
  const full = show(Number(ts), at.zone, { dateStyle: "full", timeStyle: "medium" });
  return html`<time class="stamp" title="${full} (${at.zone ?? "UTC"})">${timeOf(Number(ts), at.zone)}</time>`;
}

function byline(message, at) {
  const user = state.users.get(message.user);
  return html`<div class="byline"><b class="author">${message.username ?? nameOf(user)}</b>
    ${badge(user, state.workspace.team.id)}${clockTime(message.ts, at)}</div>`;
}

const removed = ({ ts }) =>
  html`<div class="message removed" data-key="m:${ts}" data-ts="${ts}">This message was deleted.</div>`;

const ONLY_YOU = html`<p class="only-you">Only visible to you
  <button type="button" class="link" data-do="dismiss">Dismiss</button></p>`;

/** One message. `inThread`: shown in the thread pane; `joined`: its author said the one before. */
function row(message, { inThread = false, joined = false } = {}) {
  if (message.deleted) return removed(message);
  const at = context({ ts: message.ts });
  const name = `message${joined ? " joined" : ""}${message.ephemeral ? " ephemeral" : ""}`;
  const own = attributes({
    class: name,
    "data-key": `m:${message.ts}`,
    "data-ts": message.ts,
    "data-channel": state.here,
    "data-user": message.user,
    "data-ephemeral": Boolean(message.ephemeral),
    "data-in-thread": inThread,
  });
  const edited = message.edited ? html`<span class="edited muted">(edited)</span>` : "";
  return html`<article${own}>
    <div class="gutter">${joined ? clockTime(message.ts, at) : avatar(state.users.get(message.user))}</div>
    <div class="said">${joined ? "" : byline(message, at)}${messageBody(message, at)}${edited}
    ${message.ephemeral ? ONLY_YOU : ""}${reactions(message)}${inThread ? "" : replies(message, at)}</div>
    ${message.ephemeral ? "" : tools()}</article>`;
}

function dayLine(message, at) {
  const seconds = Number(message.ts);
  const near = nearDay(seconds, at.zone, at.now);
  const words = near
    ? near[0].toUpperCase() + near.slice(1)
    : show(seconds, at.zone, { weekday: "long", month: "long", day: "numeric" });
  return html`<div class="day" data-key="d:${dayOf(seconds, at.zone)}"><span>${words}</span></div>`;
}

const isJoined = (message, before) =>
  before &&
  before.user === message.user &&
  !before.ephemeral === !message.ephemeral &&
  !message.attachments?.length &&
  !before.reply_count &&
  Number(message.ts) - Number(before.ts) < GROUP_WINDOW;

/** The messages of a channel with a line for each day. */
export function list(messages) {
  const at = context();
  return messages.map((message, i) => {
    const before = messages[i - 1];
    const newDay = !before || dayOf(Number(before.ts), at.zone) !== dayOf(Number(message.ts), at.zone);
    return html`${newDay ? dayLine(message, at) : ""}${row(message, { joined: !newDay && isJoined(message, before) })}`;
  });
}

export const threadList = (messages) =>
  messages.map((message, i) => row(message, { inThread: true, joined: i > 1 && isJoined(message, messages[i - 1]) }));

const stateOf = (ts) => state.replies.find((m) => m.ts === ts) ?? state.messages.find((m) => m.ts === ts);

async function say(promise) {
  const answer = await promise;
  if (!answer.ok) toast(answer.error);
}

function toggle(message, name) {
  const remove = message.reactions?.find((r) => r.name === name)?.users.includes(state.me) ?? false;
  say(act("reaction", { channel: state.here, ts: message.ts, name, remove }));
}

function permalink(message) {
  const page = `${location.origin}/archives/${state.here}/p${message.ts.replace(".", "")}`;
  const inThread = message.thread_ts && message.thread_ts !== message.ts;
  return inThread ? `${page}?thread_ts=${message.thread_ts}&cid=${state.here}` : page;
}

async function copyLink(message) {
  await navigator.clipboard?.writeText(permalink(message)).catch(() => {});
  toast("Link to the message copied");
}

async function editMessage(message) {
  const text = await askText("Edit message", message.text);
  if (text) say(act("edit", { channel: state.here, ts: message.ts, text }));
}

function choicesFor(message) {
  const shortcuts = state.workspace.app.shortcuts
    .filter((s) => s.type === "message")
    .map((s) => ({
      label: s.name,
      hint: "Pointsman",
      value: s.callback_id,
      run: () => say(act("message_shortcut", { callback_id: s.callback_id, channel: state.here, ts: message.ts })),
    }));
  const mine =
    message.user === state.me
      ? [
          { label: "Edit message", value: "edit", run: () => editMessage(message) },
          {
            label: "Delete message",
            value: "delete",
            danger: true,
            run: () => say(act("delete", { channel: state.here, ts: message.ts })),
          },
        ]
      : [];
  return [...shortcuts, { label: "Copy link", value: "copy", run: () => copyLink(message) }, ...mine];
}

function dismiss({ ts }) {
  state.messages = state.messages.filter((m) => m.ts !== ts);
  state.replies = state.replies.filter((m) => m.ts !== ts);
}

const DO = {
  thread: async (message) => {
    await openThread(message.thread_ts ?? message.ts);
    document.querySelector("#thread-composer textarea").focus();
  },
  more: (message, button) => menu(button, choicesFor(message), (item) => item.run()),
  dismiss,
};

/** Clicks inside a list of messages; returns true when it was one of ours. */
export function onClick(event) {
  const button = event.target.closest("[data-reaction], [data-do]");
  const message = button && stateOf(button.closest("[data-ts]").dataset.ts);
  if (!message) return false;
  if (button.dataset.reaction) toggle(message, button.dataset.reaction);
  else DO[button.dataset.do](message, button);
  return true;
}
