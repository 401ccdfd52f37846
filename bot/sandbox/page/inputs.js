// Interactive elements to HTML. Pure. Each control carries data-action-id, data-block-id and data-type, from
// which values.js reads what the person chose; data-dispatch says that a change is told to the app at once.
import { wallOf } from "./clock.js";
import { attributes, html, safeUrl } from "./html.js";
import { plain, textObject } from "./mrkdwn.js";

const DRAWN = {
  button,
  overflow,
  image,
  static_select: select,
  users_select: select,
  conversations_select: select,
  channels_select: select,
  external_select: combobox,
  multi_static_select: multi,
  multi_users_select: multi,
  multi_conversations_select: multi,
  multi_channels_select: multi,
  multi_external_select: multi,
  radio_buttons: choices,
  checkboxes: choices,
  datepicker: (e, at) => field(e, at, "date", e.initial_date),
  timepicker: (e, at) => field(e, at, "time", e.initial_time),
  datetimepicker: (e, at, context) =>
    field(e, at, "datetime-local", e.initial_date_time && wallOf(e.initial_date_time, context.zone)),
  plain_text_input: text,
  rich_text_input: (e, at) => text({ ...e, multiline: true }, at),
  email_text_input: (e, at) => field(e, at, "email", e.initial_value),
  url_text_input: (e, at) => field(e, at, "url", e.initial_value),
  number_input: number,
};

/** One element at `at`: {block, dispatch, id?, error?, optional?}. */
export function element(item, at, context) {
  if (!Object.hasOwn(DRAWN, item?.type ?? "")) {
    return html`<span class="block-unknown">This page cannot show an element of type “${item?.type ?? "none"}”.</span>`;
  }
  return DRAWN[item.type](item, at, context);
}

function names(item, at) {
  return {
    "data-action-id": item.action_id ?? "",
    "data-block-id": at.block,
    "data-type": item.type,
    "data-key": `a:${at.block}:${item.action_id ?? ""}`,
    "data-dispatch": at.dispatch ?? false,
    "data-confirm": item.confirm ?? false,
  };
}

function described(item, at) {
  const label = at.id ? null : (item.placeholder?.text ?? item.accessibility_label ?? item.action_id);
  return {
    id: at.id,
    "aria-label": label,
    "aria-describedby": at.error,
    "aria-invalid": at.error ? "true" : null,
    autofocus: Boolean(item.focus_on_load),
    placeholder: item.placeholder?.text,
  };
}

function button(item, at) {
  const style = ["primary", "danger"].includes(item.style) ? ` ${item.style}` : "";
  const own = attributes({
    ...names(item, at),
    "data-dispatch": false,
    "data-value": item.value ?? null,
    "data-url": item.url ? safeUrl(item.url) : null,
    "aria-label": item.accessibility_label,
  });
  return html`<button type="button" class="button${style}"${own}>${plain(item.text?.text)}</button>`;
}

function overflow(item, at) {
  const own = attributes({ ...names(item, at), "data-dispatch": false, "data-options": item.options ?? [] });
  return html`<button type="button" class="button overflow" aria-label="More actions" aria-haspopup="menu"${own}>⋯</button>`;
}

function image(item) {
  const address = safeUrl(item.image_url ?? "");
  if (!address) return html`<span class="accessory-image image-missing">${item.alt_text}</span>`;
  return html`<img class="accessory-image" src="${address}" alt="${item.alt_text}" loading="lazy">`;
}

const named = (value, label) => ({ text: { type: "plain_text", text: label }, value });
const people = (context) =>
  [...context.users.values()].filter((u) => !u.deleted).map((u) => named(u.id, u.real_name || u.name));
const rooms = (context, fit) => [...context.channels.values()].filter(fit).map((c) => named(c.id, `#${c.name}`));

const SOURCES = {
  static_select: (item) => item.options ?? [],
  users_select: (item, context) => people(context),
  channels_select: (item, context) => rooms(context, (c) => !c.is_private),
  conversations_select: (item, context) => [
    ...rooms(context, () => true),
    ...(item.filter?.include && !item.filter.include.includes("im") ? [] : people(context)),
  ],
  external_select: (item) => item.initial_options ?? [],
};

const sourceOf = (item, context) => SOURCES[item.type.replace(/^multi_/, "")](item, context);

