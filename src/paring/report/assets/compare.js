"use strict";
// Several runs of one data set side by side.

const several = cuts.length > 1;

paring.section({
  id: "overlap",
  title: "What the runs keep",
  when: () => several,
  render(box) {
    const names = cuts.map((one) => one.about.name);
    const head = ["run", "chosen", "kept", "removed", ...(images.category.length ? ["instances kept"] : [])];
    const line = (one) => {
      const kept = one.after.instances
        .slice(0, images.categories.length)
        .reduce((sum, count) => sum + count, 0);
      const cells = [
        words.whole.format(one.count),
        words.share(one.about.rate),
        ...(images.category.length
          ? [`${words.whole.format(kept)} (${words.share(kept / images.category.length)})`]
          : []),
      ];
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, h("bdi", {}, one.about.name)),
        h("td", {}, one.about.how),
        ...cells.map((text) => h("td", { class: "number" }, text)),
      );
    };
    box.append(
      h(
        "div",
        { class: "wide" },
        h(
          "table",
          { id: "runs" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              head.map((text, k) => h("th", { scope: "col", class: k > 1 ? "number" : null }, text)),
            ),
          ),
          h("tbody", {}, cuts.map(line)),
        ),
      ),
    );
    const both = (a, b) => a.kept.reduce((sum, flag, row) => sum + (flag & b.kept[row]), 0);
    const cell = (a, b) => {
      const shared = both(a, b),
        any = a.count + b.count - shared,
        share = any ? shared / any : 1;
      const chance = (a.count * b.count) / images.n,
        expected = any ? chance / (a.count + b.count - chance) : 1;
      const beside = a === b ? "" : ` (by chance ${words.share(expected)})`;
      return h(
        "td",
        { class: "number overlap", style: `--share:${(100 * share).toFixed(1)}%` },
        words.whole.format(shared),
        h("span", { class: "quiet-words" }, ` ${words.share(share)}${beside}`),
      );
    };
    box.append(
      h("h3", {}, "Images that both keep"),
      h(
        "p",
        { class: "note" },
        "Number of images, and their share of all images that either keeps (Jaccard index); in brackets what two cuts of these sizes by chance would share.",
      ),
      h(
        "div",
        { class: "wide" },
        h(
          "table",
          { id: "overlaps" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              h("td", {}),
              names.map((name) => h("th", { scope: "col", class: "number" }, h("bdi", {}, name))),
            ),
          ),
          h(
            "tbody",
            {},
            cuts.map((a) =>
              h(
                "tr",
                {},
                h("th", { scope: "row" }, h("bdi", {}, a.about.name)),
                cuts.map((b) => cell(a, b)),
              ),
            ),
          ),
        ),
      ),
    );
  },
});

paring.section({
  id: "losses-of-each",
  title: "What each run costs",
  when: () => several && images.category.length,
  render(box) {
    const losses = cuts.map((one) => new Map(one.losses().map((loss) => [loss.group, loss])));
    const groups = images.groups.map((_, group) => group).filter((group) => images.total.instances[group]);
    const worst = (group) => Math.max(...losses.map((of) => of.get(group).lost));
    const first = images.categories.length;
    const order = groups.sort((a, b) => (a >= first) - (b >= first) || worst(b) - worst(a) || a - b);
    const body = h("tbody"),
      most = 20;
    let all = false;
    const more = h("button", { type: "button", class: "quiet", onclick: () => ((all = !all), write()) });
    function write() {
      const categories = order.filter((group) => group < first);
      const shown = [
        ...(all ? categories : categories.slice(0, most)),
        ...order.filter((group) => group >= first),
      ];
      body.replaceChildren(
        ...shown.map((group, k) => eachLoss(group, losses, group >= first && shown[k - 1] < first)),
      );
      more.hidden = categories.length <= most;
      more.textContent = all ? "Show the worst alone" : `Show all ${categories.length} categories`;
    }
    write();
    box.append(
      h(
        "p",
        { class: "note" },
        "Share of the instances of each category and size that each run loses; the worst of any run first.",
      ),
      h(
        "div",
        { class: "wide" },
        h(
          "table",
          { class: "losses", id: "losses-table" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              h("th", { scope: "col" }, "category or size"),
              h("th", { scope: "col", class: "number" }, "instances"),
              cuts.map((one) => h("th", { scope: "col", class: "number" }, h("bdi", {}, one.about.name))),
            ),
          ),
          body,
        ),
      ),
      more,
    );
  },
});

function eachLoss(group, losses, line) {
  const cell = (loss) =>
    h(
      "td",
      { class: "number lost" },
      h("span", { class: "bar", style: barStyle(loss.lost) }),
      h("span", {}, words.share(loss.lost)),
    );
  const name = group >= images.categories.length ? `${images.groups[group]} instances` : images.groups[group];
  return h(
    "tr",
    { class: line ? "first" : null, "data-group": images.groups[group] },
    h("th", { scope: "row" }, h("bdi", {}, name)),
    h("td", { class: "number" }, words.whole.format(images.total.instances[group])),
    losses.map((of) => cell(of.get(group))),
  );
}

const PATTERNS = 12; // ways to disagree that have a gallery

paring.section({
  id: "disagreements",
  title: "Where they disagree",
  when: () => several,
  render(box) {
    const patterns = new Map();
    for (let row = 0; row < images.n; row++) {
      const key = cuts.map((one) => one.kept[row]).join("");
      if (!patterns.has(key)) patterns.set(key, []);
      patterns.get(key).push(row);
    }
    const split = [...patterns]
      .filter(([key]) => key.includes("0") && key.includes("1"))
      .sort((a, b) => b[1].length - a[1].length);
    if (!split.length) box.append(h("p", {}, "Nowhere: all runs keep the same images."));
    if (split.length > PATTERNS) {
      const rest = split.slice(PATTERNS).reduce((sum, [, rows]) => sum + rows.length, 0);
      box.append(
        h(
          "p",
          { class: "note" },
          `The ${PATTERNS} largest of ${split.length} ways to disagree; ${words.count(rest, "image")} of the others are in the list below.`,
        ),
      );
    }
    for (const [key, rows] of split.slice(0, PATTERNS)) {
      const who = cuts.filter((_, k) => key[k] === "1").map((one) => one.about.name);
      const cards = h("div", { class: "cards" });
      let most = CARDS;
      const more = h(
        "button",
        { type: "button", class: "quiet", onclick: () => ((most += 2 * CARDS), show()) },
        "Show more",
      );
      function show() {
        const some = seen(rows, most);
        cards.replaceChildren(
          ...some.map((row) =>
            card(row, some, {
              line: images.category.length ? words.count(images.instances[row], "instance") : "",
            }),
          ),
        );
        more.hidden = some.length < most;
      }
      show();
      box.append(
        h(
          "section",
          { class: "gallery", "data-kind": key },
          h(
            "h3",
            {},
            `Kept by ${who.join(", ").replace(/, ([^,]*)$/, " and $1")} alone: ${words.count(rows.length, "image")}`,
          ),
          cards,
          more,
        ),
      );
    }
  },
});
