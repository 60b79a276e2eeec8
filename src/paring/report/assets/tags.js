"use strict";
// Masks learnt from tags: what came of each tag, and image by image how it came about.

const learnt = paring.data.tags ?? null;

const LAYERS_OF_TAGS = [
  { name: "labels", title: "Pseudo-labels", one: "mask" },
  { name: "truth", title: "Pseudo ground truth", one: "mask" },
  { name: "seeds", title: "Seeds", one: "mask", each: true },
  { name: "peaks", title: "Peaks", one: "peak" },
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
    minedGallery(
      box,
      learnt.examples.map((one) => ({
        points: { peaks: one.peaks },
        layers: one.layers,
        lines: [one.tags.join(", ")],
      })),
      LAYERS_OF_TAGS,
      "From the surest image to the least sure. Peaks are where the classifier sees a tag, seeds the proposals that the last branch scores highest, pseudo ground truth the complete instances they grew into, pseudo-labels what is given out.",
    );
  },
});