function initialOf(item, context) {
  const usual = item.initial_option?.value ?? item.initial_user ?? item.initial_conversation ?? item.initial_channel;
  return usual ?? (item.default_to_current_conversation ? context.channel : null);
}

function option(entry, chosen) {
  const own = attributes({ value: entry.value, selected: entry.value === chosen, "data-option": entry });
  return html`<option${own}>${plain(entry.text?.text)}</option>`;
}

function optionGroup(group, chosen) {
  return html`<optgroup label="${group.label?.text}">${(group.options ?? []).map((o) => option(o, chosen))}</optgroup>`;
}

function select(item, at, context) {
  const chosen = initialOf(item, context);
  const entries = item.option_groups
    ? item.option_groups.map((g) => optionGroup(g, chosen))
    : sourceOf(item, context).map((o) => option(o, chosen));
  const { placeholder, ...said } = described(item, at);
  const own = attributes({ ...names(item, at), ...said });
  return html`<select class="control"${own}><option value="">${placeholder ?? "Choose an option"}</option>${entries}</select>`;
}

function combobox(item, at) {
  const chosen = item.initial_option;
  const own = attributes({
    ...names(item, at),
    "data-live-option": chosen ?? false,
    "data-minimum": item.min_query_length ?? 3,
  });
  const said = attributes({ ...described(item, at), value: chosen?.text?.text });
  return html`<span class="combobox"${own}><input class="control" type="text" role="combobox" autocomplete="off"
    aria-expanded="false"${said}></span>`;
}

function initialMany(item) {
  const listed = item.initial_users ?? item.initial_conversations ?? item.initial_channels;
  return new Set(listed ?? (item.initial_options ?? []).map((o) => o.value));
}

function multi(item, at, context) {
  const chosen = initialMany(item);
  const entries = item.option_groups ? item.option_groups.flatMap((g) => g.options ?? []) : sourceOf(item, context);
  const rows = entries.map((o) => checkable("checkbox", o, chosen.has(o.value), at, context));
  const search =
    item.type === "multi_external_select" &&
    html`<input class="control" type="search" data-search
    aria-label="Search" placeholder="Search…">`;
  const shown = entries
    .filter((o) => chosen.has(o.value))
    .map((o) => o.text?.text)
    .join(", ");
  const own = attributes({ ...names(item, at), "data-minimum": item.min_query_length ?? 3 });
  return html`<details class="multi"${own}><summary class="control" data-placeholder="${item.placeholder?.text ?? "Choose options"}">
    ${shown || (item.placeholder?.text ?? "Choose options")}</summary><div class="multi-list">${search}${rows}</div></details>`;
}

/** One row of a group: also used for options that arrive while the person searches. */
export function checkable(kind, entry, checked, at, context) {
  const own = attributes({
    type: kind,
    name: kind === "radio" ? at.name : null,
    value: entry.value,
    checked,
    "data-option": entry,
  });
  const more = entry.description && html`<small>${textObject(entry.description, context)}</small>`;
  return html`<label class="choice"><input${own}><span>${textObject(entry.text, context)}${more}</span></label>`;
}

function choices(item, at, context) {
  const single = item.type === "radio_buttons";
  const chosen = single ? new Set([item.initial_option?.value]) : initialMany(item);
  const group = { ...at, name: `${context.view ?? context.ts ?? ""}/${at.block}/${item.action_id}` };
  const rows = (item.options ?? []).map((o) =>
    checkable(single ? "radio" : "checkbox", o, chosen.has(o.value), group, context),
  );
  const own = attributes({ ...names(item, at), role: single ? "radiogroup" : "group" });
  return html`<div class="choices"${own}>${rows}</div>`;
}

function field(item, at, kind, initial, more = {}) {
  const own = attributes({ type: kind, value: initial, ...names(item, at), ...described(item, at), ...more });
  return html`<input class="control" autocomplete="off"${own}>`;
}

function number(item, at) {
  const step = item.is_decimal_allowed ? "any" : "1";
  return field(item, at, "number", item.initial_value, { min: item.min_value, max: item.max_value, step });
}

function text(item, at) {
  const limits = { minlength: item.min_length, maxlength: item.max_length ?? 3000 };
  const initial = typeof item.initial_value === "string" ? item.initial_value : "";
  if (!item.multiline) return field(item, at, "text", initial, limits);
  const own = attributes({ ...names(item, at), ...described(item, at), ...limits });
  return html`<textarea class="control" rows="4"${own}>
${initial}</textarea>`;
}
