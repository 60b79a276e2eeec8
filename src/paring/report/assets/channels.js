"use strict";
// A network that lost channels: what it costs now, and what stays of each layer.

const pruned = paring.data.channels ?? null;

if (pruned) {
  const { plan, layers, size } = pruned;
  const facts = [
    pruned.model,
    `by ${plan.criterion}`,
    words.count(layers.length, "layer"),
    `${words.whole.format(layers.filter((one) => one.channels < one.channels_before).length)} made narrower`,
    `at ${size[0]} × ${size[1]} pixels`,
  ];
  document.getElementById("facts").append(...facts.map((text) => h("li", {}, text)));
}

const amount = {
  // 59.0 M: three digits that count
  short(value) {
    for (const [size, letter] of [
      [1e12, "T"],
      [1e9, "G"],
      [1e6, "M"],
      [1e3, "k"],
    ])
      if (value >= size) return `${(value / size).toPrecision(3)} ${letter}`;
    return String(value);
  },
  ms: (value) => `${value.toFixed(value < 10 ? 2 : 1)} ms`,
};

paring.section({
  id: "cost",
  title: "What it costs",
  when: () => pruned,
  render(box) {
    const { costs, threads, refused, metrics } = pruned;
    const rows = [
      ["Multiply-accumulates", costs.macs, amount.short],
      ["Parameters", costs.parameters, amount.short],
      ["Time of an image", costs.ms, amount.ms],
    ].filter(([, { before, after }]) => before !== null && after !== null);
    const line = ([word, { before, after }, shown]) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, word),
        ...[shown(before), shown(after), before ? words.share(after / before) : "–"].map((text) =>
          h("td", { class: "number" }, text),
        ),
      );
    const head = ["", "before", "after", "stays"].map((text, k) =>
      h("th", { scope: "col", class: k ? "number" : null }, text),
    );
    box.append(
      h(
        "div",
        { class: "wide" },
        h(
          "table",
          { class: "losses", id: "costs" },
          h("thead", {}, h("tr", {}, head)),
          h("tbody", {}, rows.map(line)),
        ),
      ),
    );
    const notes = [
      costs.ms.after === null
        ? "It could not be timed."
        : `Time is the median of single images in ONNX Runtime, on ${words.count(threads, "thread")} of the machine of this run.`,
    ];
    if (refused) notes.push(`There is no model.onnx: ${refused}`);
    if (!Object.keys(metrics).length)
      notes.push("What the network still gets right was not measured: paring evaluate tells.");
    box.append(...notes.map((text) => h("p", { class: "note" }, text)));
    if (Object.keys(metrics).length) {
      const measures = Object.entries(metrics).map(([name, value]) =>
        h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "number" }, value.toFixed(4))),
      );
      box.append(
        h("h3", {}, "On the validation data, after fine-tuning"),
        h("div", { class: "wide" }, h("table", { class: "facts-table" }, h("tbody", {}, measures))),
      );
    }
  },
});

paring.section({
  id: "layers",
  title: "What stays of each layer",
  when: () => pruned,
  render(box) {
    const { layers } = pruned;
    chart(box, {
      title: "Channels of each layer, in the order of the network",
      note: "The whole bar is what the layer had, the coloured part what stays.",
      height: 340,
      option: () => ({
        grid: { left: 56, right: 12, top: 34, bottom: 40 },
        legend: {},
        tooltip: {
          trigger: "axis",
          axisPointer: { type: "shadow" },
          formatter: ([{ dataIndex }]) => tell(layers[dataIndex]),
        },
        xAxis: {
          type: "category",
          name: "layer",
          nameGap: 24,
          data: layers.map((_, k) => String(k + 1)),
        },
        yAxis: { type: "value", name: "channels", nameGap: 40 },
        series: [
          {
            name: "stay",
            type: "bar",
            stack: "channels",
            color: colours.at(0),
            data: layers.map((one) => one.channels),
          },
          {
            name: "gone",
            type: "bar",
            stack: "channels",
            color: colours.of("line"),
            data: layers.map((one) => one.channels_before - one.channels),
          },
        ],
      }),
    });
    box.append(h("div", { class: "wide" }, layerTable(layers)));
  },
});

function tell(one) {
  const lines = [
    `${words.whole.format(one.channels)} of ${words.whole.format(one.channels_before)} channels`,
    `${amount.short(one.macs)} of ${amount.short(one.macs_before)} multiply-accumulates`,
  ];
  if (one.kept_whole) lines.push(one.kept_whole);
  return hint(one.layer, ...lines);
}

function layerTable(layers) {
  const head = ["", "layer", "channels", "of", "stay", "MACs", "of", "parameters", "of", "why it keeps all"];
  const line = (one, k) =>
    h(
      "tr",
      {},
      h("td", { class: "number" }, String(k + 1)),
      h("th", { scope: "row" }, named(one.layer)),
      ...[
        words.whole.format(one.channels),
        words.whole.format(one.channels_before),
        words.share(one.channels / one.channels_before),
        amount.short(one.macs),
        amount.short(one.macs_before),
        amount.short(one.parameters),
        amount.short(one.parameters_before),
      ].map((text) => h("td", { class: "number" }, text)),
      h("td", {}, one.channels === one.channels_before ? (one.kept_whole ?? "") : ""),
    );
  return h(
    "table",
    { class: "losses results", style: "max-width:none", id: "layer-table" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        head.map((text, k) =>
          h("th", { scope: "col", class: k === 1 || k === head.length - 1 ? null : "number" }, text),
        ),
      ),
    ),
    h("tbody", {}, layers.map(line)),
  );
}

paring.section({
  id: "plan",
  title: "How it was made",
  when: () => pruned,
  render(box) {
    const said = Object.entries(pruned.plan).map(([name, value]) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, name.replaceAll("_", " ")),
        h("td", {}, h("bdi", {}, Array.isArray(value) ? value.join(", ") || "–" : String(value))),
      ),
    );
    box.append(h("div", { class: "wide" }, h("table", { class: "facts-table" }, h("tbody", {}, said))));
  },
});
