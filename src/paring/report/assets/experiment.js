"use strict";
// A comparison of methods: what each keeps at each rate, what it costs to rank, and what failed.

const experiment = paring.data.experiment ?? null;

if (experiment) {
  const { cells, methods, seeds, model } = experiment;
  const rates = new Set(experiment.rows.map((row) => row.rate).filter((rate) => rate > 0));
  const facts = [
    `trained ${model}`,
    words.count(methods.length - 1, "method"),
    words.count(rates.size, "rate"),
    words.count(seeds, "seed"),
    `${words.whole.format(cells.done)} of ${words.count(cells.planned, "cell")} done`,
    ...(cells.failed ? [`${words.whole.format(cells.failed)} failed`] : []),
  ];
  document.getElementById("facts").append(...facts.map((text) => h("li", {}, text)));
  // each method always has the same colour and mark; chance is the colour of the text
  const others = methods.filter(({ name }) => name !== "full" && name !== "random");
  others.forEach((method, k) => Object.assign(method, { colour: () => colours.at(k), ...markOf(k) }));
  for (const method of methods) {
    if (method.name === "full") Object.assign(method, { colour: () => colours.of("muted"), ...markOf(0) });
    if (method.name === "random")
      Object.assign(method, { colour: () => colours.of("ink"), ...markOf(0, "dashed") });
    method.shown = true;
  }
  experiment.method = new Map(methods.map((method) => [method.name, method]));
}

function markOf(k, line = null) {
  const round = Math.floor(k / colours.series.length);
  return {
    symbol: ["circle", "rect", "triangle", "diamond"][round % 4],
    line: line ?? ["solid", "dotted", "dashed"][round % 3],
  };
}

const called = (name) => ({ full: "full data", random: "random (chance)" })[name] ?? name;

