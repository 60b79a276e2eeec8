"use strict";
// Put the page together.

{
  const content = document.getElementById("content"),
    contents = document.getElementById("contents");
  for (const { id, title, when, render } of paring.sections) {
    if (!when()) continue;
    const box = h(
      "section",
      { id, class: "part", "aria-labelledby": `${id}-title` },
      h("h2", { id: `${id}-title` }, title),
    );
    content.append(box);
    contents.append(h("a", { href: `#${id}` }, title));
    try {
      render(box);
    } catch (error) {
      // one part that fails does not take the others away
      box.append(h("p", { class: "said" }, `This part could not be drawn (${error.message}).`));
      console.error(error);
    }
  }

  const facts = document.getElementById("facts");
  const fact = (text) => facts.append(h("li", {}, text));
  if (cut) {
    fact(`chosen ${cut.about.how}`);
    fact(`${words.share(cut.about.rate)} removed`);
    if (cut.about.seed !== null) fact(`seed ${cut.about.seed}`);
  }
  if (images) {
    fact(words.count(images.n, "image"));
    if (images.category.length)
      fact(
        `${words.count(images.category.length, "instance")} of ${words.count(images.categories.length, "category")}`,
      );
    if (images.hidden) fact("file names are hashed");
  }

  const said = document.getElementById("said");
  for (const line of paring.data.said ?? []) said.append(h("li", {}, sentence(line)));
  const missing = Object.keys(pictures.faults ?? {}).length;
  if (picturesGone)
    said.append(
      h(
        "li",
        {},
        "No picture was found; the numbers are complete all the same. paring report RUN --images DIR says where the pictures are.",
      ),
    );
  else if (missing)
    said.append(
      h(
        "li",
        {},
        `${words.count(missing, "picture")} could not be drawn; the numbers are complete all the same. `,
        h("a", { href: "#about" }, "Which ones"),
      ),
    );
  said.hidden = !said.children.length;

  document
    .getElementById("foot")
    .append(
      `Made by paring ${paring.data.paring}. Nothing on this page is loaded from a network. Charts by Apache ECharts (Apache-2.0; see LICENSES.txt).`,
    );

  // the theme: as the system has it, or as chosen
  const button = document.getElementById("theme"),
    root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => paring.themed.forEach((draw) => draw());
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const tell = () => (button.textContent = dark() ? "Light theme" : "Dark theme");
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    tell();
    redraw();
  });
  system.addEventListener("change", () => (tell(), redraw()));
  tell();
  root.dataset.ready = "yes";
}
