// Small things that float by what they belong to: menus, a bubble with an error, and toasts.
import { html } from "./html.js";

function near(anchor, box) {
  const at = anchor.getBoundingClientRect();
  const below = at.bottom + 4 + box.offsetHeight <= innerHeight;
  box.style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - box.offsetHeight - 4)}px`;
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
}

// What lies outside an open dialog cannot be reached, so the box is put inside the one that holds the anchor.
function float(anchor, box, kind) {
  box.popover = kind;
  (anchor.closest("dialog") ?? document.body).append(box);
  box.addEventListener("toggle", (event) => {
    if (event.newState === "closed") box.remove();
  });
  box.showPopover();
  near(anchor, box);
}

function entry(item, index) {
  const hint = item.hint && html`<small>${item.hint}</small>`;
  return html`<button type="button" role="menuitem" tabindex="-1" class="${item.danger ? "danger" : ""}"
    data-index="${index}" data-menu-item="${item.value ?? item.label}"><span>${item.label}</span>${hint}</button>`;
}

/** Moves the focus among a menu's items. */
export function step(box, by) {
  const items = [...box.querySelectorAll("[role=menuitem]")];
  const at = items.indexOf(document.activeElement);
  items[(at + by + items.length) % items.length]?.focus();
}

function onMenuKey(event, box) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  step(box, by);
}

/** A menu of [{label, hint?, danger?, value?}]; `pick(item)` when one is chosen. Returns its box. */
export function menu(anchor, items, pick, { takeFocus = true } = {}) {
  const box = document.createElement("div");
  box.className = "menu";
  box.setAttribute("role", "menu");
  box.innerHTML = String(html`${items.map(entry)}`);
  box.addEventListener("keydown", (event) => onMenuKey(event, box));
  box.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-index]");
    if (!chosen) return;
    event.stopPropagation();
    box.hidePopover();
    anchor.focus();
    pick(items[chosen.dataset.index]);
  });
  float(anchor, box, "auto");
  if (takeFocus) step(box, 1);
  return box;
}

const BUBBLE_SHOWN = 6000;

/** An error by the control that it belongs to; the next press anywhere puts it away. */
export function bubble(anchor, text) {
  const box = document.createElement("div");
  box.className = "bubble";
  box.setAttribute("role", "alert");
  box.textContent = text;
  float(anchor.isConnected ? anchor : document.body, box, "manual");
  setTimeout(() => box.remove(), BUBBLE_SHOWN);
  document.addEventListener("pointerdown", () => box.remove(), { once: true });
}

const TOAST_SHOWN = 9000;

/** A line in the corner; with an action it is a button. One `about` a person goes when that person is acted as. */
export function toast(text, { label, run, about } = {}) {
  const box = document.createElement("div");
  box.className = "toast";
  if (about) box.dataset.about = about;
  const action = label && html`<button type="button" class="link" data-toast>${label}</button>`;
  box.innerHTML = String(
    html`<span>${text}</span>${action}<button type="button" class="icon" data-dismiss aria-label="Dismiss">✕</button>`,
  );
  box.addEventListener("click", (event) => {
    if (!event.target.closest("button")) return;
    box.remove();
    if (event.target.closest("[data-toast]")) run();
  });
  const shelf = document.getElementById("toasts");
  shelf.append(box);
  while (shelf.children.length > 3) shelf.firstChild.remove();
  setTimeout(() => box.remove(), TOAST_SHOWN);
}

export function forgetToasts(about) {
  for (const box of document.querySelectorAll(`.toast[data-about="${CSS.escape(about)}"]`)) box.remove();
}
