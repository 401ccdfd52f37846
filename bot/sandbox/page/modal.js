// The stack of modals: the app's views, submitted and closed as in Slack. The native dialog traps the focus.
import { refreshGroups } from "./actions.js";
import { avatar } from "./avatar.js";
import { blocks } from "./blocks.js";
import { html } from "./html.js";
import { morph } from "./morph.js";
import { plain } from "./mrkdwn.js";
import { act, changed, closeView, context, pushView, state, updateView } from "./state.js";
import { faults, readState } from "./values.js";

const dialogs = new Map();
const told = new Map();

const noteOf = (id) => told.get(id) ?? {};
const note = (id, more) => {
  told.set(id, more);
  changed();
};

function foot(view) {
  const { busy } = noteOf(view.id);
  const close = html`<button type="button" class="button" data-close>${plain(view.close?.text ?? (view.submit ? "Cancel" : "Close"))}</button>`;
  if (!view.submit) return close;
  const own = busy ? html` disabled aria-busy="true" data-busy` : "";
  return html`${close}<button type="submit" class="button primary" data-submit${own}>${plain(view.submit.text)}</button>`;
}

function content(view) {
  const { errors = {}, fault } = noteOf(view.id);
  const bot = state.users.get(state.workspace.app.bot_user);
  return html`<header>${avatar(bot, "small")}<h2 id="title-${view.id}">${plain(view.title?.text)}</h2>
    <button type="button" class="icon" data-close aria-label="Close">✕</button></header>
    <div class="modal-body">${fault ? html`<p class="modal-fault" role="alert" data-key="fault">${fault}</p>` : ""}
    ${blocks(view.blocks, context({ view: view.id, errors }))}</div><footer>${foot(view)}</footer>`;
}

const idOf = (box) => box.dataset.viewId;

function build(view) {
  const box = document.createElement("dialog");
  box.className = "modal";
  box.dataset.viewId = view.id;
  box.setAttribute("aria-labelledby", `title-${view.id}`);
  box.innerHTML = "<form novalidate></form>";
  box.addEventListener("cancel", (event) => {
    if (event.target === box) {
      event.preventDefault();
      dismiss(idOf(box));
    }
  });
  box.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) dismiss(idOf(box));
  });
  box.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(idOf(box));
  });
  document.body.append(box);
  return box;
}

function focusFirst(box) {
  const first = box.querySelector(
    "[autofocus], .modal-body .control, .modal-body input, footer .primary, footer button",
  );
  first?.focus();
}

function show(view) {
  const isNew = !dialogs.has(view.id);
  if (isNew) dialogs.set(view.id, build(view));
  const box = dialogs.get(view.id);
  morph(box.querySelector("form"), content(view));
  refreshGroups(box);
  if (!isNew) return;
  box.showModal();
  focusFirst(box);
}

function remove(id) {
  dialogs.get(id).close();
  dialogs.get(id).remove();
  dialogs.delete(id);
  told.delete(id);
}

export function draw() {
  const wanted = new Set(state.views.map((v) => v.id));
  [...dialogs.keys()].filter((id) => !wanted.has(id)).forEach(remove);
  state.views.forEach(show);
}

function dismiss(id) {
  closeView(id);
  act("view_close", { view_id: id });
}

async function submit(id) {
  const view = state.views.find((v) => v.id === id);
  if (!view || noteOf(id).busy) return;
  const state_values = readState(dialogs.get(id), context().zone);
  const errors = faults(view, state_values);
  note(id, Object.keys(errors).length ? { errors } : { busy: true });
  if (!noteOf(id).busy) return focusFault(id);
  return answered(id, await act("view_submit", { view_id: id, state_values }));
}

const RESPONSE = {
  errors: (id, answer) => {
    note(id, { errors: answer.errors });
    focusFault(id);
  },
  update: (id, answer) => {
    told.delete(id);
    rename(id, answer.view);
    updateView(answer.view, id);
  },
  push: (id, answer) => {
    told.delete(id);
    pushView(answer.view);
  },
  clear: () => {
    state.views = [];
    changed();
  },
};

// A view that takes another's place keeps its dialog.
function rename(id, view) {
  if (view.id === id) return;
  const box = dialogs.get(id);
  dialogs.delete(id);
  dialogs.set(view.id, box);
  box.dataset.viewId = view.id;
}

function answered(id, answer) {
  if (!answer.ok && !answer.errors)
    return note(id, { fault: answer.error ?? "The app did not answer in time. Please try again." });
  const respond = RESPONSE[answer.response_action ?? (answer.errors ? "errors" : "")];
  return respond ? respond(id, answer) : closeView(id);
}

function focusFault(id) {
  queueMicrotask(() => dialogs.get(id)?.querySelector(".invalid .control, .invalid input")?.focus());
}