const measured = {
  number: (value) => (value === null ? "–" : value.toFixed(4)),
  spread: ([mean, deviation]) =>
    mean === null ? "–" : mean.toFixed(4) + (deviation === null ? "" : ` ± ${deviation.toFixed(4)}`),
  signed(value) {
    if (value === null) return "–";
    const shown = Math.abs(value).toFixed(4);
    if (!+shown) return shown;
    return (value < 0 ? "−" : "+") + shown;
  },
  whole: (value) => (value === null ? "–" : words.whole.format(Math.round(value))),
  rate: (rate) => `${+(100 * rate).toPrecision(10)} %`,
  time(seconds) {
    if (seconds === null) return "–";
    if (seconds < 60) return `${+seconds.toPrecision(2)} s`;
    return seconds < 3600 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(2)} h`;
  },
};

paring.section({
  id: "by-rate",
  title: "What each method keeps",
  when: () => experiment?.rows.length,
  render(box) {
    const charts = [];
    const buttons = experiment.methods.map((method) => {
      const swatch = h("span", { class: "swatch" });
      const paint = () => (swatch.style.background = method.colour());
      paint();
      paring.themed.push(paint);
      const button = h(
        "button",
        {
          type: "button",
          class: "quiet",
          title: method.words,
          "aria-pressed": "true",
          onclick() {
            method.shown = !method.shown;
            button.setAttribute("aria-pressed", String(method.shown));
            button.style.textDecoration = method.shown ? "" : "line-through";
            charts.forEach((one) => one.draw());
          },
        },
        swatch,
        called(method.name),
      );
      return button;
    });
    box.append(
      h("p", { class: "note" }, "Press a method to take it out of the charts, or to bring it back."),
      h("div", { class: "filters", role: "group", "aria-label": "Methods in the charts" }, buttons),
    );
    for (const budget of experiment.budgets)
      for (const metric of experiment.metrics)
        charts.push(
          chart(box, {
            title: `${metric} over the share removed, at equal ${budget}`,
            note: "Mean over seeds; bars are the sample standard deviation. Marks of one rate stand side by side. The level line is the full data.",
            height: 380,
            option: () => overRates(budget, metric),
          }),
        );
  },
});

function overRates(budget, metric) {
  const rows = experiment.rows.filter((row) => row.budget === budget && row.values[metric][0] !== null);
  const rates = [...new Set(rows.map((row) => row.rate))];
  const least = Math.min(...rates),
    most = Math.max(...rates);
  const gap = Math.min(...rates.slice(1).map((rate, k) => rate - rates[k]), 0.2);
  const cuts = experiment.methods.filter(({ name, shown }) => shown && name !== "full");
  const step = (0.3 * gap) / Math.max(cuts.length, 1);
  const series = [];
  const add = (method, own, shift, more = {}) => {
    const data = own.map((row) => ({ value: [100 * (row.rate + shift), row.values[metric][0]], row }));
    const colour = method.colour();
    const name = called(method.name);
    series.push({
      name,
      type: "line",
      data,
      color: colour,
      symbol: method.symbol,
      symbolSize: 8,
      lineStyle: { type: method.line, width: 2 },
      ...more,
    });
    const bars = data.filter(({ row }) => row.values[metric][1]);
    if (bars.length) series.push(errorBars(name, bars, metric, colour));
  };
  cuts.forEach((method, k) => {
    const own = rows.filter((row) => row.method === method.name);
    if (own.length) add(method, own, (k - (cuts.length - 1) / 2) * step);
  });
  const full = experiment.method.get("full");
  const whole = rows.filter((row) => row.method === "full");
  if (full.shown && whole.length) {
    const markLine = {
      silent: true,
      symbol: "none",
      lineStyle: { color: full.colour(), type: "solid", width: 1.5 },
      label: { show: false },
      data: [{ yAxis: whole[0].values[metric][0] }],
    };
    add(full, whole, 0, { markLine });
  }
  const margin = 100 * Math.max(0.35 * gap, 0.02);
  return {
    grid: { left: 56, right: 20, top: 20, bottom: 48, containLabel: true },
    tooltip: {
      trigger: "item",
      formatter: ({ data }) =>
        hint(
          `${called(data.row.method)}, ${measured.rate(data.row.rate)} removed`,
          `${metric}: ${measured.spread(data.row.values[metric])}`,
          ...(data.row.method === "full"
            ? []
            : [
                `${measured.signed(data.row.values[metric][2])} to the full data`,
                `${measured.signed(data.row.values[metric][3])} to chance`,
              ]),
          `${words.count(data.row.n, "seed")}, ${measured.whole(data.row.images)} images`,
        ),
    },
    xAxis: {
      type: "value",
      min: Math.max(100 * least - margin, -margin),
      max: 100 * most + margin,
      name: "images removed (%)",
      nameGap: 30,
      splitLine: { show: false },
      axisLabel: { showMinLabel: false, showMaxLabel: false },
    },
    yAxis: { type: "value", scale: true, name: metric, nameGap: 52 },
    series,
  };
}

// From mean less to mean plus the standard deviation, with a stroke at either end.
function errorBars(name, bars, metric, colour) {
  return {
    name,
    type: "custom",
    color: colour,
    silent: true,
    encode: { x: 0, y: [1, 2] },
    data: bars.map(({ value: [x, mean], row }) => {
      const deviation = row.values[metric][1];
      return [x, mean - deviation, mean + deviation];
    }),
    renderItem(_, api) {
      const [x, low] = api.coord([api.value(0), api.value(1)]);
      const [, high] = api.coord([api.value(0), api.value(2)]);
      const stroke = (x1, y1, x2, y2) => ({
        type: "line",
        shape: { x1, y1, x2, y2 },
        style: { stroke: colour, lineWidth: 1.5 },
      });
      return {
        type: "group",
        children: [
          stroke(x, low, x, high),
          stroke(x - 4, low, x + 4, low),
          stroke(x - 4, high, x + 4, high),
        ],
      };
    },
  };
}

paring.section({
  id: "time-to-rank",
  title: "What ranking costs",
  when: () => experiment && timesToRank().length,
  render(box) {
    const times = timesToRank();
    chart(box, {
      title: "Time to rank the images",
      note: "Mean over rates and seeds, on a logarithmic axis. Striped bars include the training on all images that the method ranks from; images by chance are not ranked.",
      height: 28 * times.length + 110,
      option: () => rankingBars(times),
    });
  },
});

// Seconds of each method that ranks, the shortest last, which is the lowest bar.
function timesToRank() {
  return experiment.methods
    .map((method) => {
      const of = experiment.rows.filter((row) => row.method === method.name && row.seconds_to_rank !== null);
      const mean = of.reduce((sum, row) => sum + row.seconds_to_rank, 0) / Math.max(of.length, 1);
      return { method, seconds: of.length ? Math.max(mean, 1e-3) : null };
    })
    .filter(({ seconds }) => seconds !== null)
    .sort((one, other) => one.seconds - other.seconds);
}

function rankingBars(times) {
  const stripes = {
    symbol: "rect",
    dashArrayX: [1, 0],
    dashArrayY: [2, 4],
    rotation: -Math.PI / 4,
    color: colours.of("card"),
  };
  const least = Math.min(...times.map(({ seconds }) => seconds));
  const from = 10 ** Math.floor(Math.log10(least) - 0.01);
  return {
    grid: { left: 12, right: 70, top: 10, bottom: 48, containLabel: true },
    tooltip: {
      trigger: "item",
      formatter: ({ dataIndex: k }) =>
        hint(
          called(times[k].method.name),
          times[k].method.words,
          `${measured.time(times[k].seconds)}${times[k].method.trains ? ", training included" : ""}`,
        ),
    },
    xAxis: {
      type: "log",
      min: from,
      startValue: from, // where bars begin; else those below a second would grow to the left
      name: "seconds (logarithmic)",
      nameGap: 30,
    },
    yAxis: {
      type: "category",
      inverse: true,
      name: "method",
      nameTextStyle: { color: "transparent" },
      nameGap: 0,
      data: times.map(({ method }) => called(method.name)),
      axisLabel: { interval: 0, hideOverlap: false },
    },
    series: [
      {
        type: "bar",
        barMaxWidth: 18,
        data: times.map(({ method, seconds }) => ({
          value: seconds,
          itemStyle: {
            color: colours.of(method.trains ? "dropped" : "kept"),
            ...(method.trains && { decal: stripes }),
          },
        })),
        label: {
          show: true,
          position: "right",
          color: colours.of("ink"),
          formatter: ({ value }) => measured.time(value),
        },
      },
    ],
  };
}

paring.section({
  id: "table",
  title: "The table",
  when: () => experiment?.rows.length,
  render(box) {
    box.append(
      h(
        "p",
        { class: "note" },
        `Mean ± sample standard deviation over seeds; the best by ${experiment.metrics[0]} first at each rate. Time to rank includes the training on all images where a method ranks from that.`,
      ),
    );
    for (const budget of experiment.budgets) {
      const rows = experiment.rows.filter((row) => row.budget === budget);
      if (!rows.length) continue;
      box.append(h("h3", {}, `Equal ${budget}`), h("div", { class: "wide" }, resultTable(budget, rows)));
    }
  },
});

function resultTable(budget, rows) {
  const [first, ...rest] = experiment.metrics;
  const head = [
    ...["removed", "method", first, "to full data", "to chance", ...rest, "seeds"],
    ...["images", "instances", "time to rank", "time to train", "steps"],
  ];
  const line = (row, k) => {
    const own = row.method === "full" || row.method === "random";
    const name = h("bdi", {}, called(row.method));
    const numbers = [
      measured.spread(row.values[first]),
      row.method === "full" ? "" : measured.signed(row.values[first][2]),
      own ? "" : measured.signed(row.values[first][3]),
      ...rest.map((metric) => measured.spread(row.values[metric])),
      row.n === experiment.seeds ? String(row.n) : `${row.n} of ${experiment.seeds}`,
      measured.whole(row.images),
      measured.whole(row.instances),
      measured.time(row.seconds_to_rank),
      measured.time(row.seconds_to_train),
      measured.whole(row.steps),
    ];
    return h(
      "tr",
      { class: k && rows[k - 1].rate !== row.rate ? "first" : null, "data-method": row.method },
      h("td", { class: "number" }, measured.rate(row.rate)),
      h("th", { scope: "row" }, own ? h("strong", {}, name) : name),
      ...numbers.map((text) => h("td", { class: "number" }, text)),
    );
  };
  return h(
    "table",
    { class: "losses results", style: "max-width:none", "data-budget": budget },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        head.map((text, k) => h("th", { scope: "col", class: k === 1 ? null : "number" }, text)),
      ),
    ),
    h("tbody", {}, rows.map(line)),
  );
}

paring.section({
  id: "failed",
  title: "What failed",
  when: () => experiment?.failed.length,
  render(box) {
    box.append(
      h(
        "p",
        { class: "note" },
        `${words.count(experiment.failed.length, "cell")} failed and ${experiment.failed.length === 1 ? "is" : "are"} not in the means; the same command with --retry makes them once more.`,
      ),
      h(
        "ul",
        {},
        experiment.failed.map(({ cell, why }) => h("li", {}, h("strong", {}, cell), ": ", h("bdi", {}, why))),
      ),
    );
  },
});

paring.section({
  id: "recipe",
  title: "How it was made",
  when: () => experiment,
  render(box) {
    if (experiment.recipe === null)
      box.append(h("p", {}, "The recipe names paths, so this page does not show it."));
    else {
      const text = h("pre", { style: "margin:0;font-size:.85rem" }, experiment.recipe);
      box.append(
        h(
          "details",
          {},
          h("summary", {}, "The whole recipe"),
          h("div", { class: "wide", tabindex: 0, role: "group", "aria-label": "Recipe" }, text),
        ),
      );
    }
    const used = experiment.methods.map(({ name, words: how }) =>
      h("tr", {}, h("th", { scope: "row" }, called(name)), h("td", {}, how)),
    );
    box.append(
      h("h3", {}, "Methods"),
      h("div", { class: "wide" }, h("table", { class: "facts-table" }, h("tbody", {}, used))),
    );
  },
});
