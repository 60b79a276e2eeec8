"use strict";
// Masks learnt from tags: what came of each tag, and image by image how it came about.

const learnt = paring.data.tags ?? null;

const LAYERS_OF_TAGS = [
  ["labels", "Pseudo-labels"],
  ["truth", "Pseudo ground truth"],
  ["seeds", "Seeds"],
  ["peaks", "Peaks"],
];

if (learnt) {
  const { proposals, images: n, seconds } = learnt;
  const facts = [
    words.count(learnt.tags.length, "tag"),
    `${words.whole.format(Math.round(proposals / Math.max(n, 1)))} proposals an image`,
    ...Object.entries(seconds).map(([stage, value]) => `${stage} ${words.whole.format(Math.round(value))} s`),
  ];
  document.getElementById("facts").append(...facts.map((text) => h("li", {}, text)));
}

paring.section({
  id: "tags",
  title: "What came of each tag",
  when: () => learnt,
  render(box) {
    const { tags, quality } = learnt;
    const head = ["tag", "images", "labelled", "pseudo-labels"].map((text, k) =>
      h("th", { scope: "col", class: k ? "number" : null }, text),
    );
    const line = ([tag, ...numbers]) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("bdi", {}, tag)),
        ...numbers.map((value) => h("td", { class: "number" }, words.whole.format(value))),
      );
    const sorted = [...tags].sort((one, other) => other[1] - one[1]);
    box.append(
      h(
        "div",
        { class: "wide" },
        h(
          "table",
          { class: "losses", id: "tags-table" },
          h("thead", {}, h("tr", {}, head)),
          h("tbody", {}, sorted.map(line)),
        ),
      ),
    );
    const measured = Object.entries(quality);
    box.append(
      h(
        "p",
        { class: "note" },
        measured.length
          ? `Against the masks of the data set, of which nothing was learnt: ${measured
              .map(([name, value]) => `${name} ${(100 * value).toFixed(1)} %`)
              .join(", ")}.`
          : "The data set has no masks, so how good these are can only be looked at.",
      ),
    );
  },
});

paring.section({
  id: "mining",
  title: "How tags became masks",
  when: () => learnt?.examples.length,
  render(box) {
    const order = learnt.examples.map((_, row) => row);
    let layer = "labels";
    let shown = 12;
    const grid = h("div", { class: "cards mined" });
    const more = h(
      "button",
      { type: "button", class: "quiet", onclick: () => ((shown += 24), draw()) },
      "Show more",
    );
    const draw = () => {
      grid.replaceChildren(...order.slice(0, shown).map((row) => minedCard(row, layer)));
      more.hidden = shown >= order.length;
    };
    box.append(
      h(
        "p",
        { class: "note" },
        "From the surest image to the least sure. Peaks are where the classifier sees a tag, seeds the proposals that the last branch scores highest, pseudo ground truth the complete instances they grew into, pseudo-labels what is given out.",
      ),
      choice("What is drawn", LAYERS_OF_TAGS, layer, (value) => ((layer = value), draw())),
      grid,
      more,
    );
    draw();
  },
});

// A picture with one layer of outlines, or its peaks, on it.
function minedCard(row, layer) {
  const one = learnt.examples[row];
  const place = picture(row);
  place.querySelector(".outlines")?.remove();
  const drawn = one.layers[layer];
  const ratio = images.width[row] / images.height[row] || 4 / 3;
  if (layer === "peaks" && !place.classList.contains("none"))
    place.append(
      svg(
        "svg",
        { class: "outlines peaks", viewBox: `0 0 ${100 * ratio} 100`, "aria-hidden": "true" },
        ...one.peaks.map(([y, x]) => svg("circle", { cx: 100 * ratio * x, cy: 100 * y, r: 3 })),
      ),
    );
  else if (drawn) {
    const [width, height] = drawn.size;
    place.append(
      svg(
        "svg",
        { class: "outlines", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
        ...drawn.shapes.map(([tag, path], k) =>
          svg("path", {
            d: path,
            stroke: colours.at(layer === "seeds" ? k : tag),
            "vector-effect": "non-scaling-stroke",
          }),
        ),
      ),
    );
  }
  const number = layer === "peaks" ? one.peaks.length : (drawn?.shapes.length ?? 0);
  return h(
    "div",
    { class: "card still", "data-row": row },
    place,
    h(
      "span",
      { class: "card-words" },
      named(images.names[row]),
      h("span", { class: "line" }, one.tags.join(", ")),
      h("span", { class: "line" }, words.count(number, layer === "peaks" ? "peak" : "mask")),
    ),
  );
}
