"use strict";
// Categories and sizes before and after, in images or in instances.

paring.section({
  id: "distributions",
  title: "Before and after",
  when: () => cut && images.category.length,
  render(box) {
    let unit = "instances";
    const first = images.categories.length;
    const present = (group) => images.total.instances[group] > 0;
    const all = images.groups.map((_, group) => group);
    const of = {
      category: all.slice(0, first).filter(present),
      size: all.slice(first),
    };
    const most = 25;
    const charts = [];
    const head = choice(
      "Count",
      [
        ["instances", "Instances"],
        ["images", "Images"],
      ],
      unit,
      (value) => {
        unit = value;
        charts.forEach((one) => one.draw());
      },
    );
    box.append(head);
    const pair = h("div", { class: "pair" });
    box.append(pair);
    for (const kind of ["category", "size"]) {
      const groups = of[kind];
      const rows = Math.min(groups.length, most);
      const title =
        kind === "category" ? "Categories before and after the cut" : "Sizes before and after the cut";
      const note =
        groups.length > most
          ? `The ${most} most frequent of ${groups.length}; drag the bar at the right for the others.`
          : kind === "size"
            ? "Small is under 32², large from 96² square pixels."
            : "The most frequent first.";
      charts.push(
        chart(pair, { title, note, height: 26 * rows + 128, option: () => bars(kind, groups, most, unit) }),
      );
    }
    cut.onmove(calmly(() => charts.forEach((one) => one.draw())));
  },
});

const WIDEST = 170; // pixels of a name beside its bar

function widest(names) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return names.reduce((most, name) => Math.min(WIDEST, Math.max(most, pen.measureText(name).width)), 30);
}

function bars(kind, groups, most, unit) {
  const sorted =
    kind === "size" ? groups : [...groups].sort((a, b) => images.total[unit][b] - images.total[unit][a]);
  // ECharts keeps names as keys of plain objects, where some mean something else
  const names = sorted
    .map((group) => images.groups[group])
    .map((name) => (name in {} ? `${name}\u2060` : name));
  const values = (counts) => sorted.map((group) => counts[unit][group]);
  const before = colours.of("before"),
    kept = colours.of("kept");
  const zoom =
    sorted.length > most
      ? [
          {
            type: "slider",
            yAxisIndex: 0,
            startValue: 0,
            endValue: most - 1,
            right: 4,
            width: 14,
            brushSelect: false,
            showDataShadow: false,
            borderColor: colours.of("line"),
            fillerColor: colours.of("before"),
            handleStyle: { color: colours.of("muted") },
            showDetail: false,
            zoomLock: true,
          },
        ]
      : [];
  return {
    grid: { left: widest(names) + 16, right: zoom.length ? 36 : 20, top: 52, bottom: 60 },
    legend: { data: ["before", "after"], selectedMode: false },
    tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, formatter: (marks) => barHint(marks, unit) },
    xAxis: { type: "value", name: unit, nameGap: 28, minInterval: 1, axisLabel: { formatter: shortNumber } },
    yAxis: {
      type: "category",
      name: kind === "size" ? "size" : "category",
      nameLocation: "start",
      nameGap: 8,
      nameTextStyle: { align: "right", padding: [0, 6, 0, 0], color: colours.of("muted"), fontSize: 12 },
      data: names,
      inverse: true,
      axisLabel: { interval: 0, width: WIDEST, overflow: "truncate" },
      axisTick: { show: false },
    },
    dataZoom: zoom,
    series: [
      {
        name: "before",
        type: "bar",
        data: values(images.total),
        itemStyle: { color: before },
        barGap: "-100%",
        barWidth: "70%",
      },
      {
        name: "after",
        type: "bar",
        data: values(cut.after),
        itemStyle: { color: kept },
        barWidth: "42%",
        barGap: "-83%",
        z: 3,
      },
    ],
  };
}

function barHint(marks, unit) {
  const [before, after] = marks.map((mark) => mark.value);
  const share = before ? ` (${words.share(after / before)})` : "";
  return hint(
    marks[0].name,
    `before: ${words.count(before, unit.slice(0, -1))}`,
    `after: ${words.whole.format(after)}${share}`,
  );
}

const shortNumber = (value) =>
  value >= 1e4
    ? new Intl.NumberFormat("en", { notation: "compact" }).format(value)
    : words.whole.format(value);
