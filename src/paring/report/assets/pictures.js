"use strict";
// Thumbnails with the outlines of masks on them, and the window that shows one image closely.

const pictures = paring.data.pictures ?? { shown: false };

const showOutlines = { on: true };

// The thumbnail of an image, or a word about why there is none.
function picture(row, { lazy = true } = {}) {
  const file = pictures.shown ? pictures.files[row] : null;
  const outlined = outlinesOf(row);
  if (!file && outlined) {
    const [width, height] = pictures.outlines[row].size;
    return h(
      "span",
      { class: "picture blank", style: `--ratio:${width / height}`, title: faultOf(row) },
      outlined,
    );
  }
  if (!file) return h("span", { class: "picture none" }, h("span", {}, faultOf(row)));
  const [name, width, height] = file;
  const img = h("img", {
    src: `${pictures.folder}/${name}`,
    alt: "",
    width,
    height,
    loading: lazy ? "lazy" : null,
    decoding: "async",
  });
  img.addEventListener("error", () => img.replaceWith(h("span", { class: "gone" }, "thumbnail is gone")));
  return h("span", { class: "picture", style: `--ratio:${width / height}` }, img, outlined);
}

function faultOf(row) {
  if (!pictures.shown) return "pictures left out";
  const fault = pictures.faults[row];
  return !fault ? "no thumbnail" : picturesGone ? "no picture" : `image ${fault}`;
}

// not one picture could be drawn, so they are elsewhere
const picturesGone =
  pictures.shown && !Object.keys(pictures.files).length && Object.keys(pictures.faults).length > 0;

function outlinesOf(row) {
  const drawn = pictures.outlines?.[row];
  if (!drawn?.shapes.length) return null;
  const [width, height] = drawn.size;
  const colour = colouring(row);
  const paths = drawn.shapes.map(([category, crowd, path]) =>
    svg("path", {
      d: path,
      stroke: colour(category),
      class: crowd ? "crowd" : null,
      "vector-effect": "non-scaling-stroke",
    }),
  );
  const view = {
    class: "outlines",
    viewBox: `0 0 ${width} ${height}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  };
  return svg("svg", view, ...paths);
}

// The colour of each category: always the same where there are few, else told apart in one image.
function colouring(row) {
  if (images.categories.length <= colours.series.length) return colours.at;
  const places = new Map(categoriesOf(row).map(([category], place) => [category, place]));
  return (category) => colours.at(places.get(category) ?? places.size);
}

// How often an image has which category, the most frequent first.
function categoriesOf(row) {
  const counts = new Map();
  for (let k = images.offsets[row]; k < images.offsets[row + 1]; k++)
    counts.set(images.category[k], (counts.get(images.category[k]) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1]);
}

const categoryWords = (row) =>
  categoriesOf(row)
    .map(([category, count]) => `${images.categories[category]}${count > 1 ? ` × ${count}` : ""}`)
    .join(", ");

function legendOf(row, drawn) {
  const colour = colouring(row);
  return categoriesOf(row).map(([category, count]) =>
    h(
      "li",
      {},
      drawn ? h("span", { class: "swatch", style: `background:${colour(category)}` }) : null,
      h("bdi", {}, images.categories[category]),
      count > 1 ? ` × ${count}` : "",
    ),
  );
}

function badge(kept) {
  return h("span", { class: kept ? "badge kept" : "badge dropped" }, kept ? "kept" : "dropped");
}

// A card of the gallery: picture, state, name, and a line of words.
function card(row, list, { flag = cut?.kept[row], line = "", why = "" } = {}) {
  return h(
    "button",
    { type: "button", class: "card", onclick: () => viewer.open(row, list), "data-row": row },
    picture(row),
    h(
      "span",
      { class: "card-words" },
      flag === undefined ? null : badge(flag),
      named(images.names[row]),
      ...[line, why].filter(Boolean).map((text) => h("span", { class: "line" }, text)),
    ),
  );
}

const viewer = {
  box: document.getElementById("viewer"),
  list: [],
  place: 0,

  open(row, list = [row]) {
    viewer.list = list;
    viewer.place = Math.max(0, list.indexOf(row));
    viewer.draw();
    if (viewer.box.open) return;
    viewer.box.showModal();
    viewer.box.focus();
  },

  step(by) {
    const place = viewer.place + by;
    if (place < 0 || place >= viewer.list.length) return;
    viewer.place = place;
    viewer.draw();
  },

  draw() {
    const row = viewer.list[viewer.place],
      at = viewer.place,
      n = viewer.list.length;
    const drawn = pictures.outlines?.[row];
    const move = (by, text, off) =>
      h(
        "button",
        { type: "button", class: "quiet", disabled: off, "data-move": by, onclick: () => viewer.step(by) },
        text,
      );
    const size = images.width[row] ? `${images.width[row]} × ${images.height[row]} pixels` : "";
    const about =
      cuts.length > 1 ? cuts.map((one) => h("p", {}, badge(one.kept[row]), ` by ${one.about.name}`)) : [];
    const toggle = drawn?.shapes.length
      ? h(
          "label",
          { class: "tick" },
          h("input", {
            type: "checkbox",
            checked: showOutlines.on,
            onchange: (event) => outlinesOn(event.target.checked),
          }),
          "outlines of the masks",
        )
      : null;
    const focused = document.activeElement?.dataset.move;
    viewer.box.replaceChildren(
      h(
        "div",
        { class: "viewer-head" },
        h("h2", { id: "viewer-title" }, named(images.names[row])),
        h("form", { method: "dialog" }, h("button", { class: "quiet" }, "Close")),
      ),
      h(
        "div",
        { class: "viewer-body" },
        h("div", { class: "viewer-picture" }, picture(row, { lazy: false })),
        h(
          "div",
          { class: "viewer-words" },
          cut ? h("p", {}, badge(cut.kept[row]), cut.moved ? " at the rate of the slider" : "") : about,
          cut ? reasons(row).map((line) => h("p", {}, line)) : null,
          pictures.shown && !pictures.files[row] ? h("p", {}, sentence(faultOf(row))) : null,
          h(
            "p",
            {},
            [images.category.length ? words.count(images.instances[row], "instance") : "", size]
              .filter(Boolean)
              .join(" · "),
          ),
          images.instances[row] ? h("ul", { class: "legend" }, legendOf(row, Boolean(drawn))) : null,
          drawn?.left_out
            ? h("p", { class: "quiet-words" }, `${words.count(drawn.left_out, "outline")} more not drawn.`)
            : null,
          toggle,
          n > 1
            ? h(
                "p",
                { class: "viewer-moves" },
                move(-1, "← Before", at === 0),
                ` ${at + 1} of ${words.whole.format(n)} `,
                move(1, "Next →", at === n - 1),
              )
            : null,
        ),
      ),
    );
    // what had the focus is gone; keys go on from the same button, or from the window
    const again = focused && viewer.box.querySelector(`[data-move="${focused}"]:not(:disabled)`);
    if (viewer.box.open) (again ?? viewer.box).focus();
  },
};

viewer.box.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") viewer.step(1);
  else if (event.key === "ArrowLeft") viewer.step(-1);
});
viewer.box.addEventListener("click", (event) => event.target === viewer.box && viewer.box.close());

function outlinesOn(on) {
  showOutlines.on = on;
  document.documentElement.classList.toggle("no-outlines", !on);
}
