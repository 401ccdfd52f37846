// The rail with people to act as, and the sidebar with channels, direct messages and the app.
import { avatar, nameOf } from "./avatar.js";
import { html } from "./html.js";
import { morph } from "./morph.js";
import { actAs, conversation, open, state } from "./state.js";

const ICON = {
  hash: html`<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M6.2 2 4.8 14M11.2 2 9.8 14M2.5 5.5h11.5M2 10.5h11.5"/></svg>`,
  lock: html`<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3.5 7h9v6.5h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2"/></svg>`,
};

export function channelIcon(isPrivate) {
  const title = isPrivate ? "Private channel" : "Channel";
  return html`<span class="icon-svg" title="${title}">${isPrivate ? ICON.lock : ICON.hash}</span>`;
}

export const actable = () => [...state.users.values()].filter((u) => !u.is_bot && !u.deleted && u.id !== "USLACKBOT");
const kindOf = (user) => {
  if (user.team_id && user.team_id !== state.workspace.team.id) return " · another workspace";
  return user.is_restricted ? " · guest" : "";
};

function person(user) {
  const mine = user.id === state.me;
  const waiting = state.elsewhere.get(user.id);
  const label = `Act as ${nameOf(user)}${user.title ? `, ${user.title}` : ""}${kindOf(user)}`;
  const name = `person${mine ? " current" : ""}${kindOf(user) ? " outsider" : ""}`;
  return html`<button type="button" class="${name}" data-user="${user.id}" data-key="p:${user.id}"
    aria-pressed="${mine ? "true" : "false"}" aria-label="${label}" title="${label}">
    ${avatar(user)}${waiting ? html`<span class="count">${waiting}</span>` : ""}
    <span class="first-name">${nameOf(user).split(" ")[0]}</span></button>`;
}

const rail = () => html`<h2 class="rail-title" id="rail-title">Act as</h2>
  <div role="group" aria-labelledby="rail-title">${actable().map(person)}</div>`;

function shownName(item) {
  if (item.kind === "channel") return item.name;
  return nameOf(state.users.get(item.with)) === "Unknown" ? item.name : nameOf(state.users.get(item.with));
}

function entry(item) {
  const room = state.channels.get(item.id);
  const icon = item.kind === "channel" ? channelIcon(room?.is_private) : avatar(state.users.get(item.with), "tiny");
  const count = item.mentions || (item.kind === "channel" ? 0 : item.unread);
  const current = item.id === state.here;
  const name = `entry${item.unread ? " unread" : ""}${current ? " current" : ""}`;
  return html`<li data-key="c:${item.id}"><button type="button" class="${name}"
    data-channel="${item.id}" data-unread="${item.unread ?? 0}"${current ? html` aria-current="page"` : ""}>
    ${icon}<span class="entry-name">${shownName(item)}</span>${count ? html`<span class="count">${count}</span>` : ""}</button></li>`;
}

function group(title, kind) {
  const shown = state.conversations.filter((c) => c.kind === kind);
  if (!shown.length) return "";
  return html`<section data-key="g:${kind}"><h3>${title}</h3><ul>${shown.map(entry)}</ul></section>`;
}

function sidebar() {
  const me = state.users.get(state.me);
  return html`<header class="workspace"><strong>${state.workspace.team.name}</strong><span class="pill">Sandbox</span></header>
    <div class="acting">${avatar(me, "small")}<span>Acting as <b>${nameOf(me)}</b><small>${me?.title}</small></span></div>
    <div class="groups">${group("Channels", "channel")}${group("Direct messages", "im")}${group("Apps", "app")}</div>
    ${state.online ? "" : html`<p class="offline" role="status">Reconnecting…</p>`}`;
}

function onClick(event) {
  const chosen = event.target.closest("[data-user], [data-channel]");
  if (chosen?.dataset.user) actAs(chosen.dataset.user);
  else if (chosen) {
    const { unread } = conversation(chosen.dataset.channel);
    open(chosen.dataset.channel, { tab: unread ? "messages" : "home" });
  }
}

export function start() {
  document.getElementById("rail").addEventListener("click", onClick);
  document.getElementById("sidebar").addEventListener("click", onClick);
}

export function draw() {
  morph(document.getElementById("rail"), rail());
  morph(document.getElementById("sidebar"), sidebar());
}
