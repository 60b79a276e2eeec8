"use strict";
// Masks found in images alone: how many at each stage, how good, and what they look like.

const freed = paring.data.free ?? null;

const LAYERS_OF_IMAGES = [
  { name: "labels", title: "Pseudo-labels", one: "mask", each: true },
  { name: "updated", title: "For the second training", one: "mask", each: true },
  { name: "masks", title: "Free masks", one: "mask", each: true },
  { name: "exemplars", title: "Exemplars", one: "exemplar", each: true },
];

if (freed) {
  const facts = Object.entries(freed.seconds).map(
    ([stage, value]) => `${stage} ${words.whole.format(Math.round(value))} s`,
  );
  document.getElementById("facts").append(...facts.map((text) => h("li", {}, text)));
}

paring.section({
  id: "free",
  title: "What came of each stage",
  when: () => freed,
  render(box) {
    const line = ([stage, number, per]) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, stage),
        h("td", { class: "number" }, words.whole.format(number)),
        h("td", { class: "number" }, per === null ? "" : per.toFixed(1)),
      );
    const head = ["stage", "masks", "an image"].map((text, k) =>
      h("th", { scope: "col", class: k ? "number" : null }, text),
    );
    box.append(
      h(
        "div",
        { class: "wide" },
        h(
          "table",
          { class: "losses", id: "free-table" },
          h("thead", {}, h("tr", {}, head)),
          h("tbody", {}, freed.stages.map(line)),
        ),
      ),
    );
    if (freed.active !== null)
      box.append(
        h(
          "p",
          { class: "note" },
          `${(100 * freed.active).toFixed(1)} % of the embeddings had both a positive and a negative exemplar that move them; of the others the contrast learns nothing.`,
        ),
      );
    const measured = Object.entries(freed.quality);
    box.append(
      h(
        "p",
        { class: "note" },
        measured.length
          ? `Against the masks of the data set, of which nothing was learnt: ${measured
              .map(([name, value]) => `${name} ${(100 * value).toFixed(1)} %`)
              .join(", ")}. Where it has not all things, AP counts those it lacks as wrong.`
          : "The data set has no masks, so how good these are can only be looked at.",
      ),
    );
  },
});

paring.section({
  id: "found",
  title: "What was found",
  when: () => freed?.examples.length,
  render(box) {
    const there = LAYERS_OF_IMAGES.filter(({ name }) => freed.examples.some((one) => one.layers[name]));
    minedGallery(
      box,
      freed.examples,
      there.length ? there : LAYERS_OF_IMAGES.slice(0, 1),
      "From the highest maskness of a free mask to the lowest; the ten best masks of each image are drawn.",
    );
  },
});
