"use strict";
// A list of any length of which only the rows in view are on the page.

const LONGEST = 8_000_000; // pixels of an element that every browser can still scroll

function virtualList(box, { rowHeight, label, render }) {
  const space = h("ul", { class: "rows" });
  const view = h("div", { class: "virtual", tabindex: "0", role: "region", "aria-label": label }, space);
  box.append(view);
  let rows = [],
    drawn = new Map();

  function draw() {
    const whole = rows.length * rowHeight,
      height = Math.min(whole, LONGEST);
    space.style.height = `${height}px`; // first, as a short list makes a low view
    const reach = Math.max(1, height - view.clientHeight);
    // a list too long to scroll pixel by pixel is scrolled by shares of it
    const scale = whole > height ? (whole - view.clientHeight) / reach : 1;
    const top = view.scrollTop * scale,
      shift = view.scrollTop - top;
    const first = Math.max(0, Math.floor(top / rowHeight) - 4);
    const last = Math.min(rows.length, Math.ceil((top + view.clientHeight) / rowHeight) + 4);
    const fresh = new Map();
    for (let place = first; place < last; place++) {
      const key = `${place}:${rows[place]}`;
      const line =
        drawn.get(key) ??
        h(
          "li",
          { style: `height:${rowHeight}px`, "aria-setsize": rows.length, "aria-posinset": place + 1 },
          render(rows[place], place),
        );
      line.style.transform = `translateY(${place * rowHeight + shift}px)`;
      fresh.set(key, line);
    }
    for (const [key, line] of drawn) if (!fresh.has(key)) line.remove();
    [...fresh.values()].forEach((line, k) => {
      if (space.children[k] !== line) space.insertBefore(line, space.children[k] ?? null);
    });
    drawn = fresh;
  }

  view.addEventListener("scroll", calmly(draw));
  new ResizeObserver(calmly(draw)).observe(view);
  return {
    view,
    show(next, { keep = false } = {}) {
      rows = next;
      for (const line of drawn.values()) line.remove();
      drawn = new Map();
      if (!keep) view.scrollTop = 0;
      draw();
    },
  };
}
