// Bring an element into the form of a fresh one, touching only what differs: the focus, what is open and what
// is typed stay as they are.
const morph = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
  } else if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
  } else {
    morphAttributes(old, fresh);
    morphChildren(old, fresh);
  }
};
const morphAttributes = (old, fresh) => {
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
};
// What has an id stays where it is, if it can: moving it would take the focus away.
const morphChildren = (old, fresh) => {
  const stays = new Set([...fresh.children].map((child) => child.id));
  for (const child of [...old.children]) {
    if (child.id && !stays.has(child.id)) child.remove();
  }
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    while (wanted.id && at && at.nodeType !== Node.ELEMENT_NODE) {
      const text = at;
      at = at.nextSibling;
      text.remove();
    }
    const match = wanted.id ? [...old.children].find((child) => child.id === wanted.id) : at && !at.id && at.nodeName === wanted.nodeName && at;
    if (!match) {
      old.insertBefore(wanted, at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else old.insertBefore(match, at);
    morph(match, wanted);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
};

// hx-swap="morph": an answer of htmx takes its place like that.
window.htmx?.defineExtension("morph", {
  handleSwap: (style, target, answer) => {
    const fresh = style === "morph" && answer.firstElementChild;
    if (!fresh) return false;
    morph(target, fresh);
    return [target];
  },
});
