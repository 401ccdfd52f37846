// Where a person types: messages, slash commands, mentions, global shortcuts.
import { avatar, nameOf } from "./avatar.js";
import { html } from "./html.js";
import { menu } from "./popover.js";
import { act, state } from "./state.js";

const BOLT = html`<svg class="icon-svg solid" viewBox="0 0 16 16" aria-hidden="true"><path d="M9 1 3 9h4l-1 6 6-8H8z"/></svg>`;

const FRAME = html`<p class="composer-error" role="alert" hidden></p>
  <ul class="suggestions" role="listbox" aria-label="Suggestions" hidden></ul>
  <div class="composer-box"><textarea rows="1" aria-autocomplete="list"></textarea><div class="composer-tools">
  <button type="button" class="icon" data-insert="/" title="Slash commands" aria-label="Slash commands">/</button>
  <button type="button" class="icon" data-insert="@" title="Mention somebody" aria-label="Mention somebody">@</button>
  <button type="button" class="icon" data-shortcuts title="Shortcuts" aria-label="Shortcuts" aria-haspopup="menu">${BOLT}</button>
  <button type="button" class="send" data-send title="Send (Enter)" aria-label="Send">Send</button></div></div>`;

/** Builds a composer in `root`; `where()` says where it writes to: {channel, thread_ts?}. */
export function build(root, where) {
  root.innerHTML = String(FRAME);
  const composer = { root, where, field: root.querySelector("textarea"), found: [], at: 0 };
  composer.field.addEventListener("input", () => onInput(composer));
  composer.field.addEventListener("keydown", (event) => onKey(event, composer));
  composer.field.addEventListener("blur", () => setTimeout(() => suggestNone(composer), 150));
  root.addEventListener("mousedown", (event) => onPick(event, composer));
  root.addEventListener("click", (event) => onClick(event, composer));
}

export function label(root, text) {
  const field = root.querySelector("textarea");
  if (field.placeholder === text) return;
  field.placeholder = text;
  field.setAttribute("aria-label", text);
}

function onInput(composer) {
  composer.field.style.height = "auto";
  composer.field.style.height = `${Math.min(composer.field.scrollHeight, 180)}px`;
  showError(composer, null);
  composer.found = suggestions(composer.field);
  composer.at = 0;
  drawSuggestions(composer);
}

const matches = (name, typed) => name.toLowerCase().includes(typed.toLowerCase());

function commands(typed) {
  return state.workspace.app.commands
    .filter((c) => c.command.startsWith(typed))
    .map((c) => ({
      insert: `${c.command} `,
      from: 0,
      title: c.command,
      hint: c.usage_hint,
      note: c.description,
    }));
}

function people(typed, from) {
  const bot = state.workspace.app.bot_user;
  const found = [...state.users.values()].filter(
    (u) => !u.deleted && (matches(nameOf(u), typed) || matches(u.name, typed)),
  );
  found.sort((a, b) => (b.id === bot) - (a.id === bot) || nameOf(a).localeCompare(nameOf(b)));
  return found.slice(0, 8).map((u) => ({ insert: `@${nameOf(u)} `, from, title: nameOf(u), note: u.title, user: u }));
}

function rooms(typed, from) {
  return [...state.channels.values()]
    .filter((c) => matches(c.name, typed))
    .slice(0, 8)
    .map((c) => ({ insert: `#${c.name} `, from, title: `#${c.name}`, note: c.topic }));
}

