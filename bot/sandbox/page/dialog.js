// Questions to the person that no app asked for: is this meant, and what should it say instead.
import { html } from "./html.js";
import { textObject } from "./mrkdwn.js";

function ask(markup) {
  const box = document.createElement("dialog");
  box.className = "modal confirm";
  box.innerHTML = String(markup);
  document.body.append(box);
  box.showModal();
  return new Promise((resolve) =>
    box.addEventListener("close", () => {
      box.remove();
      resolve(box);
    }),
  );
}

const frame = (title, body, no, yes) => html`<form method="dialog"><header><h2>${title}</h2></header>
  <div class="modal-body">${body}</div><footer>${no}${yes}</footer></form>`;
const no = (label) => html`<button class="button" value="">${label}</button>`;
const yes = (label, style) => html`<button class="button ${style}" value="yes" autofocus>${label}</button>`;

/** Asks before a button that says so; true when there is nothing to ask. `confirm` is Slack's confirmation object. */
export async function confirmed(confirm, context) {
  if (!confirm) return true;
  const style = confirm.style === "danger" ? "danger" : "primary";
  const text = (object, otherwise) => (object ? textObject(object, context) : otherwise);
  const box = await ask(
    frame(
      text(confirm.title),
      text(confirm.text),
      no(text(confirm.deny, "Cancel")),
      yes(text(confirm.confirm, "Yes"), style),
    ),
  );
  return box.returnValue === "yes";
}

/** The text that the person made of `text`, or null when it stays. */
export async function askText(title, text) {
  const field = html`<textarea class="control" rows="4" name="text" aria-label="${title}">
${text}</textarea>`;
  const box = await ask(frame(title, field, no("Cancel"), yes("Save", "primary")));
  const said = box.querySelector("textarea").value;
  return box.returnValue === "yes" && said !== text ? said : null;
}
