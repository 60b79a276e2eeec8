"use strict";
// What all sections share: the data, building elements, numbers for people, the list of sections.

const paring = {
  data: JSON.parse(document.getElementById("data").textContent),
  sections: [],
  themed: [], // called when light becomes dark or back

  // A section stands on the page where `when` finds its data. Sections stand in the order of their
  // files. `render` fills the box it is given.
  section(section) {
    paring.sections.push(section);
  },
};

// An element with attributes and children; texts are set as text, never as markup.
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes);
  for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  fill(element, attributes);
  element.append(...children);
  return element;
}

function fill(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
}

// A file name: of whatever script, it does not turn the words around it.
const named = (name) => h("bdi", { class: "name" }, name);

const words = {
  whole: new Intl.NumberFormat("en"),

  count(number, noun) {
    if (number === 1) return `1 ${noun}`;
    const n = words.whole.format(number);
    if (noun.endsWith("y")) return `${n} ${noun.slice(0, -1)}ies`;
    return `${n} ${noun}${"xs".includes(noun.at(-1)) ? "es" : "s"}`;
  },

  share: (value) => `${words.percent(value)} %`,

  // one decimal, a tie to the even digit, as the terminal has it; only quarters can be ties
  percent(value) {
    const hundredfold = 100 * value;
    const quarter = Math.abs(hundredfold % 1) === 0.25;
    return (quarter ? Math.trunc(hundredfold * 10) / 10 : hundredfold).toFixed(1);
  },

  // a score: four digits that count
  score(value) {
    if (value === null || value === undefined) return "–";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1e6 || size < 1e-6) return value.toExponential(2);
    return size >= 1000 ? words.whole.format(Math.round(value)) : String(+value.toPrecision(4));
  },

  // rounded down, so that only 1 is shown as 1, and nothing as more alike than it is
  similarity(value) {
    if (value === null || value === undefined) return "–";
    if (value >= 1) return "1";
    const digits = value > 0.9999 ? 6 : value > 0.99 ? 4 : 3;
    const whole = Math.min(Math.floor(value * 10 ** digits + 1e-9), 10 ** digits - 1);
    return (whole / 10 ** digits).toFixed(digits);
  },
};

words.threshold = (value) => String(Math.floor(value * 1e4 + 1e-9) / 1e4);

function bytes(text) {
  const raw = atob(text);
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}

// Flags of the images from their bits; the first is the highest of the first byte.
function flags(text, n) {
  const packed = bytes(text);
  return Uint8Array.from({ length: n }, (_, row) => (packed[row >> 3] >> (7 - (row & 7))) & 1);
}

// At most one call a frame, the last one; for what a slider moves.
function calmly(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}

// A row of buttons of which one is pressed.
function choice(label, options, chosen, change) {
  const buttons = options.map(([value, text]) =>
    h(
      "button",
      { type: "button", "aria-pressed": String(value === chosen), onclick: () => set(value) },
      text,
    ),
  );
  function set(value) {
    options.forEach(([other], k) => buttons[k].setAttribute("aria-pressed", String(other === value)));
    change(value);
  }
  return h("div", { class: "choice", role: "group", "aria-label": label }, buttons);
}
