// The middle: a conversation's head, its messages or the app's Home, and its composer.
import { avatar, nameOf } from "./avatar.js";
import * as composer from "./composer.js";
import { emptyChannel } from "./welcome.js";
import * as home from "./home.js";
import { html } from "./html.js";
import { list, onClick } from "./messages.js";
import { plain } from "./mrkdwn.js";
import { morph } from "./morph.js";
import { channelIcon } from "./sidebar.js";
import { changed, conversation, open, state } from "./state.js";

const at = (id) => document.getElementById(id);
let shown = null;

function title(here) {
  const other = state.users.get(here.with);
  if (here.kind !== "channel") return html`${avatar(other, "small")}<h1>${nameOf(other)}</h1>`;
  const room = state.channels.get(here.id);
  return html`<h1>${channelIcon(room?.is_private)}${here.name}</h1><span class="topic muted">${plain(room?.topic)}</span>
    <span class="members muted" title="Members">${room?.members.length ?? 0} members</span>`;
}

function tab(name, label) {
  const current = state.tab === name;
  return html`<button type="button" role="tab" data-tab="${name}" aria-selected="${current ? "true" : "false"}">${label}</button>`;
}

function head() {
  const here = conversation(state.here);
  if (!here) return "";
  const line = html`<div class="head-line">${title(here)}</div>`;
  if (here.kind !== "app") return line;
  return html`${line}<div class="tabs" role="tablist">${tab("home", "Home")}${tab("messages", "Messages")}</div>`;
}

export function nameOfHere() {
  const here = conversation(state.here);
  if (!here) return "";
  return here.kind === "channel" ? `#${here.name}` : nameOf(state.users.get(here.with));
}

const NEAR_END = 120;

const left = new WeakSet();

function toEnd(box) {
  box.scrollTop = box.scrollHeight;
}

/** Keeps a scrolled box at its end, also when its size changes, until the person scrolls away from there. */
export function keepAtEnd(box) {
  box.addEventListener("scroll", () => {
    const isAway = box.scrollHeight - box.scrollTop - box.clientHeight > NEAR_END;
    left[isAway ? "add" : "delete"](box);
  });
  new ResizeObserver(() => left.has(box) || toEnd(box)).observe(box);
}

/** Draws into such a box; what is new is shown from its end. */
export function drawScrolled(box, markup, fresh) {
  morph(box, markup);
  if (fresh) left.delete(box);
  if (!left.has(box)) toEnd(box);
}

export function draw() {
  morph(at("channel-head"), head());
  const isHome = state.tab === "home";
  at("home").hidden = !isHome;
  at("messages").hidden = isHome;
  at("composer").hidden = isHome || !state.here;
  if (isHome) return home.draw(at("home"));
  const fresh = shown !== `${state.me}/${state.here}/${state.messages.length > 0}`;
  shown = `${state.me}/${state.here}/${state.messages.length > 0}`;
  const body = state.messages.length ? list(state.messages) : emptyChannel(nameOfHere());
  drawScrolled(at("messages"), html`<div class="filler" data-key="filler"></div>${body}`, fresh);
  return composer.label(at("composer"), `Message ${nameOfHere()}`);
}

export function start() {
  at("messages").addEventListener("click", (event) => {
    if (onClick(event)) changed();
  });
  at("channel-head").addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-tab]");
    if (chosen) open(state.here, { tab: chosen.dataset.tab });
  });
  keepAtEnd(at("messages"));
  composer.build(at("composer"), () => ({ channel: state.here }));
}
