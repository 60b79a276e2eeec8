"use strict";
// All images: search, filter, sort, scroll.

paring.section({
  id: "images",
  title: "All images",
  when: () => cuts.length,
  render(box) {
    const { measure } = cut ?? {};
    const lower = images.names.map((name) => name.toLowerCase());
    const field = (text, input) => h("label", { class: "field" }, h("span", {}, text), input);
    const listen = { oninput: calmly(filter) };
    const search = h("input", {
      type: "search",
      id: "search",
      placeholder: "part of a file name",
      ...listen,
    });
    const option = (value, text) => h("option", { value }, text);
    const category = h(
      "select",
      { id: "category", ...listen },
      option("", "any"),
      images.categories.map((name, k) => option(k, name)),
    );
    const state = h(
      "select",
      { id: "state", ...listen },
      stateOptions().map(([value, text]) => option(value, text)),
    );
    const low = h("input", { type: "number", id: "low", step: "any", placeholder: "from", ...listen });
    const high = h("input", {
      type: "number",
      id: "high",
      step: "any",
      placeholder: "to",
      "aria-label": "to",
      ...listen,
    });
    const sort = h(
      "select",
      { id: "sort", ...listen },
      sortOptions().map(([value, text]) => option(value, text)),
    );
    const found = h("p", { class: "found", "aria-live": "polite" });
    const range = measure
      ? field(`${sentenceCase(measure.short)} from, to`, h("span", { class: "range" }, low, high))
      : null;
    const clear = h(
      "button",
      {
        type: "button",
        class: "quiet",
        onclick: () => {
          for (const input of [search, category, state, low, high])
            input.value = input === state ? "all" : "";
          filter();
        },
      },
      "Clear",
    );
    box.append(
      h(
        "form",
        { class: "filters", onsubmit: (event) => event.preventDefault() },
        field("Search", search),
        images.categories.length ? field("Category", category) : null,
        field("Shown", state),
        range,
        field("Sorted by", sort),
        clear,
      ),
      found,
    );
    let rows = [];
    const list = virtualList(box, {
      rowHeight: 84,
      label: "Images",
      render: (row) => browseRow(row, () => rows),
    });

    function filter({ keep = false } = {}) {
      const part = search.value.trim().toLowerCase();
      const wanted = category.value === "" ? null : +category.value;
      const from = low.value === "" ? -Infinity : +low.value,
        to = high.value === "" ? Infinity : +high.value;
      const ranged = measure && (low.value !== "" || high.value !== "");
      rows = [];
      for (const row of inOrder(sort.value)) {
        if (part && !lower[row].includes(part)) continue;
        if (!inState(row, state.value)) continue;
        if (wanted !== null && !images.has(row, wanted)) continue;
        if (ranged) {
          const value = measure.values[row];
          if (value === null || value < from || value > to) continue;
        }
        rows.push(row);
      }
      const said =
        rows.length === images.n
          ? `All ${words.count(images.n, "image")}`
          : `${words.whole.format(rows.length)} of ${words.count(images.n, "image")}`;
      if (found.textContent !== said) found.textContent = said;
      list.show(rows, { keep });
    }
    filter();
    const again = () => (state.value === "all" ? list.show(rows, { keep: true }) : filter({ keep: true }));
    for (const one of cuts) one.onmove(calmly(again));
  },
});

const sentenceCase = (text) => text[0].toUpperCase() + text.slice(1);

function stateOptions() {
  if (cut)
    return [
      ["all", "kept and dropped"],
      ["kept", "kept"],
      ["dropped", "dropped"],
    ];
  return [
    ["all", "all images"],
    ["split", "where the runs disagree"],
    ...cuts.map((one, k) => [`only${k}`, `kept by ${one.about.name} alone`]),
    ["every", "kept by all"],
    ["none", "kept by none"],
  ];
}

function inState(row, state) {
  if (state === "all") return true;
  if (cut) return Boolean(cut.kept[row]) === (state === "kept");
  const sum = cuts.reduce((total, one) => total + one.kept[row], 0);
  if (state === "split") return sum > 0 && sum < cuts.length;
  if (state === "every") return sum === cuts.length;
  if (state === "none") return sum === 0;
  return sum === 1 && cuts[+state.slice(4)].kept[row] === 1;
}

function sortOptions() {
  const { measure } = cut ?? {};
  const by = measure
    ? [
        [
          measure.hard === "high" ? "down" : "up",
          `${measure.short}, ${measure.hard === "high" ? "highest" : "lowest"} first`,
        ],
        [
          measure.hard === "high" ? "up" : "down",
          `${measure.short}, ${measure.hard === "high" ? "lowest" : "highest"} first`,
        ],
      ]
    : [];
  const more = images.category.length ? [["instances", "most instances first"]] : [];
  return [...by, ["data", "order of the data set"], ["name", "file name"], ...more];
}

const orders = new Map(); // all rows, by the way they are sorted; no cut changes it

function inOrder(by) {
  if (!orders.has(by))
    orders.set(
      by,
      sorted(
        Array.from(images.names, (_, row) => row),
        by,
      ),
    );
  return orders.get(by);
}

function sorted(rows, by) {
  const { measure } = cut ?? {};
  if (by === "name")
    rows.sort((a, b) =>
      images.names[a] < images.names[b] ? -1 : images.names[a] > images.names[b] ? 1 : a - b,
    );
  else if (by === "instances") rows.sort((a, b) => images.instances[b] - images.instances[a] || a - b);
  else if (by === "down" || by === "up") {
    const sign = by === "down" ? 1 : -1,
      none = sign === 1 ? -Infinity : Infinity;
    const value = (row) => measure.values[row] ?? none;
    // values may both be none, of which the difference is no number
    rows.sort((a, b) => (value(a) === value(b) ? a - b : sign * (value(b) - value(a))));
  }
  return rows;
}

function dot(one, row) {
  const said = `${one.about.name}: ${one.kept[row] ? "kept" : "dropped"}`;
  return h("span", {
    class: `dot ${one.kept[row] ? "kept" : "dropped"}`,
    role: "img",
    "aria-label": said,
    title: said,
  });
}

function browseRow(row, rows) {
  const state = cut
    ? badge(cut.kept[row])
    : h(
        "span",
        { class: "dots" },
        cuts.map((one) => dot(one, row)),
      );
  return h(
    "button",
    { type: "button", class: "row", "data-row": row, onclick: () => viewer.open(row, rows()) },
    picture(row),
    h(
      "span",
      { class: "row-words" },
      named(images.names[row]),
      h("span", { class: "quiet-words" }, categoryWords(row)),
    ),
    h(
      "span",
      { class: "row-state" },
      state,
      h(
        "span",
        { class: "line" },
        cut || !images.category.length ? cut && lineOf(row) : words.count(images.instances[row], "instance"),
      ),
    ),
  );
}
