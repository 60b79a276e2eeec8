"use strict";
// Pairs of a training and a test image that are nearly the same.

const leaks = paring.data.leaks ?? null;

paring.section({
  id: "leaks",
  title: "Pairs that leak",
  when: () => leaks,
  render(box) {
    const { pairs, threshold } = leaks;
    if (!pairs.length) {
      box.append(h("p", {}, `No pair is ${words.threshold(threshold)} or more similar.`));
      return;
    }
    box.append(
      h(
        "p",
        { class: "note" },
        "Left the training image, right the test image. Pairs that share an image, directly or over others, are one cluster; the worst cluster first.",
      ),
    );
    const grid = h("div", { class: "pairs" });
    let shown = 24;
    const more = h(
      "button",
      { type: "button", class: "quiet", onclick: () => ((shown += 48), fill()) },
      "Show more",
    );
    function fill() {
      grid.replaceChildren(...pairs.slice(0, shown).map(leakingPair));
      more.hidden = shown >= pairs.length;
    }
    fill();
    box.append(grid, more);
  },
});

function leakingPair([cluster, similarity, train, test]) {
  const both = [train, test];
  return h(
    "div",
    { class: "pair-of", "data-cluster": cluster },
    h(
      "p",
      { class: "line" },
      `cluster ${words.whole.format(cluster)} · similarity ${words.similarity(similarity)}`,
    ),
    h("div", {}, card(train, both, { line: "training set" }), card(test, both, { line: "test set" })),
  );
}
