"use strict";
// The similarity network: drawn by communities, its members, its curve and its distributions.

const network = paring.data.network ?? null;

paring.section({
  id: "network",
  title: "Network of similar images",
  when: () => network,
  render(box) {
    const found = network.statistics;
    const edges =
      network.threshold === null
        ? "Nothing was to go, so no threshold was needed and no edges are drawn."
        : `${words.count(found.edges, "edge")} at a similarity of ${words.threshold(network.threshold)} or more, ${words.count(found.communities, "community")}, modularity ${found.modularity.toFixed(3)}.`;
    box.append(h("p", {}, edges));
    const side = h("div", { class: "members" });
    const graph = h("div");
    box.append(h("div", { class: "pair network" }, graph, side));
    const members = communityMembers();
    const list = communityList(side, members);
    if (network.drawn.rows.length) drawNetwork(graph, list);
    list.open(members.order[0]);
  },
});

// The images of each community, those that stay first, then the closest to one that stays.
function communityMembers() {
  const of = new Map();
  network.community.forEach((label, row) => {
    if (label < 0) return;
    if (!of.has(label)) of.set(label, []);
    of.get(label).push(row);
  });
  const alike = (row) => network.similarity[row] ?? -1;
  for (const rows of of.values())
    rows.sort((a, b) => cut.own[b] - cut.own[a] || alike(b) - alike(a) || a - b);
  const order = [...of.keys()].sort((a, b) => of.get(b).length - of.get(a).length || a - b);
  return { of, order };
}

const LISTED = 300; // communities to choose from; any other comes with a click on its image

function communityList(side, { of, order }) {
  const option = (label, k) =>
    h("option", { value: label }, `${k + 1}: ${words.count(of.get(label).length, "image")}`);
  const select = h(
    "select",
    { id: "community", oninput: () => open(+select.value) },
    order.slice(0, LISTED).map(option),
  );
  const body = h("div", { class: "member-list" });
  side.append(h("label", { class: "field" }, h("span", {}, "Community, the largest first"), select), body);
  const list = virtualList(body, {
    rowHeight: 96,
    label: "Members of the community",
    render: (row) => member(row, of.get(network.community[row])),
  });
  function open(label) {
    const place = order.indexOf(label);
    if (place >= LISTED && !select.querySelector(`[value="${label}"]`)) select.append(option(label, place));
    select.value = label;
    list.show(of.get(label));
  }
  return { open };
}

function member(row, rows) {
  const by = network.covered_by[row];
  const line = cut.own[row]
    ? `stays · ${words.count(network.degree_within[row], "neighbour")} in the community`
    : by < 0
      ? "without a similarity to a kept image"
      : `${words.similarity(network.similarity[row])} similar to `;
  return h(
    "button",
    { type: "button", class: "row member", "data-row": row, onclick: () => viewer.open(row, rows) },
    picture(row),
    h(
      "span",
      { class: "row-words" },
      h("span", {}, badge(cut.own[row]), " ", named(images.names[row])),
      h("span", { class: "quiet-words" }, line, cut.own[row] || by < 0 ? null : named(images.names[by])),
    ),
  );
}

function drawNetwork(box, list) {
  const out = network.drawn.left_out;
  const missing = [
    out.images &&
      `${words.count(out.images, "image")} of ${words.count(out.communities, "smaller community")}`,
    out.edges && words.count(out.edges, "weaker edge"),
  ].filter(Boolean);
  const note = `Images that lie together are a community, those that stay in its middle. Hover to see an image, click to list its community.${missing.length ? ` Not drawn: ${missing.join(", ")}.` : ""}`;
  const one = chart(box, {
    title: "Communities of similar images, and which of them stay",
    note,
    height: Math.min(560, innerWidth - 30),
    option: () =>
      networkOption(
        network.drawn,
        Math.min(one.place.clientWidth, one.place.clientHeight - 40),
        one.instance,
      ),
    events: {
      click: ({ data }) => data?.row !== undefined && list.open(network.community[data.row]),
    },
  });
  cut.onmove(calmly(() => one.draw()));
}

// ECharts rounds places to whole numbers where lines are level, so they are spread out first.
const SPREAD = 1e4;

function networkOption({ rows, x, y, discs, edges }, width, drawn) {
  const before = drawn?.getOption()?.series?.[0]; // where the view was moved to stays
  const kept = colours.of("kept"),
    dropped = colours.of("dropped"),
    line = colours.of("muted");
  const [, , radius, label] = discs[0];
  const n = rows.reduce((sum, row) => sum + (network.community[row] === label), 0);
  // the space of one image, as the layout has it, and of that as much as keeps dots apart
  const space = radius / (n > 1 ? Math.sqrt(n - 0.5) + 0.75 : 0.75);
  const size = Math.max(3, Math.min(18, 0.42 * space * width));
  const card = colours.of("card");
  const looks = [
    { color: kept, borderColor: card, borderWidth: 1 },
    { color: card, borderColor: dropped, borderWidth: 1.5 },
  ];
  const nodes = rows.map((row, k) => ({
    name: String(k),
    row,
    x: SPREAD * x[k],
    y: -SPREAD * y[k],
    symbol: "circle",
    symbolSize: cut.kept[row] ? size * 1.25 : size,
    category: cut.kept[row] ? 0 : 1,
    itemStyle: looks[cut.kept[row] ? 0 : 1],
  }));
  return {
    legend: {
      data: [
        { name: "kept", icon: "circle", itemStyle: looks[0] },
        { name: "dropped", icon: "circle", itemStyle: looks[1] },
      ],
      selectedMode: false,
    },
    tooltip: {
      trigger: "item",
      formatter: ({ dataType, data }) => (dataType === "node" ? nodeHint(data.row) : edgeHint(data)),
    },
    series: [
      {
        type: "graph",
        layout: "none",
        top: 50,
        bottom: 18,
        left: 18,
        right: 18, // room for the dots at the edge
        preserveAspect: "contain",
        roam: true,
        zoom: before?.zoom ?? 1,
        center: before?.center,
        scaleLimit: { min: 0.8, max: 30 },
        categories: [
          { name: "kept", itemStyle: looks[0] },
          { name: "dropped", itemStyle: looks[1] },
        ],
        data: nodes,
        links: edges.map(([a, b, similarity]) => ({ source: a, target: b, similarity })),
        lineStyle: { color: line, opacity: 0.35, width: 1, curveness: 0 },
        emphasis: { scale: 1.6, focus: "adjacency", lineStyle: { width: 2, opacity: 0.9 } },
        label: { show: false },
        cursor: "pointer",
        nodeScaleRatio: 0.6,
      },
    ],
  };
}

