// The app's Home tab.
import { blocks } from "./blocks.js";
import { attributes, html } from "./html.js";
import { morph } from "./morph.js";
import { context, state } from "./state.js";

function body() {
  if (state.home === undefined) return html`<p class="muted loading">Loading…</p>`;
  if (!state.home) return html`<p class="muted">The app has not published a Home for this person.</p>`;
  const own = attributes({ "data-view-id": state.home.id, "data-key": `v:${state.home.id}` });
  return html`<div class="home-view"${own}>${blocks(state.home.blocks, context({ view: state.home.id }))}</div>`;
}

export const draw = (root) => morph(root, body());
