"use strict";
// How the scores spread, which of them stay, and where the cut lies.

const BINS = 40;

paring.section({
  id: "scores",
  title: "Scores",
  when: () => cut?.measure?.kind === "score",
  render(box) {
    const { measure } = cut;
    const values = measure.values.filter((value) => value !== null);
    const positive = values.filter((value) => value > 0).sort((a, b) => a - b);
    const skewed =
      positive.length &&
      values.every((value) => value >= 0) &&
      positive.at(-1) > 10 * positive[positive.length >> 1];
    let log = Boolean(skewed);
    const able = positive.length > 1 && values.every((value) => value >= 0);
    const title = "Distribution of the scores, and which of them stay";
    const scale =
      able &&
      choice(
        "Scale of the scores",
        [
          [true, "Logarithmic"],
          [false, "Linear"],
        ],
        log,
        (value) => {
          log = value;
          one.say(title, caption(log));
          one.draw();
        },
      );
    if (scale) box.append(scale);
    const caption = (log) => {
      const zero = values.length - positive.length;
      const without = log && zero ? `${words.count(zero, "image")} of score 0 not drawn. ` : "";
      return `${without}${measure.hard === "high" ? "High" : "Low"} scores are kept first.${cutLine() === null ? "" : " The dashed line is the cut."}`;
    };
    const one = chart(box, { title, note: caption(log), height: 320, option: () => histogram(log) });
    cut.onmove(
      calmly(() => {
        one.say(title, caption(log));
        one.draw();
      }),
    );
  },
});

function histogram(log) {
  const { measure } = cut;
  const place = log ? Math.log10 : (value) => value;
  const shown = (value) => value !== null && (!log || value > 0);
  let low = Infinity,
    high = -Infinity;
  for (const value of measure.values)
    if (shown(value)) {
      low = Math.min(low, place(value));
      high = Math.max(high, place(value));
    }
  if (!(high > low)) high = low + (Math.abs(low) || 1) * 1e-3;
  const step = (high - low) / BINS;
  const kept = new Array(BINS).fill(0),
    dropped = new Array(BINS).fill(0);
  measure.values.forEach((value, row) => {
    if (!shown(value)) return;
    const bin = Math.min(BINS - 1, Math.floor((place(value) - low) / step));
    (cut.kept[row] ? kept : dropped)[bin]++;
  });
  const back = (at) => words.score(log ? 10 ** at : at);
  const bar = (name, counts, colour, decal) => ({
    name,
    type: "custom",
    color: colour,
    encode: { x: [0, 1], y: [2, 3] },
    data: counts.map((count, bin) => [
      low + bin * step,
      low + (bin + 1) * step,
      name === "kept" ? 0 : kept[bin],
      (name === "kept" ? 0 : kept[bin]) + count,
    ]),
    renderItem: (_, api) => {
      const [left, bottom] = api.coord([api.value(0), api.value(2)]);
      const [right, top] = api.coord([api.value(1), api.value(3)]);
      const shape = { x: left + 0.5, y: top, width: Math.max(1, right - left - 1), height: bottom - top };
      return { type: "rect", shape, style: { fill: colour, ...(decal && { decal }) } };
    },
    tooltip: {
      formatter: ({ dataIndex: bin }) =>
        hint(
          `${back(low + bin * step)} to ${back(low + (bin + 1) * step)}`,
          `kept: ${words.count(kept[bin], "image")}`,
          `dropped: ${words.count(dropped[bin], "image")}`,
        ),
    },
  });
  const line = cutLine();
  const mark = line !== null &&
    shown(line) && {
      silent: true,
      symbol: "none",
      lineStyle: { color: colours.of("ink"), type: "dashed", width: 1.5 },
      label: {
        formatter: `cut at ${words.score(line)}`,
        color: colours.of("ink"),
        position: "end",
        distance: 4,
      },
      data: [{ xAxis: place(line) }],
    };
  const pattern = {
    symbol: "rect",
    dashArrayX: [1, 0],
    dashArrayY: [2, 4],
    rotation: -Math.PI / 4,
    color: colours.of("card"),
  };
  return {
    grid: { left: 44, right: 20, top: 40, bottom: 48, containLabel: true },
    legend: { data: ["kept", "dropped"], selectedMode: false },
    tooltip: { trigger: "item" },
    xAxis: {
      type: "value",
      min: low - step / 2,
      max: high + step / 2,
      name: `${measure.name} (no unit${log ? ", logarithmic" : ""})`,
      nameGap: 30,
      splitLine: { show: false },
      axisLabel: { formatter: back, showMinLabel: false, showMaxLabel: false },
    },
    yAxis: {
      type: "value",
      name: "images",
      nameGap: 44,
      minInterval: 1,
      axisLabel: { formatter: shortNumber },
    },
    series: [
      { ...bar("kept", kept, colours.of("kept")), markLine: mark || undefined },
      bar("dropped", dropped, colours.of("dropped"), pattern),
    ],
  };
}

// The score of the last image kept, where a cut is one place in the ranking.
function cutLine() {
  if (!cut.order || cut.count === 0 || cut.count === images.n) return null;
  for (let place = 0; place < cut.count; place++) if (!cut.kept[cut.order[place]]) return null;
  return cut.measure.values[cut.order[cut.count - 1]];
}
