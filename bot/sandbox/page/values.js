// What a person chose, read from the page's controls, in the shape of Slack's state and actions.
import { instantOf } from "./clock.js";

const parse = (json) => (json ? JSON.parse(json) : null);
const chosenOption = (node) => parse(node.selectedOptions[0]?.dataset.option);
const checked = (node) => [...node.querySelectorAll("input:checked")].map((input) => parse(input.dataset.option));
const values = (node) => checked(node).map((option) => option.value);
const typed = (node) => ({ value: node.value === "" ? null : node.value });

function richTextOf(node) {
  if (!node.value) return { rich_text_value: null };
  const section = { type: "rich_text_section", elements: [{ type: "text", text: node.value }] };
  return { rich_text_value: { type: "rich_text", elements: [section] } };
}

const READ = {
  button: (node) => (node.dataset.value === undefined ? {} : { value: node.dataset.value }),
  static_select: (node) => ({ selected_option: chosenOption(node) }),
  external_select: (node) => ({ selected_option: parse(node.dataset.liveOption) }),
  users_select: (node) => ({ selected_user: node.value || null }),
  conversations_select: (node) => ({ selected_conversation: node.value || null }),
  channels_select: (node) => ({ selected_channel: node.value || null }),
  multi_static_select: (node) => ({ selected_options: checked(node) }),
  multi_external_select: (node) => ({ selected_options: checked(node) }),
  multi_users_select: (node) => ({ selected_users: values(node) }),
  multi_conversations_select: (node) => ({ selected_conversations: values(node) }),
  multi_channels_select: (node) => ({ selected_channels: values(node) }),
  radio_buttons: (node) => ({ selected_option: checked(node)[0] ?? null }),
  checkboxes: (node) => ({ selected_options: checked(node) }),
  datepicker: (node) => ({ selected_date: node.value || null }),
  timepicker: (node) => ({ selected_time: node.value || null }),
  datetimepicker: (node, zone) => ({ selected_date_time: node.value ? instantOf(node.value, zone) : null }),
  plain_text_input: typed,
  email_text_input: typed,
  url_text_input: typed,
  number_input: typed,
  rich_text_input: richTextOf,
};

/** The value of one control: {type, value | selected_…}. */
export function readControl(node, zone) {
  return { type: node.dataset.type, ...READ[node.dataset.type](node, zone) };
}

const NO_STATE = new Set(["button", "overflow"]);

export function controls(root) {
  return [...root.querySelectorAll("[data-action-id][data-type]")].filter((n) => !NO_STATE.has(n.dataset.type));
}

/** state.values of a message or a view: {block_id: {action_id: {type, …}}}. */
export function readState(root, zone) {
  const state = {};
  for (const node of controls(root)) {
    (state[node.dataset.blockId] ??= {})[node.dataset.actionId] = readControl(node, zone);
  }
  return state;
}

const isEmpty = (value) => value == null || value === "" || (Array.isArray(value) && !value.length);

export function isBlank(value) {
  return Object.entries(value).every(([name, v]) => name === "type" || isEmpty(v));
}

const REQUIRED = "Please complete this required field.";

function lengthFault(text, item) {
  if (text && text.length < (item.min_length ?? 0)) return `Please use at least ${item.min_length} characters.`;
  if (text && text.length > (item.max_length ?? 3000))
    return `Please use at most ${item.max_length ?? 3000} characters.`;
  return null;
}

function numberFault(text, item) {
  const number = Number(text);
  if (Number.isNaN(number)) return "Please enter a number.";
  if (!item.is_decimal_allowed && !Number.isInteger(number)) return "Please enter a whole number.";
  if (item.min_value != null && number < Number(item.min_value)) return `Please enter ${item.min_value} or more.`;
  if (item.max_value != null && number > Number(item.max_value)) return `Please enter ${item.max_value} or less.`;
  return null;
}

function formatFault(item, value) {
  if (item.type === "number_input") return numberFault(value.value, item);
  if (item.type === "email_text_input" && !/^\S+@\S+\.\S+$/.test(value.value)) return "Please enter an email address.";
  if (item.type === "url_text_input" && !URL.canParse(value.value)) return "Please enter a web address.";
  return lengthFault(value.value, item);
}

/** What Slack's own client refuses before it asks the app: {block_id: text}. */
export function faults(view, state) {
  const found = {};
  for (const block of view.blocks.filter((b) => b.type === "input")) {
    const value = state[block.block_id]?.[block.element.action_id ?? ""];
    const blank = !value || isBlank(value);
    const fault = blank ? !block.optional && REQUIRED : formatFault(block.element, value);
    if (fault) found[block.block_id] = fault;
  }
  return found;
}