function nodeHint(row) {
  const by = network.covered_by[row];
  const state = cut.own[row]
    ? "stays"
    : by < 0
      ? "goes"
      : `goes · ${words.similarity(network.similarity[row])} similar to ${images.names[by]}`;
  const box = hint(images.names[row], state, words.count(network.degree[row], "neighbour"));
  box.append(picture(row, { lazy: false }));
  return box;
}

function edgeHint({ similarity }) {
  return hint(`similarity ${words.similarity(similarity)}`);
}

paring.section({
  id: "curve",
  title: "Rate by threshold",
  when: () => network && network.points.length,
  render(box) {
    const points = network.points.map((point) => [point.threshold, point.rate]).sort((a, b) => a[0] - b[0]);
    const few =
      points.length < 5 ? " Few points were needed here; a run with --curve finds the whole curve." : "";
    const title = "What share of the images goes at which threshold";
    const one = chart(box, {
      title,
      note: `Each point is a network that was built.${few}`,
      height: 320,
      option: () => curveOption(points),
    });
    cut.onmove(calmly(() => one.draw()));
  },
});

function curveOption(points) {
  const own = network.threshold === null ? [] : [[network.threshold, cut.about.rate]];
  return {
    grid: { left: 44, right: 24, top: 40, bottom: 48, containLabel: true },
    legend: { data: ["by the rule", "this run"], selectedMode: false },
    tooltip: {
      trigger: "item",
      formatter: ({ seriesName, value }) =>
        hint(
          seriesName,
          `threshold ${words.threshold(value[0])}`,
          `${words.share(value[1])} of the images go`,
        ),
    },
    xAxis: { type: "value", name: "threshold (similarity, no unit)", nameGap: 30, scale: true },
    yAxis: {
      type: "value",
      name: "pruning rate (% of the images)",
      nameGap: 48,
      min: 0,
      max: 1,
      axisLabel: { formatter: (value) => `${Math.round(100 * value)} %` },
    },
    series: [
      {
        name: "by the rule",
        type: "line",
        data: points,
        symbol: "circle",
        symbolSize: 7,
        lineStyle: { color: colours.of("kept"), width: 2 },
        itemStyle: { color: colours.of("kept") },
      },
      {
        name: "this run",
        type: "scatter",
        data: own,
        symbol: "diamond",
        symbolSize: 18,
        itemStyle: { color: colours.of("dropped") },
        z: 5,
      },
    ],
  };
}

paring.section({
  id: "degrees",
  title: "Neighbours and communities",
  when: () => network && network.statistics.edges,
  render(box) {
    const pair = h("div", { class: "pair" });
    box.append(pair);
    const figure = (title, note, table, x, y) =>
      chart(pair, { title, note, height: 280, option: () => tableOption(table, x, y) });
    figure(
      "How many neighbours the images have",
      "Images by their number of neighbours, all at or above the threshold.",
      network.tables.degree,
      "neighbours",
      "images",
    );
    figure(
      "How large the communities are",
      "A community of one is an image that no other resembles enough.",
      network.tables.community_size,
      "images in the community",
      "communities",
    );
  },
});

function tableOption(table, x, y) {
  const most = Math.max(...table.map(([, count]) => count)),
    wide = table.length > 40;
  return {
    grid: { left: 44, right: 20, top: 16, bottom: 48, containLabel: true },
    tooltip: {
      trigger: "item",
      formatter: ({ value }) =>
        hint(`${words.whole.format(value[0])} ${x}`, `${words.whole.format(value[1])} ${y}`),
    },
    xAxis: {
      type: "value",
      name: x,
      nameGap: 30,
      minInterval: 1,
      splitLine: { show: false },
      min: Math.min(...table.map(([at]) => at)) - 1,
      max: Math.max(...table.map(([at]) => at)) + 1,
      axisLabel: { showMinLabel: false, showMaxLabel: false },
    },
    yAxis:
      most > 200
        ? {
            type: "log",
            min: 0.5,
            name: `${y} (logarithmic)`,
            nameGap: 44,
            axisLabel: { formatter: (value) => (value < 1 ? "" : shortNumber(value)) },
          }
        : { type: "value", name: y, nameGap: 44, minInterval: 1 },
    series: [
      {
        type: wide ? "scatter" : "bar",
        data: table,
        symbolSize: 7,
        barMaxWidth: 26,
        itemStyle: { color: colours.of("kept") },
      },
    ],
  };
}
