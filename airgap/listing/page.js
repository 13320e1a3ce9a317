"use strict";
const SHOWN = 100;
const held = JSON.parse(document.getElementById("held").textContent);
const words = held.words;
const list = document.getElementById("entries");
const status = document.getElementById("status");
const more = document.getElementById("more");
const search = document.getElementById("search");
const host = location.host || "HOST:PORT";
const url = location.host ? location.origin : "http://" + host;
const plain = location.protocol !== "https:";
let found = held.entries;
let shown = 0;

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function both(text) {
  return text[0] === text[1] ? [text[0]] : ["ko", "en"].map((lang, index) => {
    const part = element("span", { textContent: text[index] });
    part.lang = lang;
    return part;
  });
}

function line(template) {
  return template
    .replaceAll("{hostname}", location.hostname || "HOST")
    .replaceAll(/\{plain ([^{}]*)\} ?/g, (_, option) => plain ? option + " " : "")
    .replaceAll("{host}", host)
    .replaceAll("{url}", url);
}

function copy(text, button) {
  const done = () => { button.replaceChildren(...both(words.copied)); };
  if (navigator.clipboard && window.isSecureContext) {
    navigator.clipboard.writeText(text).then(done);
    return;
  }
  const area = element("textarea", { value: text });
  button.after(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  button.focus();
  done();
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < 4) { bytes /= 1000; unit += 1; }
  return (unit ? bytes.toFixed(1) : String(bytes)) + " " + units[unit];
}

function fact(name, content) {
  return [element("dt", {}, ...both(name)), element("dd", {}, ...content)];
}

function row(entry) {
  const facts = element("dl", {});
  if (entry.digest) facts.append(...fact(words.digest, [element("code", { textContent: entry.digest })]));
  if (entry.size) facts.append(...fact(words.size, [size(entry.size)]));
  if (entry.platforms.length) facts.append(...fact(words.platforms, [entry.platforms.join(", ")]));
  if (entry.files.length) facts.append(...fact(words.files, [entry.files.join(", ")]));
  const lines = entry.lines.map(([client, template]) => {
    const text = line(template);
    const button = element("button", { type: "button" }, ...both(words.copy));
    button.setAttribute("aria-label", held.label.replace("{client}", client));
    button.addEventListener("click", () => copy(text, button));
    return element("div", { className: "line" }, element("span", { className: "client", textContent: client }),
      element("code", { textContent: text }), button);
  });
  const summary = element("summary", {}, element("span", { className: "kind" }, ...both(held.kinds[entry.kind] || [entry.kind, entry.kind])),
    element("bdi", { textContent: entry.name }));
  return element("li", {}, element("details", {}, summary, facts, ...lines));
}

function show() {
  list.append(...found.slice(shown, shown + SHOWN).map(row));
  shown = Math.min(found.length, shown + SHOWN);
  more.hidden = shown === found.length;
}

function find() {
  const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  found = terms.length ? held.entries.filter((entry) => terms.every((term) => entry.text.includes(term))) : held.entries;
  list.replaceChildren();
  shown = 0;
  show();
  status.replaceChildren(...both(words.count.map((text) => text.replace("{found}", found.length).replace("{all}", held.entries.length))));
}

for (const entry of held.entries) {
  entry.text = [entry.kind, ...(held.kinds[entry.kind] || []), entry.name, entry.digest, ...entry.platforms, ...entry.files].join("\n").toLowerCase();
}
search.addEventListener("input", find);
more.addEventListener("click", show);
if (!(navigator.language || "ko").startsWith("ko")) document.getElementById("en").checked = true;
find();
