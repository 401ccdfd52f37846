// The pane on the right: one thread, with its own composer.
import { drawScrolled, keepAtEnd, nameOfHere } from "./channel.js";
import * as composer from "./composer.js";
import { html } from "./html.js";
import { onClick, threadList } from "./messages.js";
import { changed, closeThread, state } from "./state.js";

const at = (id) => document.getElementById(id);
let shown = null;

function body() {
  const [root, ...rest] = threadList(state.replies);
  const count = state.replies.length - 1;
  const words = `${count} ${count === 1 ? "reply" : "replies"}`;
  const line = count > 0 ? html`<div class="reply-line" data-key="count"><span>${words}</span></div>` : "";
  return html`${root}${line}${rest}`;
}

export function draw() {
  const isOpen = Boolean(state.thread);
  at("thread").hidden = !isOpen;
  if (!isOpen) {
    shown = null;
    return;
  }
  at("thread-place").textContent = nameOfHere();
  const key = `${state.here}/${state.thread}/${state.replies.length > 1}`;
  drawScrolled(at("thread-messages"), body(), shown !== key);
  shown = key;
  composer.label(at("thread-composer"), "Reply…");
}

export function start() {
  at("thread-messages").addEventListener("click", (event) => {
    if (onClick(event)) changed();
  });
  at("thread-close").addEventListener("click", closeThread);
  at("thread").addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) closeThread();
  });
  keepAtEnd(at("thread-messages"));
  composer.build(at("thread-composer"), () => ({ channel: state.here, thread_ts: state.thread }));
}
