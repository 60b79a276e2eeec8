"use strict";
// The images to look at first: both ends and the border, or a sample of what stays and goes.

const CARDS = 12; // of one kind, at first; more on request

paring.section({
  id: "gallery",
  title: "Gallery",
  when: () => cut,
  render(box) {
    const groups = galleries();
    const places = groups.map((group) => {
      const cards = h("div", { class: "cards" });
      const more = h(
        "button",
        {
          type: "button",
          class: "quiet",
          onclick: () => ((group.shown += 2 * CARDS), draw(group, cards, more)),
        },
        "Show more",
      );
      group.shown = CARDS;
      const note = h("p", { class: "note" });
      box.append(
        h(
          "section",
          { class: "gallery", "data-kind": group.kind },
          h("h3", {}, group.title),
          note,
          cards,
          more,
        ),
      );
      return [group, cards, more, note];
    });
    const drawAll = () =>
      places.forEach(([group, cards, more, note]) => {
        note.textContent = group.note();
        draw(group, cards, more);
      });
    drawAll();
    cut.onmove(calmly(drawAll));
  },
});

function draw(group, cards, more) {
  const rows = group.rows(group.shown);
  cards.replaceChildren(...rows.map((row) => card(row, rows, { line: lineOf(row), why: whyOf(row) })));
  if (!rows.length) cards.append(h("p", { class: "quiet-words" }, "There are none."));
  more.hidden = rows.length < group.shown || group.fixed;
}

function lineOf(row) {
  if (cut.measure?.kind === "score") {
    const rank = cut.rank ? `rank ${words.whole.format(cut.rank[row] + 1)} · ` : "";
    return `${rank}score ${words.score(cut.measure.values[row])}`;
  }
  if (cut.measure?.kind === "similarity")
    return cut.own[row] ? "" : `similarity ${words.similarity(cut.measure.values[row])}`;
  return images.category.length ? words.count(images.instances[row], "instance") : "";
}

// What a score comes from, in as few words as a card has room for.
function whyOf(row) {
  const { measure } = cut,
    best = measure?.strongest?.[row];
  if (best === null || best === undefined) return measure?.strongest ? "no instance counts" : "";
  const share = Math.round((100 * measure.strongest_score[row]) / measure.values[row]);
  return `${words.count(measure.counted[row], "instance")}; one ${images.categories[best]} gives ${share} %`;
}

// Images with a thumbnail go first where not every image has one, and it is said.
function seen(rows, most, holds = () => true) {
  const found = [];
  for (const row of rows) {
    if (found.length >= most) break;
    if (!holds(row)) continue;
    if (!pictures.shown || picturesGone || pictures.files[row] || pictures.faults[row]) found.push(row);
  }
  return found;
}

function galleries() {
  const partial =
    pictures.shown &&
    !picturesGone &&
    Object.keys(pictures.files).length + Object.keys(pictures.faults).length < images.n;
  const among = partial ? " Only images with a thumbnail are shown here; all are in the list below." : "";
  const state = (flag) => (most) => seen(evenly(images.n), most, (row) => cut.kept[row] === flag);
  if (cut.measure?.kind !== "score" || !cut.rank)
    return [
      {
        kind: "kept",
        title: "A sample of what stays",
        note: () => `Spread evenly over the data set.${among}`,
        rows: state(1),
      },
      {
        kind: "dropped",
        title: "A sample of what goes",
        note: () => `Spread evenly over the data set.${among}`,
        rows: state(0),
      },
    ];
  const best = cut.measure.hard === "high" ? "Highest" : "Lowest",
    worst = cut.measure.hard === "high" ? "Lowest" : "Highest";
  return [
    {
      kind: "first",
      title: `${best} scores`,
      note: () => `The images that are kept first.${among}`,
      rows: (most) => seen(cut.order, most),
    },
    {
      kind: "border",
      title: "On the border",
      note: () => `The last images kept and the first dropped, in the order of their rank.${among}`,
      rows: (most) => border(most),
    },
    {
      kind: "last",
      title: `${worst} scores`,
      note: () => `The images that are dropped first.${among}`,
      rows: (most) => seen(reversed(cut.order), most),
    },
  ];
}

function* reversed(rows) {
  for (let place = rows.length - 1; place >= 0; place--) yield rows[place];
}

function border(most) {
  const before = seen(reversed(cut.order), most / 2, (row) => cut.kept[row]);
  return [...before.reverse(), ...seen(cut.order, most / 2, (row) => !cut.kept[row])];
}

// All rows, every beginning of them spread over the data set.
function* evenly(n) {
  const step = Math.max(1, Math.floor(n * 0.6180339887));
  const part = (a, b) => (b ? part(b, a % b) : a);
  let by = step;
  while (part(by, n) !== 1) by++;
  for (let k = 0, row = 0; k < n; k++, row = (row + by) % n) yield row;
}
