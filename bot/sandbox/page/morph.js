// Turns an element's children into new markup while keeping the nodes (focus, typed text, scroll) that stay.
// Children with data-key are matched by it; attributes named data-live-* belong to the page and are kept.

export function morph(element, markup) {
  const template = document.createElement("template");
  template.innerHTML = String(markup);
  const focused = document.activeElement;
  morphChildren(element, template.content);
  if (focused !== document.activeElement && element.contains(focused)) focused.focus({ preventScroll: true });
}

const keyOf = (node) => node.dataset?.key ?? null;

function morphChildren(parent, wanted) {
  const keep = new Set([...wanted.children].map(keyOf).filter(Boolean));
  const keyed = new Map();
  for (const child of [...parent.children]) {
    const key = keyOf(child);
    if (key && keep.has(key) && !keyed.has(key)) keyed.set(key, child);
    else if (key) child.remove();
  }
  let current = parent.firstChild;
  for (const want of [...wanted.childNodes]) current = place(parent, current, want, keyed);
  while (current) current = removeAndNext(current);
}

function place(parent, current, want, keyed) {
  const have = match(current, want, keyed);
  if (!have) {
    parent.insertBefore(want, current);
    return current;
  }
  const next = have === current ? current.nextSibling : current;
  if (have !== current) parent.insertBefore(have, current);
  morphNode(have, want);
  return next;
}

function match(current, want, keyed) {
  const key = keyOf(want);
  if (key) {
    const have = keyed.get(key);
    keyed.delete(key);
    return have?.nodeName === want.nodeName ? have : null;
  }
  return current && current.nodeName === want.nodeName && !keyOf(current) ? current : null;
}

function removeAndNext(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function morphNode(have, want) {
  if (have.nodeType !== Node.ELEMENT_NODE) {
    if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
    return;
  }
  if (have.isEqualNode(want)) return;
  morphAttributes(have, want);
  morphChildren(have, want);
}

function morphAttributes(have, want) {
  for (const { name } of [...have.attributes]) {
    if (!want.hasAttribute(name) && !name.startsWith("data-live-") && name !== "open") have.removeAttribute(name);
  }
  for (const { name, value } of want.attributes) {
    if (!name.startsWith("data-live-") && have.getAttribute(name) !== value) have.setAttribute(name, value);
  }
}
