"use strict";
// The headline as the cut stands, and what each category and size lost.

if (cut) {
  const line = document.getElementById("headline");
  const write = () => (line.textContent = cut.headline());
  write();
  cut.onmove(write);
}

paring.section({
  id: "losses",
  title: "What it cost",
  when: () => cut && images.category.length,
  render(box) {
    const body = h("tbody");
    const more = h("button", { type: "button", class: "quiet", onclick: () => ((all = !all), write()) });
    let all = false;
    const columns = ["", "images", "kept", "instances", "kept", "lost"];
    const head = columns.map((name, k) =>
      h("th", { scope: "col", class: k ? "number" : null }, name || "category or size"),
    );
    const note = h(
      "p",
      { class: "note" },
      "Share of the instances lost, the worst first; sizes by COCO's borders of 32² and 96² pixels.",
    );
    box.append(
      note,
      h("div", { class: "wide" }, h("table", { class: "losses" }, h("thead", {}, h("tr", {}, head)), body)),
      more,
    );
    const shown = 12;
    function write() {
      const losses = cut.losses().filter((loss) => loss.instances[0]);
      const categories = losses.filter((loss) => loss.kind === "category");
      const sizes = losses.filter((loss) => loss.kind === "size");
      const lines = [...(all ? categories : categories.slice(0, shown)), ...sizes];
      body.replaceChildren(
        ...lines.map((loss, k) => lossLine(loss, loss.kind === "size" && lines[k - 1]?.kind !== "size")),
      );
      more.hidden = categories.length <= shown;
      more.textContent = all ? "Show the worst alone" : `Show all ${categories.length} categories`;
    }
    write();
    cut.onmove(write);
  },
});

function lossLine(loss, first) {
  const number = (value) => h("td", { class: "number" }, words.whole.format(value));
  const name = loss.kind === "size" ? `${loss.name} instances` : loss.name;
  const bar = h("span", { class: "bar", style: barStyle(loss.lost) });
  return h(
    "tr",
    { class: first ? "first" : null, "data-group": loss.name },
    h("th", { scope: "row" }, h("bdi", {}, name)),
    ...[...loss.images, ...loss.instances].map(number),
    h("td", { class: "number lost" }, bar, h("span", {}, words.share(loss.lost))),
  );
}

// A bar that leaves room for its number.
const barStyle = (share) => `width:calc(${share.toFixed(4)} * (100% - 5.2rem))`;
