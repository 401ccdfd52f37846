// Clicks and choices on the app's elements: told to the app, with a spinner until it has answered.
import { confirmed } from "./dialog.js";
import { html } from "./html.js";
import { checkable } from "./inputs.js";
import { bubble, menu, step } from "./popover.js";
import { act, context } from "./state.js";
import { readControl, readState } from "./values.js";

function whereIs(node) {
  const view = node.closest("[data-view-id]");
  if (view) return { root: view, view_id: view.dataset.viewId };
  const message = node.closest("[data-ts][data-channel]");
  const ephemeral = message?.hasAttribute("data-ephemeral") || undefined;
  return { root: message, channel: message?.dataset.channel, ts: message?.dataset.ts, ephemeral };
}

async function tell(node, action) {
  const { root, ...place } = whereIs(node);
  if (!root || node.hasAttribute("data-live-busy")) return;
  const confirm = node.dataset.confirm && JSON.parse(node.dataset.confirm);
  if (!(await confirmed(confirm, context()))) return;
  node.setAttribute("data-live-busy", "");
  const state_values = readState(root, context().zone);
  const said = { block_id: node.dataset.blockId, action_id: node.dataset.actionId, ...action };
  const answer = await act("block_action", { ...place, action: said, state_values });
  node.removeAttribute("data-live-busy");
  if (!answer.ok) bubble(node, answer.error ?? "The app did not answer in time");
}

function pickOverflow(node) {
  const options = JSON.parse(node.dataset.options);
  const items = options.map((option) => ({
    label: option.text?.text,
    hint: option.description?.text,
    value: option.value,
    option,
  }));
  menu(node, items, ({ option }) => {
    const url = option.url;
    if (url) window.open(url, "_blank", "noopener");
    tell(node, { type: "overflow", selected_option: option });
  });
}

function press(node) {
  if (node.dataset.type === "overflow") return pickOverflow(node);
  if (node.dataset.url) window.open(node.dataset.url, "_blank", "noopener");
  return tell(node, readControl(node));
}

function onClick(event) {
  const node = event.target.closest("button[data-action-id]");
  if (node) press(node);
}

function dispatch(node) {
  tell(node, readControl(node, context().zone));
}

function onChoose(event) {
  const group = event.target.closest("details.multi");
  if (group) showChosen(group);
  if (event.target.closest("[data-search], .combobox")) return;
  const node = event.target.closest("[data-dispatch]");
  if (node && !isTyped(node)) dispatch(node);
}

const isTyped = (node) => /_input$/.test(node.dataset.type);

function intoList(event) {
  const list = event.key === "ArrowDown" && offered.get(event.target.closest(".combobox"));
  if (!list?.isConnected) return;
  event.preventDefault();
  step(list, 1);
}

function onKey(event) {
  if (event.target.matches?.("[role=combobox]")) intoList(event);
  const node = event.target.closest?.("[data-dispatch=change]");
  if (!node || !isTyped(node) || event.key !== "Enter" || event.target.tagName === "TEXTAREA") return;
  event.preventDefault();
  dispatch(node);
}

function onInput(event) {
  const box = event.target.closest(".combobox, [data-type=multi_external_select]");
  if (box && event.target.matches("[role=combobox], [data-search]")) return suggest(box, event.target);
  const node = event.target.closest("[data-dispatch=character]");
  if (node) dispatch(node);
}

function showChosen(group) {
  const labels = [...group.querySelectorAll("input:checked")].map((i) => JSON.parse(i.dataset.option).text.text);
  const summary = group.querySelector("summary");
  summary.textContent = labels.join(", ") || summary.dataset.placeholder;
}

const TYPING_PAUSE = 200;
const asked = new WeakMap();
const offered = new WeakMap();

function suggest(box, field) {
  clearTimeout(asked.get(box));
  if (box.matches(".combobox")) delete box.dataset.liveOption;
  if (field.value.length < Number(box.dataset.minimum)) return closeList(box);
  asked.set(
    box,
    setTimeout(() => load(box, field), TYPING_PAUSE),
  );
}

async function load(box, field) {
  const { view_id, channel, ts } = whereIs(box);
  const { blockId, actionId } = box.dataset;
  const body = { view_id, channel, ts, block_id: blockId, action_id: actionId, value: field.value };
  const answer = await act("options", body);
  if (!answer.ok) return bubble(field, answer.error ?? "The app did not send any options");
  const options = answer.options ?? answer.option_groups?.flatMap((g) => g.options) ?? [];
  return box.matches(".combobox") ? offer(box, field, options) : offerMany(box, options);
}

function closeList(box) {
  if (offered.get(box)?.isConnected) offered.get(box).hidePopover();
}

function offer(box, field, options) {
  closeList(box);
  const items = options.map((option) => ({
    label: option.text?.text,
    hint: option.description?.text,
    value: option.value,
    option,
  }));
  if (!items.length) return bubble(field, "No results");
  return offered.set(
    box,
    menu(field, items, ({ option }) => choose(box, field, option), { takeFocus: false }),
  );
}

function choose(box, field, option) {
  clearTimeout(asked.get(box));
  box.dataset.liveOption = JSON.stringify(option);
  field.value = option.text?.text ?? option.value;
  if (box.dataset.dispatch) dispatch(box);
}

function offerMany(box, options) {
  const list = box.querySelector(".multi-list");
  list.querySelectorAll("label").forEach((row) => row.querySelector("input:checked") ?? row.remove());
  const kept = new Set([...list.querySelectorAll("input:checked")].map((i) => i.value));
  const rows = options.filter((o) => !kept.has(o.value)).map((o) => checkable("checkbox", o, false, {}, context()));
  list.insertAdjacentHTML("beforeend", String(html`${rows}`));
}

function closeGroups(event) {
  for (const group of document.querySelectorAll("details.multi[open]")) {
    if (!group.contains(event.target)) group.open = false;
  }
}

/** After a view was drawn again: the chosen options are named again. */
export function refreshGroups(root) {
  root.querySelectorAll("details.multi").forEach(showChosen);
}

export function start() {
  document.addEventListener("click", closeGroups);
  document.addEventListener("click", onClick);
  document.addEventListener("change", onChoose);
  document.addEventListener("keydown", onKey);
  document.addEventListener("input", onInput);
  document.addEventListener("focusin", (event) => {
    const box = event.target.matches("[role=combobox]") && event.target.closest(".combobox");
    if (box && box.dataset.minimum === "0" && !box.dataset.liveOption) suggest(box, event.target);
  });
}
