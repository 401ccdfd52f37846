// Markup that is escaped unless it was built here: text can never become HTML.
const ENTITY = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

class Markup {
  constructor(text) {
    this.text = text;
  }
  toString() {
    return this.text;
  }
}

export const escape = (value) => String(value ?? "").replace(/[&<>"']/g, (c) => ENTITY[c]);
export const trusted = (text) => new Markup(text);

function show(value) {
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(show).join("");
  return value === false || value == null ? "" : escape(value);
}

/** Tagged template: every value is escaped, except markup made by this same tag. */
export function html(parts, ...values) {
  return trusted(parts.reduce((out, part, i) => out + show(values[i - 1]) + part));
}

/** Attributes from an object: true is bare, false/null/undefined is left out, objects become JSON. */
export function attributes(pairs) {
  const shown = Object.entries(pairs).filter(([, v]) => v !== false && v != null);
  return trusted(shown.map(([name, v]) => attribute(name, v)).join(""));
}

function attribute(name, value) {
  if (value === true) return ` ${name}`;
  return ` ${name}="${escape(typeof value === "object" ? JSON.stringify(value) : value)}"`;
}

const SAFE_SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);

/** The address when a person may follow it, else null (`javascript:`, `data:` and the like). */
export function safeUrl(address) {
  try {
    const url = new URL(String(address).trim());
    return SAFE_SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function link(address, label) {
  const url = safeUrl(address);
  return url ? html`<a href="${url}" target="_blank" rel="noopener noreferrer">${label}</a>` : html`${label}`;
}
