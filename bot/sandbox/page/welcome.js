// What a newcomer sees first: what this is, and where to begin. Pure markup.
import { html } from "./html.js";
import { state } from "./state.js";

const icon = (path) =>
  html`<svg class="icon-svg solid" viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
export const ICON = { play: icon("M5 3.5v9l7.5-4.5z"), skip: icon("M3 4v8l6-4zM12.5 4v8") };

const ABOUT = html`<b>Pointsman</b> is a Slack bot that catches what a company's automations drop:
  every exception gets an owner, a deadline and a button.`;

export const banner =
  () => html`<p>${ABOUT} <span class="muted">This is a sandbox on your own machine: nothing leaves it.</span></p>
  <button type="button" class="icon" data-dismiss-banner aria-label="Dismiss">✕</button>`;

export const firstStory = () => state.demo?.stories.find((s) => s.state === "ready");

function begin() {
  const story = state.demo?.stories.every((s) => s.state === "ready") && firstStory();
  if (!story) return "";
  return html`<p class="muted">Let one of the example company's automations fail and see what happens.</p>
    <button type="button" class="button primary large" data-story="${story.id}">${ICON.play} ${story.title}</button>`;
}

/** In place of the messages of a conversation that has none. */
export function emptyChannel(name) {
  if (!name) return "";
  return html`<div class="empty" data-key="empty"><h2>${name}</h2><p>Nothing has happened here yet.</p>${begin()}</div>`;
}
