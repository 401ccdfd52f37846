// The panel of the demo: stories, the clock, the company's systems. Hidden where the server has no demo.
import { get } from "./api.js";
import { nameOf } from "./avatar.js";
import { ago, length, show } from "./clock.js";
import { attributes, html } from "./html.js";
import { morph } from "./morph.js";
import { mrkdwn } from "./mrkdwn.js";
import { bubble } from "./popover.js";
import { actAs, actDemo, changed, clock, context, conversation, open, openThread, setDemo, state } from "./state.js";
import { banner, firstStory, ICON } from "./welcome.js";

const MODES = [
  ["ok", "OK"],
  ["fail", "Fails"],
  ["slow", "Is slow"],
  ["lose_callbacks", "Loses callbacks"],
  ["leave_lying", "Leaves work lying"],
  ["send_twice", "Sends twice"],
];
const LEAPS = [
  [300, "+5 min"],
  [1800, "+30 min"],
  [7200, "+2 h"],
  [86400, "+1 day"],
];
const at = (id) => document.getElementById(id);
const zone = () => state.users.get(state.me)?.tz;

let played = null;

function placeOf(story) {
  const room = state.channels.get(story.channel);
  const where = room ? `#${room.name}` : (story.watch ?? "the direct message");
  const who = state.users.get(story.as);
  return who && room ? `${where} as ${nameOf(who).split(" ")[0]}` : where;
}

const isWatched = (story) => story.channel === state.here && (!story.as || story.as === state.me);

function look(story) {
  if (isWatched(story)) return html`<span class="watching">See it here, in ${placeOf(story)}</span>`;
  return html`<button type="button" class="link look" data-look="${story.id}">Look in ${placeOf(story)} →</button>`;
}

const STATUS = { ready: "", running: "under way", done: "played" };

// What to do next and what was played last stay open; the other stories are one line each.
function story(item, next) {
  const started = item.state !== "ready";
  const isOpen = next || item.id === played;
  const name = `story${next ? " next" : ""}${isOpen ? " open" : ""}`;
  const own = attributes({ class: name, "data-key": `s:${item.id}`, "data-story-state": item.state });
  const hint = item.watch && html`<span class="muted">Then look in ${item.watch}</span>`;
  const more = html`<div class="story-text">${mrkdwn(item.text, context())}</div>${started ? look(item) : hint}`;
  return html`<li${own}><div class="story-line"><h4>${item.title}</h4>
    <span class="status ${item.state}">${STATUS[item.state]}</span>${startButton(item, next)}</div>${isOpen ? more : ""}</li>`;
}

function startButton(item, next) {
  const own = attributes({ class: `button${next ? " primary" : ""}`, "data-story": item.id });
  return html`<button type="button"${own}>${ICON.play} ${item.state === "ready" ? "Start" : "Again"}</button>`;
}

function stories(demo) {
  const next = firstStory();
  const isNew = next === demo.stories[0];
  const start = isNew && html`<section class="start"><h3>Start here</h3>${mrkdwn(demo.first, context())}</section>`;
  return html`${start}
    <section><h3>Stories</h3><ul class="stories">${demo.stories.map((s) => story(s, s === next))}</ul></section>`;
}

const FULL = { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" };

const leap = ([seconds, label]) =>
  html`<button type="button" class="button" data-advance="${seconds}">${label}</button>`;

function nextPart(due, now) {
  const own = attributes({ disabled: !due });
  return html`<button type="button" class="button wide" data-clock-next${own}>${ICON.skip} To the next deadline</button>
    <p class="muted due" data-next-due>${due ? `${due.text} · ${ago(due.at, now)}` : "Nothing is due."}</p>`;
}

function clockPart(demo) {
  const now = clock.now();
  const moved = demo.clock.moved ? `${length(demo.clock.moved)} ahead` : "sandbox time";
  return html`<p class="now"><time data-now="${Math.floor(now)}">${show(now, zone(), FULL)}</time><span class="muted">${moved}</span></p>
    <div class="leaps">${LEAPS.map(leap)}</div>${nextPart(demo.next_due, now)}`;
}

function system(item) {
  const mode = ([value, label]) =>
    html`<option${attributes({ value, selected: value === item.mode })}>${label}</option>`;
  const count = `${item.requests} ${item.requests === 1 ? "request" : "requests"}`;
  return html`<li class="system mode-${item.mode}" data-key="y:${item.name}" title="${item.last ?? "Not asked yet"}">
    <label for="system-${item.name}">${item.title}</label><span class="muted" data-requests="${item.requests}">${count}</span>
    <select class="control" id="system-${item.name}" data-system="${item.name}">${MODES.map(mode)}</select></li>`;
}

const systems = (demo) => html`<h3>The company's systems</h3><ul class="systems">${demo.systems.map(system)}</ul>`;

export function draw() {
  at("demo").hidden = !state.demo;
  at("demo-open").hidden = !state.demo || !at("page").classList.contains("demo-closed");
  if (!state.demo) return;
  morph(at("demo-body"), stories(state.demo));
  morph(at("demo-controls"), html`${systems(state.demo)}${clockPart(state.demo)}`);
  for (const item of state.demo.systems) {
    const box = at(`system-${item.name}`);
    if (box.value !== item.mode && !box.hasAttribute("data-live-busy")) box.value = item.mode;
  }
}

async function tell(node, kind, body) {
  if (node.hasAttribute("data-live-busy")) return null;
  node.setAttribute("data-live-busy", "");
  const answer = await actDemo(kind, body);
  node.removeAttribute("data-live-busy");
  if (!answer.ok) bubble(node, answer.error ?? "That did not work");
  return answer;
}

function play(node, id) {
  played = id;
  changed();
  tell(node, "story", { id });
}

async function lookAt(id) {
  const { channel, as, thread_ts } = state.demo.stories.find((s) => s.id === id);
  if (as && as !== state.me) await actAs(as, channel);
  else if (channel !== state.here && conversation(channel)) await open(channel);
  if (thread_ts) await openThread(thread_ts);
}

export function onClick(event) {
  const node = event.target.closest("[data-story], [data-look], [data-advance], [data-clock-next]");
  if (!node) return;
  const { story: id, look: watched, advance } = node.dataset;
  if (id) play(node, id);
  else if (watched) lookAt(watched);
  else if (advance) tell(node, "clock", { advance: Number(advance) });
  else tell(node, "clock", { to: "next" });
}

function onChange(event) {
  const box = event.target.closest("[data-system]");
  if (box) tell(box, "system", { name: box.dataset.system, mode: box.value });
}

function collapse(closed) {
  at("page").classList.toggle("demo-closed", closed);
  draw();
  at(closed ? "demo-open" : "demo-close").focus();
}

export async function start() {
  at("demo").addEventListener("click", onClick);
  at("messages").addEventListener("click", onClick);
  at("demo").addEventListener("change", onChange);
  at("demo-close").addEventListener("click", () => collapse(true));
  at("demo-open").addEventListener("click", () => collapse(false));
  at("banner").innerHTML = String(banner());
  at("banner")
    .querySelector("button")
    .addEventListener("click", () => {
      at("banner").hidden = true;
    });
  setDemo(await get("/ui/demo").catch(() => null));
}
