"use strict";
// How the page came to be: what the run was given, and what the page does not show.

paring.section({
  id: "about",
  title: "How it was made",
  when: () => images,
  render(box) {
    for (const about of [...cuts.map((one) => one.about), ...(leaks ? [leaks] : [])]) {
      const rows = Object.entries(about.parameters).filter(([, value]) => value !== null && value !== "");
      const lines = rows.map(([name, value]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, name),
          h("td", {}, h("bdi", {}, typeof value === "object" ? JSON.stringify(value) : String(value))),
        ),
      );
      if (cuts.length > 1) box.append(h("h3", {}, about.name));
      box.append(h("div", { class: "wide" }, h("table", { class: "facts-table" }, h("tbody", {}, lines))));
    }
    box.append(h("p", { class: "note" }, picturesSaid()));
    const faults = Object.entries(pictures.faults ?? {});
    if (!faults.length || picturesGone) return;
    const shown = faults.slice(0, 200).map(([row, why]) => h("li", {}, named(images.names[row]), ` ${why}`));
    const more =
      faults.length > 200 ? [h("li", {}, `and ${words.whole.format(faults.length - 200)} more`)] : [];
    box.append(
      h(
        "details",
        {},
        h("summary", {}, `${words.count(faults.length, "picture")} missing`),
        h("ul", {}, shown, more),
      ),
    );
  },
});

function picturesSaid() {
  if (!pictures.shown) return "This page was made without pictures.";
  if (picturesGone) return "No picture was found; paring report RUN --images DIR says where they are.";
  const number = Object.keys(pictures.files).length;
  const all =
    number === images.n
      ? "every image has a thumbnail"
      : pictures.all
        ? `${words.count(number, "thumbnail")}, for all images that are shown here`
        : `${words.count(number, "thumbnail")} for ${words.count(images.n, "image")}, those most worth seeing first; paring report --thumbnails makes more`;
  const cap = pictures.too_large
    ? ` ${words.count(pictures.too_large, "thumbnail")} more would have passed 300 MB.`
    : "";
  return `${sentence(all)}${cap}`;
}
