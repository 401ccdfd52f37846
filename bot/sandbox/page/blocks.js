// Block Kit to HTML. Pure: (block, context) -> Markup. An unknown block is shown as a box, never dropped.
// context, beside mrkdwn's: {options?: Map of loaded external options, errors?: {block_id: text}}
import { element } from "./inputs.js";
import { attributes, html, safeUrl } from "./html.js";
import { markdown } from "./markdown.js";
import { mrkdwn, plain, textObject } from "./mrkdwn.js";
import { richText, tableCell } from "./richtext.js";

const DRAWN = {
  header: (block) => html`<h3 class="block-header">${plain(block.text?.text)}</h3>`,
  divider: () => html`<hr>`,
  section,
  context: (block, context) => boxed("block-context", block.elements, (e) => contextElement(e, context)),
  actions: (block, context) => boxed("block-actions", block.elements, (e) => element(e, placed(block), context)),
  image: imageBlock,
  input,
  rich_text: (block, context) => html`<div class="rich">${richText(block, context)}</div>`,
  markdown: (block) => html`<div class="rich">${markdown(block.text)}</div>`,
  table,
  alert: (block, context) =>
    html`<div class="block-alert ${block.level ?? "default"}" role="note">${textObject(block.text, context)}</div>`,
};

function boxed(name, list, draw) {
  return html`<div class="${name}">${(list ?? []).map(draw)}</div>`;
}

const placed = (block, dispatch = "change") => ({ block: block.block_id ?? "", dispatch });

function unknown(block) {
  return html`<div class="block-unknown">This page cannot show a block of type “${block?.type ?? "none"}”.</div>`;
}

/** One block. */
export function block(block, context) {
  const draw = Object.hasOwn(DRAWN, block?.type ?? "") ? DRAWN[block.type] : unknown;
  const key = block?.block_id;
  const names = attributes({ "data-block-id": key, "data-key": key && `b:${key}`, "data-block-type": block?.type });
  return html`<div class="block"${names}>${draw(block, context)}</div>`;
}

export const blocks = (list, context) => html`<div class="blocks">${(list ?? []).map((b) => block(b, context))}</div>`;

function section(block, context) {
  const text = block.text && html`<div class="section-text">${textObject(block.text, context)}</div>`;
  const fields =
    block.fields && boxed("section-fields", block.fields, (f) => html`<div>${textObject(f, context)}</div>`);
  const beside = block.accessory && [block.accessory];
  const accessory = beside && boxed("section-accessory", beside, (e) => element(e, placed(block), context));
  return html`<div class="section"><div class="section-main">${text}${fields}</div>${accessory}</div>`;
}

function contextElement(item, context) {
  if (item.type === "image") return image(item, "context-image");
  return html`<span>${textObject(item, context)}</span>`;
}

function image(item, kind) {
  const address = safeUrl(item.image_url ?? item.slack_file?.url ?? "");
  const alt = item.alt_text ?? "";
  if (!address) return html`<span class="${kind} image-missing" role="img" aria-label="${alt}">${alt}</span>`;
  return html`<img class="${kind}" src="${address}" alt="${alt}" loading="lazy">`;
}

function imageBlock(block) {
  const title = block.title && html`<figcaption>${plain(block.title.text)}</figcaption>`;
  return html`<figure>${title}${image(block, "block-image")}</figure>`;
}

const GROUPED = new Set([
  "radio_buttons",
  "checkboxes",
  "multi_static_select",
  "multi_users_select",
  "multi_conversations_select",
  "multi_channels_select",
  "multi_external_select",
]);

function dispatchOf(block) {
  if (!block.dispatch_action) return null;
  const on = block.element?.dispatch_action_config?.trigger_actions_on ?? [];
  return on.includes("on_character_entered") ? "character" : "change";
}

function input(block, context) {
  const error = context.errors?.[block.block_id];
  const id = `input-${context.view ?? "m"}-${block.block_id}`;
  const label = html`${plain(block.label?.text)}${block.optional ? html` <span class="optional">(optional)</span>` : ""}`;
  const at = { ...placed(block, dispatchOf(block)), id, optional: block.optional, error: error && `${id}-error` };
  const control = element(block.element ?? {}, at, context);
  const grouped = GROUPED.has(block.element?.type);
  const body = html`${control}${error ? html`<p class="field-error" id="${id}-error" role="alert">${error}</p>` : ""}
    ${block.hint ? html`<p class="field-hint">${plain(block.hint.text)}</p>` : ""}`;
  if (grouped)
    return html`<fieldset class="field${error ? " invalid" : ""}"><legend>${label}</legend>${body}</fieldset>`;
  return html`<div class="field${error ? " invalid" : ""}"><label for="${id}">${label}</label>${body}</div>`;
}

const ALIGN = ["left", "center", "right"];

function table(block, context) {
  const align = (column) => ALIGN.find((side) => side === block.column_settings?.[column]?.align) ?? "left";
  const cell = (content, row, column) => {
    const style = attributes({ class: `align-${align(column)}` });
    const shown = tableCell(content, context);
    return row ? html`<td${style}>${shown}</td>` : html`<th${style}>${shown}</th>`;
  };
  const rows = (block.rows ?? []).map((cells, row) => html`<tr>${cells.map((c, column) => cell(c, row, column))}</tr>`);
  return html`<div class="table-scroll"><table class="block-table">${rows}</table></div>`;
}

const NAMED_COLORS = { good: "#2eb67d", warning: "#ecb22e", danger: "#e01e5a" };

function barColor(color) {
  const shown = NAMED_COLORS[color] ?? `#${String(color ?? "").replace(/^#/, "")}`;
  return /^#[0-9a-f]{3,8}$/i.test(shown) ? shown : "var(--line-strong)";
}

function legacyField(field, context) {
  const text = mrkdwn(field.value, context);
  return html`<div class="${field.short ? "short" : "long"}"><b>${field.title}</b><div>${text}</div></div>`;
}

function legacy(item, context) {
  const title = item.title && html`<div class="attachment-title">${plain(item.title)}</div>`;
  const fields = item.fields?.length && boxed("attachment-fields", item.fields, (f) => legacyField(f, context));
  const foot = item.footer && html`<div class="block-context">${plain(item.footer)}</div>`;
  return html`${item.pretext && mrkdwn(item.pretext, context)}${title}${mrkdwn(item.text ?? "", context)}${fields}${foot}`;
}

/** One secondary attachment, with its colour bar. */
export function attachment(item, context) {
  const body = item.blocks?.length ? blocks(item.blocks, context) : legacy(item, context);
  const style = attributes({ style: `--bar: ${barColor(item.color)}` });
  return html`<div class="attachment"${style}>${body}</div>`;
}

/** What a message says: its blocks, or else its text; then its attachments. */
export function messageBody(message, context) {
  const main = message.blocks?.length ? blocks(message.blocks, context) : messageText(message, context);
  return html`${main}${(message.attachments ?? []).map((a) => attachment(a, context))}`;
}

function messageText(message, context) {
  if (!message.text) return "";
  return html`<div class="message-text rich">${mrkdwn(message.text, context)}</div>`;
}
