// People as coloured initials. Pure.
import { html } from "./html.js";

export const COLORS = [
  "#8a4fbf",
  "#1a7f64",
  "#b4552d",
  "#2f6fb5",
  "#a83279",
  "#5c6b1f",
  "#2a7d8c",
  "#9a3b3b",
  "#4d55b8",
  "#7a6211",
];

function colorOf(user) {
  const own = `#${String(user.color ?? "").replace(/^#/, "")}`;
  return /^#[0-9a-f]{6}$/i.test(own) ? own : COLORS[0];
}

const initials = (name) =>
  name
    .split(/\s+/)
    .map((w) => [...w][0] ?? "")
    .slice(0, 2)
    .join("")
    .toUpperCase();

const SIGNAL = html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 3v18M7 21h10M12 5h7l-2 3 2 3h-7"
  fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>`;

export const nameOf = (user) => user?.real_name || user?.name || "Unknown";

export function avatar(user, size = "") {
  if (!user) return html`<span class="avatar ${size}" aria-hidden="true">?</span>`;
  if (user.is_bot) return html`<span class="avatar bot ${size}" aria-hidden="true">${SIGNAL}</span>`;
  return html`<span class="avatar ${size}" style="--tint: ${colorOf(user)}" aria-hidden="true">${initials(nameOf(user))}</span>`;
}

/** What a person may not be taken for: an app, a guest, somebody of another workspace. */
export function badge(user, teamId) {
  if (user?.is_bot) return html`<span class="badge">APP</span>`;
  if (user?.team_id && user.team_id !== teamId) return html`<span class="badge other">EXTERNAL</span>`;
  return user?.is_restricted ? html`<span class="badge other">GUEST</span>` : "";
}
