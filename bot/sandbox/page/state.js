// What the page knows, and how it comes to know it. Views ask `state`; `changed` has them drawn again.
import { get, post, socket } from "./api.js";
import { Clock } from "./clock.js";

export const clock = new Clock();

export const state = {
  workspace: null,
  users: new Map(),
  channels: new Map(),
  me: null,
  conversations: [],
  here: null,
  tab: "messages",
  thread: null,
  messages: [],
  replies: [],
  home: undefined,
  views: [],
  demo: null,
  elsewhere: new Map(),
  online: true,
};

const listeners = [];
let waiting = false;

export const onChange = (listener) => listeners.push(listener);

/** Has everything drawn once, soon, however often it is called in between. */
export function changed() {
  if (waiting) return;
  waiting = true;
  queueMicrotask(() => {
    waiting = false;
    listeners.forEach((listener) => listener(state));
  });
}

/** What the pure renderers need to know. */
export function context(more = {}) {
  const zone = state.users.get(state.me)?.tz;
  return {
    users: state.users,
    channels: state.channels,
    now: clock.now(),
    zone,
    me: state.me,
    channel: state.here,
    ...more,
  };
}

export const act = (kind, body = {}) => post("/ui/act", { as: state.me, kind, ...body });
export const actDemo = (kind, body = {}) => post("/ui/demo/act", { kind, ...body });
export const conversation = (id) => state.conversations.find((c) => c.id === id);
export const user = (id) => state.users.get(id);
const isApp = (id) => conversation(id)?.kind === "app";

function place(list, message) {
  const at = list.findIndex((m) => m.ts === message.ts);
  if (at >= 0) return list.with(at, message);
  return [...list, message].sort((a, b) => Number(a.ts) - Number(b.ts));
}

export function setDemo(demo) {
  if (!demo) return;
  state.demo = demo;
  if (demo.clock) clock.set(demo.clock.now);
  changed();
}

let closeSocket = () => {};

// Null when the server cannot be reached: the sidebar says so, and what was shown stays.
const ask = (path, query) => get(path, query).catch(() => null);

/** Becomes another person: their conversations, their socket. Stays in the channel where they are in it
 * too; from one's direct message with the app, theirs is shown. */
export async function actAs(id, channel = state.here) {
  const before = state.here ?? channel;
  closeSocket();
  const direct = channel && !state.channels.has(channel);
  Object.assign(state, { me: id, views: [], home: undefined });
  state.elsewhere.delete(id);
  await loadConversations();
  if (state.me !== id) return;
  closeSocket();
  closeSocket = socket(id, {
    event: receive,
    open: () => {
      state.online = true;
      changed();
      resync();
    },
    lost: () => {
      state.online = false;
      changed();
    },
  });
  const like = (kind) => state.conversations.find((c) => c.kind === kind);
  const next = conversation(channel) ?? like(direct ? "app" : "channel") ?? state.conversations[0];
  await open(next?.id ?? null, { thread: next?.id === before ? state.thread : null });
}

async function loadConversations() {
  const me = state.me;
  const told = await ask("/ui/conversations", { as: me });
  if (told && me === state.me) state.conversations = told.conversations;
}

const loading = new Set();

// What is pushed meanwhile is taken in once more after the answer, which may be older.
async function askMessages(query, isShown, take) {
  const meanwhile = [];
  loading.add(meanwhile);
  const told = await ask("/ui/messages", query);
  loading.delete(meanwhile);
  if (!told || !isShown()) return;
  take(told.messages);
  meanwhile.forEach((event) => EVENTS[event.type](event));
}

async function loadMessages() {
  const { me, here } = state;
  const isShown = () => me === state.me && here === state.here;
  if (here) await askMessages({ as: me, channel: here }, isShown, (told) => (state.messages = told));
}

async function loadThread() {
  const { me, here, thread } = state;
  const isShown = () => me === state.me && thread === state.thread;
  const query = { as: me, channel: here, thread_ts: thread };
  if (thread) await askMessages(query, isShown, (told) => (state.replies = told));
}

async function loadHome() {
  const me = state.me;
  const told = await ask("/ui/home", { as: me });
  if (me === state.me) state.home = told?.view ?? null;
}

/** Opens a conversation, with a thread beside it when one is named. */
export async function open(id, { thread = null, tab = "messages" } = {}) {
  const moved = id !== state.here;
  Object.assign(state, { here: id, thread, tab: isApp(id) ? tab : "messages", replies: [] });
  if (moved) state.messages = [];
  changed();
  await Promise.all([loadMessages(), loadThread(), state.tab === "home" && loadHome()]);
  changed();
  markRead();
}

