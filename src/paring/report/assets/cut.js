"use strict";
// The cut as it stands on the page: what stays, what each category loses. The slider moves it.

const images = paring.data.images ?? null;

if (images) {
  images.n = images.names.length;
  images.offsets = new Int32Array(images.n + 1);
  images.instances.forEach((count, row) => (images.offsets[row + 1] = images.offsets[row] + count));
  // groups 0..: the categories, then the sizes; how often each image has which
  images.groups = [...images.categories, ...images.sizes];
  images.total = countGroups(new Uint8Array(images.n).fill(1));
  images.has = (row, category) => {
    for (let k = images.offsets[row]; k < images.offsets[row + 1]; k++)
      if (images.category[k] === category) return true;
    return false;
  };
}

// Images and instances of each group among the images that stay.
function countGroups(kept) {
  const first = images.categories.length,
    groups = first + images.sizes.length;
  const counts = { images: new Int32Array(groups), instances: new Int32Array(groups) };
  const last = new Int32Array(groups).fill(-1);
  for (let row = 0; row < images.n; row++) {
    if (!kept[row]) continue;
    for (let k = images.offsets[row]; k < images.offsets[row + 1]; k++)
      for (const group of [images.category[k], first + images.size[k]]) {
        counts.instances[group]++;
        if (last[group] !== row) {
          last[group] = row;
          counts.images[group]++;
        }
      }
  }
  return counts;
}

class Cut {
  constructor(about) {
    this.about = about;
    this.own = flags(about.kept, images.n);
    this.measure = about.measure;
    this.listeners = [];
    this.order = this.measure?.ranked ? ranking(this.measure) : null;
    if (this.order) {
      this.rank = new Int32Array(images.n);
      this.order.forEach((row, place) => (this.rank[row] = place));
    }
    this.set(this.own);
  }

  onmove(listener) {
    this.listeners.push(listener);
  }

  set(kept) {
    this.kept = kept;
    this.moved = kept !== this.own;
    this.count = kept.reduce((sum, flag) => sum + flag, 0);
    this.after = countGroups(kept);
    for (const listener of this.listeners) listener();
  }

  // What `keep_top` keeps: the best, those without a score last or not at all.
  top(count) {
    const kept = new Uint8Array(images.n);
    const limit = this.measure.unscored === "drop" ? this.positive() : images.n;
    for (let place = 0; place < Math.min(count, limit); place++) kept[this.order[place]] = 1;
    return kept;
  }

  positive() {
    return this.measure.values.reduce((sum, value) => sum + (value > 0), 0);
  }

  // Losses of each group, the worst first; equal ones by the id of the category.
  losses() {
    const first = images.categories.length;
    const places = [...images.order, ...images.sizes.map((_, k) => first + k)];
    return places
      .map((group) => {
        const before = images.total.instances[group],
          after = this.after.instances[group];
        return {
          name: images.groups[group],
          kind: group < first ? "category" : "size",
          group,
          images: [images.total.images[group], this.after.images[group]],
          instances: [before, after],
          lost: before ? 1 - after / before : 0,
        };
      })
      .sort((one, other) => other.lost - one.lost);
  }

  headline() {
    const n = images.n,
      gone = n - this.count;
    let text = `${words.count(n, "image")}, ${words.whole.format(gone)} removed`;
    const losses = this.losses().filter((loss) => loss.kind === "category" && loss.instances[0]);
    const [worst] = losses;
    if (!worst) return `${text}.`;
    const before = images.category.length;
    let after = 0;
    for (let row = 0; row < n; row++) if (this.kept[row]) after += images.instances[row];
    const share = words.percent(after / before);
    text += `; ${words.whole.format(after)} of ${words.count(before, "instance")} stay (${share} %)`;
    if (!worst.lost) return `${text}; no category lost any.`;
    const none = losses.filter((loss) => loss.lost === 1).length;
    if (none === 1) return `${text}; ${worst.name} loses all of its own.`;
    if (none)
      return `${text}; ${words.count(none, "category")} lose all of their own, ${worst.name} among them.`;
    const least = Math.floor((100 * worst.instances[1]) / worst.instances[0]);
    return `${text}; every category keeps at least ${least} % of its own, ${worst.name} lost most.`;
  }
}

// Rows from the one kept first to the one kept last; equal scores keep the order of the data set.
function ranking({ values, hard, unscored }) {
  const rows = Array.from(values, (_, row) => row);
  const sign = hard === "high" ? 1 : -1;
  rows.sort((one, other) => sign * (values[other] - values[one]) || one - other);
  if (unscored !== "drop") return rows;
  return [...rows.filter((row) => values[row] > 0), ...rows.filter((row) => !(values[row] > 0))];
}

const cuts = images ? (paring.data.cuts ?? []).map((about) => new Cut(about)) : [];
const cut = cuts.length === 1 ? cuts[0] : null;

// Why an image has its place, in words.
function reasons(row) {
  const lines = [],
    { measure, about } = cut;
  const value = measure?.values[row];
  if (cut.rank)
    lines.push(`Rank ${words.whole.format(cut.rank[row] + 1)} of ${words.whole.format(images.n)}.`);
  if (measure?.kind === "score") {
    let line = `${measure.name}: ${words.score(value)}`;
    if (measure.counted) line += ` from ${words.count(measure.counted[row] ?? 0, "instance")} that count`;
    lines.push(`${line}.`);
    const best = measure.strongest?.[row];
    if (best !== null && best !== undefined)
      lines.push(
        `The strongest, of category ${images.categories[best]}, gives ` +
          `${words.share(measure.strongest_score[row] / value)} of it.`,
      );
  }
  const said = about.reasons[row];
  const own = measure?.kind === "similarity" ? similarReason(row, said) : said ? sentence(said) : "";
  if (own && cut.moved) lines.push(`In this run the image ${cut.own[row] ? "stays" : "goes"}: ${own}`);
  else if (own) lines.push(own);
  return lines;
}

// What this run says of an image: what it stands for, or what stands for it.
function similarReason(row, said) {
  if (said) return sentence(said);
  if (cut.own[row]) return standsFor(row);
  const by = paring.data.network?.covered_by[row] ?? -1;
  if (by < 0) return "It cannot be compared with any kept image.";
  return `${words.similarity(cut.measure.values[row])} similar to ${images.names[by]}, which stays.`;
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");

let communitySizes = null;

function standsFor(row) {
  const network = paring.data.network,
    label = network?.community[row];
  if (label === undefined || label < 0) return "Stays.";
  communitySizes ??= network.community.reduce(
    (sizes, other) => sizes.set(other, (sizes.get(other) ?? 0) + 1),
    new Map(),
  );
  const size = communitySizes.get(label);
  if (size === 1) return "No other image is as similar as the threshold asks for.";
  return `Stands for a community of ${words.count(size, "image")}; ${words.count(network.degree_within[row], "neighbour")} in it.`;
}
