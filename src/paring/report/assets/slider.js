"use strict";
// What if the cut had been elsewhere: along the ranking, or between the stored points.

paring.section({
  id: "slider",
  title: "What if more had gone, or less",
  when: () => cut?.about.slider,
  render(box) {
    document.documentElement.classList.add("has-slider");
    const { slider, again } = cut.about;
    const positions = slider.kind === "ranking" ? alongRanking() : storedPoints(slider);
    const range = h("input", {
      type: "range",
      id: "rate",
      min: 0,
      max: positions.length - 1,
      step: 1,
      value: positions.own,
      "aria-describedby": "rate-words",
      oninput: () => move(+range.value),
    });
    const said = h("span", { id: "rate-words" });
    const command = h("code", { id: "command" });
    const copy = h(
      "button",
      { type: "button", class: "quiet", onclick: () => copyText(command, copy) },
      "Copy",
    );
    const reset = h("button", { type: "button", class: "quiet", onclick: () => home() }, "Back to this run");
    const label = h(
      "label",
      { for: "rate" },
      slider.kind === "ranking"
        ? "Pruning rate (share of the images removed)"
        : "Pruning rate (share of the images removed), from one stored cut to the next",
    );
    const line = h("p", { class: "command" }, command, copy);
    box.append(
      h("div", { class: "slider" }, label, range, h("p", { class: "slider-words" }, said, reset), line),
      h("p", { class: "note" }, note(slider)),
    );
    // a pointer fires faster than a page of many images can be counted
    let wanted = null;
    const settle = calmly(() => cut.set(wanted.kept()));
    function move(place) {
      wanted = positions.at(place);
      tell(wanted);
      settle();
    }
    function home() {
      range.value = positions.own;
      wanted = { kept: () => cut.own, dropped: images.n - own, amount: null, own: true };
      tell(wanted);
      cut.set(cut.own);
    }
    const own = cut.own.reduce((sum, flag) => sum + flag, 0);
    function tell({ dropped, amount, threshold, own }) {
      const share = words.share(dropped / images.n);
      const at =
        threshold === undefined || threshold === null ? "" : ` · threshold ${words.threshold(threshold)}`;
      said.textContent = `${share}: ${words.whole.format(dropped)} of ${words.count(images.n, "image")} go, ${words.whole.format(images.n - dropped)} stay${at}${own ? " (this run)" : ""}`;
      range.setAttribute("aria-valuetext", said.textContent);
      reset.hidden = Boolean(own);
      line.hidden = !amount || !again;
      if (amount && again) command.textContent = commandLine(again, amount);
    }
    home();
  },
});

function note(slider) {
  if (slider.kind === "ranking") return "Exact: these are the images that a run at that rate keeps.";
  if (slider.by === "rate")
    return "The run has floors, so the slider goes from one computed cut to the next.";
  return "The slider goes from one stored point of the rate-threshold curve to the next. Each is the paper's rule at a threshold, with no images brought back; the network, the pairs and the similarities below stay those of this run.";
}

// Every thousandth of the rate; floor(rate N) images go, in whole numbers.
function alongRanking() {
  const n = images.n,
    gone = n - cut.own.reduce((sum, flag) => sum + flag, 0);
  return {
    length: 1000,
    own: Math.min(999, Math.ceil((1000 * gone) / n)),
    at(step) {
      const kept = n - Math.floor((step * n) / 1000);
      if (n - kept === gone) return { kept: () => cut.own, dropped: gone, own: true };
      const limit = cut.measure.unscored === "drop" ? cut.positive() : n;
      return {
        kept: () => cut.top(kept),
        dropped: n - Math.min(kept, limit),
        amount: ["--rate", String(step / 1000)],
      };
    },
  };
}

function storedPoints({ points }) {
  return {
    length: points.length,
    own: points.findIndex((point) => point.own),
    at(place) {
      const point = points[place];
      return { ...point, kept: () => (point.own ? cut.own : flags(point.kept, images.n)) };
    },
  };
}

function commandLine(again, amount) {
  const output = `${cut.about.name}-${amount.at(-1)}`;
  const end = again.indexOf("--"); // behind it stand no options
  const [options, rest] = end < 0 ? [again, []] : [again.slice(0, end), again.slice(end)];
  return [...options, ...amount, "-o", output, ...rest].map(quoted).join(" ");
}

// As a shell reads it.
function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

async function copyText(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // a page that may not write is selected instead
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}
