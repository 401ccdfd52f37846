// Puts the page together.
import * as actions from "./actions.js";
import { get, socket } from "./api.js";
import { COLORS, nameOf } from "./avatar.js";
import * as channel from "./channel.js";
import * as demo from "./demo.js";
import * as modal from "./modal.js";
import { forgetToasts, toast } from "./popover.js";
import * as sidebar from "./sidebar.js";
import { actAs, changed, closeThread, conversation, markRead, onChange, open, openThread, state } from "./state.js";
import * as thread from "./thread.js";

const TICK = 20000;

async function loadWorkspace() {
  state.workspace = await get("/ui/workspace");
  state.users = new Map(state.workspace.users.map((u, i) => [u.id, { ...u, color: COLORS[i % COLORS.length] }]));
  state.channels = new Map(state.workspace.channels.map((c) => [c.id, c]));
  document.title = `${state.workspace.team.name} · Pointsman sandbox`;
}

function fromAddress() {
  const [as, here, ts] = location.hash.slice(1).split("/");
  const link = /^\/archives\/([^/]+)\/p(\d+)$/.exec(location.pathname);
  if (link) return { here: link[1], ts: new URLSearchParams(location.search).get("thread_ts") ?? stamp(link[2]) };
  return state.users.has(as) ? { as, here, ts } : {};
}

const stamp = (digits) => `${digits.slice(0, -6)}.${digits.slice(-6)}`;

function firstPerson() {
  const told = state.demo?.stories[0]?.as;
  return told ?? state.workspace.users.find((u) => !u.is_bot && !u.deleted)?.id;
}

async function begin() {
  const { as, here, ts } = fromAddress();
  state.thread = ts || null;
  await actAs(as ?? firstPerson(), here ?? state.demo?.stories[0]?.channel);
}

function onDirectMessage(user, { channel: id, message }) {
  if (user === state.me && id === state.here) return;
  if (message.user === user) return;
  const who = nameOf(state.users.get(user));
  if (user === state.me) {
    toast(`New direct message from ${nameOf(state.users.get(message.user))}`, { label: "Open", run: () => open(id) });
    return;
  }
  state.elsewhere.set(user, (state.elsewhere.get(user) ?? 0) + 1);
  changed();
  toast(`${who} has got a direct message from ${nameOf(state.users.get(message.user))}`, {
    label: `Read it as ${who.split(" ")[0]}`,
    run: () => actAs(user, id),
    about: user,
  });
}

// Direct messages of people who are not acted as now are heard too: a page to whoever is on call must be seen.
function listenFor({ id }) {
  const event = (told) => {
    if (told.type === "message" && !state.channels.has(told.channel)) onDirectMessage(id, told);
  };
  socket(id, { event });
}

function goTo(event) {
  const room = event.target.closest("[data-go-channel]");
  const anchor = event.target.closest("a[href]");
  const post = anchor && /\/archives\/([^/?]+)\/p(\d{7,})(?:\?.*?thread_ts=([\d.]+))?/.exec(anchor.href);
  const id = room?.dataset.goChannel ?? post?.[1];
  if (!id || !(state.channels.has(id) || conversation(id))) return;
  event.preventDefault();
  if (!conversation(id)) toast("You are not in that channel");
  else open(id, { thread: post ? (post[3] ?? stamp(post[2])) : null });
}

function remember() {
  const place = [state.me, state.here, state.thread].filter(Boolean).join("/");
  if (location.hash.slice(1) !== place) history.replaceState(null, "", `/#${place}`);
}

function draw() {
  document.getElementById("page").classList.toggle("has-thread", Boolean(state.thread));
  sidebar.draw();
  channel.draw();
  thread.draw();
  demo.draw();
  modal.draw();
  if (state.me) forgetToasts(state.me);
  remember();
}

function unreachable(error) {
  document.body.textContent = `The sandbox cannot be reached: ${error.message}. Reload the page to try again.`;
}

async function start() {
  await loadWorkspace();
  [sidebar, channel, thread, actions].forEach((part) => part.start());
  await demo.start();
  onChange(draw);
  document.getElementById("loading").remove();
  document.getElementById("page").hidden = false;
  await begin();
  sidebar.actable().forEach(listenFor);
  document.addEventListener("click", goTo);
  document.addEventListener("visibilitychange", markRead);
  setInterval(changed, TICK);
}

start().catch(unreachable);
