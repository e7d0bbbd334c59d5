// Small helpers around the document. What people typed goes in as text, never as markup.

export const byId = (id) => document.getElementById(id);

// element("li", { class: "room" }, "text", otherElement)
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

const svgNamespace = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(svgNamespace, name);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

// False and null take an attribute away.
export function setAttributes(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) target.removeAttribute(name);
    else target.setAttribute(name, value === true ? "" : value);
  }
}

// Shows a text in an element, or hides the element where there is none.
export function showText(target, text) {
  if (target.textContent !== (text ?? "")) target.textContent = text ?? "";
  target.hidden = !text;
}

// Says something to those who hear the page. The same text twice is said twice.
export function announce(text) {
  const announcer = byId("announcer");
  announcer.textContent = "";
  requestAnimationFrame(() => { announcer.textContent = text; });
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

// localStorage may be forbidden: then nothing is remembered.
export const memory = {
  get(key) {
    try { return localStorage.getItem(key) ?? ""; } catch { return ""; }
  },
  set(key, value) {
    try { localStorage.setItem(key, value); } catch { /* forgotten with the page */ }
  },
};

// One of eight tones, the same for a name everywhere.
export function toneOf(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return sum % 8;
}
