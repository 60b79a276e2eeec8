"use strict";
// Images that go beside the kept one that stands for them, the worst covered first.

paring.section({
  id: "pairs",
  title: "What stands for what went",
  when: () => network?.covered_by.some((row) => row >= 0),
  render(box) {
    const rows = images.names.map((_, row) => row).filter((row) => network.covered_by[row] >= 0);
    rows.sort((a, b) => network.similarity[a] - network.similarity[b] || a - b);
    const alone = cut.own.reduce((sum, flag, row) => sum + (!flag && network.covered_by[row] < 0), 0);
    const none = alone ? ` ${words.count(alone, "dropped image")} cannot be compared with any kept one.` : "";
    const { coverage } = network;
    box.append(
      h(
        "p",
        {},
        rows.length === 1
          ? "One image went."
          : `In the median a dropped image is ${words.similarity(coverage.median)} similar to a kept one, at worst ${words.similarity(coverage.min)}.${none}`,
      ),
      h(
        "p",
        { class: "note" },
        "Left the image that went, right the kept one most like it; the worst covered first. Similarity alone does not say that nothing is lost: look at the first of them.",
      ),
    );
    chart(box, {
      title: "How similar the dropped images are to a kept one",
      note: "Dropped images by their similarity to the kept image most like them.",
      height: 260,
      option: () => coverOption(rows.map((row) => network.similarity[row])),
    });
    const grid = h("div", { class: "pairs" });
    let shown = 8;
    const more = h(
      "button",
      { type: "button", class: "quiet", onclick: () => ((shown += 16), fill()) },
      "Show more",
    );
    function fill() {
      grid.replaceChildren(...rows.slice(0, shown).map((row) => pairOf(row)));
      more.hidden = shown >= rows.length;
    }
    fill();
    box.append(grid, more);
  },
});

function pairOf(row) {
  const by = network.covered_by[row],
    both = [row, by];
  return h(
    "div",
    { class: "pair-of", "data-row": row },
    h("p", { class: "line" }, `similarity ${words.similarity(network.similarity[row])}`),
    h("div", {}, card(row, both, { flag: 0 }), card(by, both, { flag: 1 })),
  );
}

function coverOption(values) {
  const low = values[0],
    high = values.at(-1);
  const bins = 30,
    step = (high - low || 1e-3) / bins;
  const counts = new Array(bins).fill(0);
  for (const value of values) counts[Math.min(bins - 1, Math.floor((value - low) / step))]++;
  return {
    grid: { left: 44, right: 20, top: 16, bottom: 48, containLabel: true },
    tooltip: {
      trigger: "item",
      formatter: ({ dataIndex: bin }) =>
        hint(
          `${words.similarity(low + bin * step)} to ${words.similarity(low + (bin + 1) * step)}`,
          words.count(counts[bin], "dropped image"),
        ),
    },
    xAxis: {
      type: "value",
      min: low,
      max: low + bins * step,
      name: "similarity to the kept image most like it (no unit)",
      nameGap: 30,
      splitLine: { show: false },
      axisLabel: { formatter: words.similarity, showMinLabel: false, showMaxLabel: false },
    },
    yAxis: {
      type: "value",
      name: "dropped images",
      nameGap: 44,
      minInterval: 1,
      axisLabel: { formatter: shortNumber },
    },
    series: [
      {
        type: "bar",
        barWidth: "90%",
        data: counts.map((count, bin) => [low + (bin + 0.5) * step, count]),
        itemStyle: { color: colours.of("dropped") },
      },
    ],
  };
}