function suggestions(field) {
  const before = field.value.slice(0, field.selectionStart);
  if (/^\/\S*$/.test(before)) return commands(before);
  const word = /(?:^|\s)([@#])([^\s@#]*)$/.exec(before);
  if (!word) return [];
  return (word[1] === "@" ? people : rooms)(word[2], before.length - word[2].length - 1);
}

function suggestion(item, index, { root, at }) {
  const face = item.user ? avatar(item.user, "tiny") : "";
  const chosen = index === at ? "true" : "false";
  return html`<li role="option" id="${root.id}-${index}" data-index="${index}" data-suggestion="${item.title}" aria-selected="${chosen}">
    ${face}<b>${item.title}</b>${item.hint ? html`<code>${item.hint}</code>` : ""}<span class="muted">${item.note}</span></li>`;
}

function drawSuggestions(composer) {
  const { root, field, found, at } = composer;
  const box = root.querySelector(".suggestions");
  box.hidden = !found.length;
  box.innerHTML = String(html`${found.map((item, i) => suggestion(item, i, composer))}`);
  field.setAttribute("aria-activedescendant", found.length ? `${root.id}-${at}` : "");
}

function suggestNone(composer) {
  composer.found = [];
  drawSuggestions(composer);
}

function accept(composer, item) {
  const { field } = composer;
  field.setRangeText(item.insert, item.from, field.selectionStart, "end");
  suggestNone(composer);
}

function onPick(event, composer) {
  const row = event.target.closest("[data-index]");
  if (!row) return;
  event.preventDefault();
  accept(composer, composer.found[row.dataset.index]);
}

function onListKey(event, composer) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) {
    composer.at = (composer.at + by + composer.found.length) % composer.found.length;
    drawSuggestions(composer);
  } else if (event.key === "Escape") suggestNone(composer);
  else accept(composer, composer.found[composer.at]);
}

const isComplete = ({ field, found, at }) => field.value.trim() === found[at]?.insert.trim();

function onKey(event, composer) {
  const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing;
  const picks = composer.found.length && !(sends && isComplete(composer));
  if (picks && ["ArrowDown", "ArrowUp", "Escape", "Tab", "Enter"].includes(event.key) && !event.shiftKey) {
    event.preventDefault();
    onListKey(event, composer);
  } else if (sends) {
    event.preventDefault();
    send(composer);
  }
}

function insert(composer, text) {
  const { field } = composer;
  field.focus();
  if (text === "/" && field.value) return;
  const gap = text !== "/" && field.value && !/\s$/.test(field.value) ? " " : "";
  field.setRangeText(gap + text, field.selectionStart, field.selectionEnd, "end");
  onInput(composer);
}

function shortcuts(button, composer) {
  const items = state.workspace.app.shortcuts
    .filter((s) => s.type === "global")
    .map((s) => ({ label: s.name, hint: "Pointsman", value: s.callback_id }));
  menu(button, items, async (item) => told(composer, await act("global_shortcut", { callback_id: item.value })));
}

function onClick(event, composer) {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.insert) insert(composer, button.dataset.insert);
  else if (button.hasAttribute("data-shortcuts")) shortcuts(button, composer);
  else if (button.hasAttribute("data-send")) send(composer);
}

function showError({ root }, text) {
  const line = root.querySelector(".composer-error");
  line.hidden = !text;
  line.textContent = text ?? "";
}

function told(composer, answer) {
  showError(composer, answer.ok ? null : answer.error);
  return answer.ok;
}

function tokens() {
  const people = [...state.users.values()].map((u) => [`@${nameOf(u)}`, `<@${u.id}>`]);
  const rooms = [...state.channels.values()].map((c) => [`#${c.name}`, `<#${c.id}>`]);
  return [...people, ...rooms].sort(([a], [b]) => b.length - a.length);
}

function wholeWord(name) {
  const literal = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![^\\s(])${literal}(?![\\p{L}\\p{N}_-])`, "gu");
}

/** What was typed, with tokens for the people and channels that it names. */
export const commandText = (typed) =>
  tokens().reduce((out, [shown, it]) => out.replace(wholeWord(shown), () => it), typed);

/** The same, with its links marked; the server escapes the rest as Slack does. */
export const messageText = (typed) =>
  commandText(typed.replace(/(?<![<|])https?:\/\/[^\s<>|]*[^\s<>|.,;:!?'")\]]/g, (url) => `<${url}>`));

async function send(composer) {
  const { field, where } = composer;
  const typed = field.value.trim();
  if (!typed) return;
  field.value = "";
  onInput(composer);
  const isCommand = typed.startsWith("/");
  const body = { ...where(), text: isCommand ? commandText(typed) : messageText(typed) };
  if (told(composer, await act(isCommand ? "command" : "message", body))) return;
  if (!field.value) field.value = typed;
}
