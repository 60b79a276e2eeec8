"use strict";
// Pictures with one layer of masks or points drawn on them, for runs that made masks.

// Examples have `layers` (masks by name), `points` (by name) and `lines` of words; a layer has a
// name, a title, what one of it is called, and whether each mask has a colour of its own.
function minedGallery(box, examples, layers, note) {
  let layer = layers[0];
  let shown = 12;
  const grid = h("div", { class: "cards mined" });
  const more = h(
    "button",
    { type: "button", class: "quiet", onclick: () => ((shown += 24), draw()) },
    "Show more",
  );
  const draw = () => {
    grid.replaceChildren(...examples.slice(0, shown).map((one, row) => minedCard(one, row, layer)));
    more.hidden = shown >= examples.length;
  };
  const byName = new Map(layers.map((one) => [one.name, one]));
  box.append(
    h("p", { class: "note" }, note),
    choice(
      "What is drawn",
      layers.map((one) => [one.name, one.title]),
      layer.name,
      (value) => ((layer = byName.get(value)), draw()),
    ),
    grid,
    more,
  );
  draw();
}

function minedCard(one, row, layer) {
  const place = picture(row);
  place.querySelector(".outlines")?.remove();
  const drawn = one.layers[layer.name];
  const points = one.points?.[layer.name];
  const ratio = images.width[row] / images.height[row] || 4 / 3;
  if (points && !place.classList.contains("none"))
    place.append(
      svg(
        "svg",
        { class: "outlines peaks", viewBox: `0 0 ${100 * ratio} 100`, "aria-hidden": "true" },
        ...points.map(([y, x]) => svg("circle", { cx: 100 * ratio * x, cy: 100 * y, r: 3 })),
      ),
    );
  else if (drawn) {
    const [width, height] = drawn.size;
    place.append(
      svg(
        "svg",
        { class: "outlines", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
        ...drawn.shapes.map(([tag, path], k) =>
          svg("path", {
            d: path,
            stroke: colours.at(layer.each ? k : tag),
            "vector-effect": "non-scaling-stroke",
          }),
        ),
      ),
    );
  }
  const number = points ? points.length : (drawn?.shapes.length ?? 0);
  return h(
    "div",
    { class: "card still", "data-row": row },
    place,
    h(
      "span",
      { class: "card-words" },
      named(images.names[row]),
      ...one.lines.map((text) => h("span", { class: "line" }, text)),
      h("span", { class: "line" }, words.count(number, layer.one)),
    ),
  );
}
