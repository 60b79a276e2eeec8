"use strict";
// Charts by ECharts in the colours of the page; each with a title and words for who cannot see it.

const colours = {
  of(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  },
  // Okabe and Ito's, told apart by people of any colour vision
  series: ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442"],
  at: (k) => colours.series[k % colours.series.length],
};

// A figure with a chart. `option` gives what ECharts draws, without colours of text and lines;
// it is asked again when `draw` is called and when the theme changes.
function chart(box, { title, note, height = 300, option, events = {} }) {
  const place = h("div", { class: "chart", style: `height:${height}px` });
  const caption = h("p", { class: "note" }, note ?? "");
  const head = h("h3", {}, title);
  box.append(h("figure", {}, h("figcaption", {}, head, caption), place));
  let drawn = null;
  function draw() {
    drawn ??= echarts.init(place, null, { renderer: "canvas" });
    const said = `${head.textContent}. ${caption.textContent}`; // in place of ECharts' own guess
    drawn.setOption(
      { ...dress(option()), aria: { enabled: true, label: { description: said } } },
      { notMerge: true },
    );
  }
  function start() {
    draw();
    for (const [event, action] of Object.entries(events)) drawn.on(event, action);
    new ResizeObserver(() => drawn.resize()).observe(place);
  }
  const seen = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      start();
    },
    { rootMargin: "400px" },
  );
  seen.observe(place);
  paring.themed.push(() => drawn && draw());
  return {
    place,
    get instance() {
      return drawn;
    },
    draw: () => drawn && draw(),
    say: (title, note) => {
      head.textContent = title;
      caption.textContent = note ?? "";
    },
  };
}

// The colours and habits that all charts share.
function dress(option) {
  const ink = colours.of("ink"),
    muted = colours.of("muted"),
    line = colours.of("line");
  const axis = (one) => ({
    nameLocation: "middle",
    nameTextStyle: { color: muted, fontSize: 12 },
    axisLine: { lineStyle: { color: line } },
    axisTick: { lineStyle: { color: line } },
    splitLine: { lineStyle: { color: line } },
    ...one,
    axisLabel: { color: muted, hideOverlap: true, ...one.axisLabel },
  });
  const axes = (some) => (Array.isArray(some) ? some.map(axis) : some && axis(some));
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 200,
    animationDurationUpdate: 150,
    backgroundColor: colours.of("card"),
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
    ...option,
    xAxis: axes(option.xAxis),
    yAxis: axes(option.yAxis),
    legend: option.legend && {
      top: 0,
      left: 0,
      textStyle: { color: ink },
      icon: "roundRect",
      ...option.legend,
    },
    tooltip: {
      confine: true,
      backgroundColor: colours.of("card"),
      borderColor: line,
      textStyle: { color: ink, fontSize: 13 },
      ...option.tooltip,
    },
  };
}

// Lines of text for a tooltip; the first is its head. ECharts takes elements, so nothing is markup.
function hint(head, ...lines) {
  return h(
    "div",
    { class: "hint" },
    h("strong", {}, head),
    lines.map((line) => h("div", {}, line)),
  );
}