export async function openThread(ts) {
  Object.assign(state, { thread: ts, replies: state.messages.filter((m) => m.ts === ts) });
  changed();
  await loadThread();
  changed();
}

export function closeThread() {
  Object.assign(state, { thread: null, replies: [] });
  changed();
}

/** A connection stands, for the first time or again: what is shown is asked for, since nothing was pushed before. */
export async function resync() {
  await Promise.all([loadConversations(), loadMessages(), loadThread(), ask("/ui/demo").then(setDemo)]);
  changed();
}

export function markRead() {
  const shown = conversation(state.here);
  if (shown && document.visibilityState === "visible" && (shown.unread || shown.mentions)) {
    act("read", { channel: shown.id });
  }
}

function countReply(message) {
  const root = state.messages.find((m) => m.ts === message.thread_ts);
  if (!root || Number(root.latest_reply ?? 0) >= Number(message.ts)) return;
  const reply_users = [...new Set([...(root.reply_users ?? []), message.user])];
  const reply_count = (root.reply_count ?? 0) + 1;
  state.messages = place(state.messages, { ...root, reply_count, reply_users, latest_reply: message.ts });
}

function receiveMessage({ channel, message }, isNew) {
  if (channel !== state.here) return;
  const isReply = message.thread_ts && message.thread_ts !== message.ts;
  if (state.thread && (message.thread_ts ?? message.ts) === state.thread) state.replies = place(state.replies, message);
  if (!isReply) state.messages = place(state.messages, message);
  else if (isNew && !message.ephemeral) countReply(message);
}

function forget({ channel, ts }) {
  if (channel !== state.here) return;
  state.messages = state.messages.filter((m) => m.ts !== ts);
  state.replies = state.replies.filter((m) => m.ts !== ts);
}

function react({ channel, ts, reactions }) {
  if (channel !== state.here) return;
  const apply = (list) => list.map((m) => (m.ts === ts ? { ...m, reactions } : m));
  Object.assign(state, { messages: apply(state.messages), replies: apply(state.replies) });
}

function setConversation({ conversation: told }) {
  const at = state.conversations.findIndex((c) => c.id === told.id);
  const known = state.conversations;
  state.conversations = at < 0 ? [...known, told] : known.with(at, { ...known[at], ...told });
  if (told.id === state.here) markRead();
}

export function closeView(id) {
  state.views = state.views.filter((v) => v.id !== id);
  changed();
}

/** A view on top of the stack; Slack keeps at most three. */
export function pushView(view) {
  state.views = [...state.views.filter((v) => v.id !== view.id), view].slice(-3);
  changed();
}

export function updateView(view, id = view.id) {
  state.views = state.views.map((v) => (v.id === id ? view : v));
  changed();
}

const EVENTS = {
  message: (event) => receiveMessage(event, true),
  message_changed: (event) => receiveMessage(event, false),
  ephemeral: (event) => receiveMessage({ ...event, message: { ...event.message, ephemeral: true } }, false),
  ephemeral_changed: (event) => receiveMessage({ ...event, message: { ...event.message, ephemeral: true } }, false),
  message_deleted: forget,
  reaction: react,
  view_opened: ({ view }) => pushView(view),
  view_pushed: ({ view }) => pushView(view),
  view_updated: ({ view }) => updateView(view),
  view_closed: ({ view_id }) => closeView(view_id),
  home: ({ view }) => {
    state.home = view;
  },
  conversation: setConversation,
  clock: ({ now }) => clock.set(now),
  demo: (event) => setDemo({ next_due: state.demo?.next_due, ...event }),
};

const DEMO_PAUSE = 400;
let asking;

// The next deadline is not told with every push: after what can move it, it is asked for once.
function askDemo(event) {
  const moves = event.type === "demo" ? !("next_due" in event) : event.message?.user === state.workspace.app.bot_user;
  if (!state.demo || !moves) return;
  clearTimeout(asking);
  asking = setTimeout(() => ask("/ui/demo").then(setDemo), DEMO_PAUSE);
}

export function receive(event) {
  if (!Object.hasOwn(EVENTS, event.type)) return;
  EVENTS[event.type](event);
  if (event.channel) loading.forEach((meanwhile) => meanwhile.push(event));
  askDemo(event);
  changed();
}
