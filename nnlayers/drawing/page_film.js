// The film: curves and layers at the end of the epoch that is shown.

const data = JSON.parse(document.getElementById("data").textContent);
const { steps, epochs } = data;
const columns = new Map(data.columns.map(([name, text]) => [name, numbersOf(text, Float64Array)]));
const stage = document.getElementById("stage");
const layerPanel = document.getElementById("layers");
const position = element("output", { id: "epoch", for: "slider" });
const pace = 300;
// What is done for a frame and its epoch.
const parts = [];

function makeFilm(stored) {
  const arrays = { viewRange: numbersOf(stored.arrays.view_range || "", Float64Array) };
  for (const name in stored.arrays) {
    const kind = ["cells", "shares", "view"].includes(name) ? Int16Array : Float64Array;
    arrays[name] = numbersOf(stored.arrays[name], kind);
  }
  return { ...stored, arrays, frames: steps.length };
}

// Returns the index of an item in a sorted list, or of the one before where it would be.
function indexBefore(list, item) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= item) low = middle + 1; else high = middle;
  }
  return low - 1;
}

function valueAt(column, epoch) {
  const i = indexBefore(epochs, epoch);
  return epochs[i] === epoch ? columns.get(column)[i] : NaN;
}

function curveCards() {
  const names = new Set([...columns.keys()].map(name => name.replace(/^val_/, "")));
  for (const name of names) {
    const lines = [[name, "training", "var(--first)", ""], [`val_${name}`, "validation", "var(--second)", "6 4"]]
      .filter(([column]) => columns.has(column));
    stage.append(curveCard(name, lines));
  }
}

function curveCard(name, lines) {
  const [low, high] = extent(lines.map(([column]) => columns.get(column)));
  const isLog = low > 0 && high / low > 30;
  const range = [Math.min(steps[0] ?? 0, epochs[0] ?? 0), Math.max(1, epochs[epochs.length - 1] ?? 1)];
  const { svg, across, down } = makeChart(range, [low, high], { isLog });
  for (const [column, , colour, dash] of lines) svg.append(svgElement("path", {
    class: "curve", stroke: colour, "stroke-dasharray": dash,
    d: linePath(epochs, columns.get(column), across, down),
  }));
  const mark = svgElement("path", { class: "mark" });
  svg.append(mark);
  svg.classList.add("jump");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${name} over the epochs`);
  svg.addEventListener("click", event => {
    const frame = svg.getBoundingClientRect();
    const x = (event.clientX - frame.left) / frame.width * SPACE.width;
    const distances = steps.map(epoch => Math.abs(across(epoch) - x));
    pause();
    show(distances.indexOf(Math.min(...distances)));
  });
  const readouts = lines.map(([, title, colour, dash]) => {
    const number = element("span", { class: "number" });
    return [number, keyOf("", lineSwatch(colour, dash)), title];
  });
  const keys = readouts.map(([number, key, title]) => { key.append(`${title} `, number); return key; });
  parts.push((frame, epoch) => {
    mark.setAttribute("d", `M${across(epoch)},${SPACE.top}V${SPACE.height - SPACE.bottom}`);
    readouts.forEach(([number], i) => {
      const value = valueAt(lines[i][0], epoch);
      number.textContent = epoch === 0 ? "–" : formatNumber(value);
      number.dataset.column = lines[i][0];
    });
  });
  return element("section", { class: "card" }, element("h2", {}, name), svg, element("p", { class: "small" }, ...keys));
}

function layerCards(film) {
  let weight = 0, cell = 0;
  film.layers.forEach((layer, index) => {
    const title = [layer.name, layer.kind].filter(Boolean).join(": ");
    const card = element("section", { class: "card" }, element("h2", {}, title));
    for (const stored of layer.weights) {
      card.append(weightMap(film, stored, weight, cell));
      weight += 1;
      cell += stored.sides[0] * stored.sides[1];
    }
    gradientIn(card, film, index);
    outputIn(card, film, index);
    layerPanel.append(card);
  });
}

// Returns the heat map of a weight, by its number and that of its first block.
function weightMap(film, { name, shape, sides: [rows, columns_] }, number, start) {
  const { arrays, scale, frames } = film, count = rows * columns_;
  const perFrame = arrays.cells.length / frames, weights = arrays.weights.length / frames;
  const most = extent([Array.from({ length: frames }, (_, i) => arrays.weights[i * weights + 4 * number + 3])])[1];
  const caption = element("p", { class: "weight" }), readout = element("p", { class: "quiet readout" });
  const canvas = heatCanvas({ shape: [rows, columns_], levels: new Int16Array(count) }, 128);
  let values = [];
  if (count) readBy(canvas, rows, columns_, `${name}, ${formatShape(shape)}`, (row, column) => {
    readout.textContent = blockName(shape, rows, columns_, row, column) + formatNumber(values[row * columns_ + column]);
  });
  parts.push(frame => {
    const [low, high, mean, largest] = arrays.weights.slice(frame * weights + 4 * number, frame * weights + 4 * number + 4);
    const cells = arrays.cells.subarray(frame * perFrame + start, frame * perFrame + start + count);
    values = Float64Array.from(cells, x => x < -scale ? NaN : x / scale * largest);
    const levels = Float64Array.from(values, x => Number.isNaN(x) ? 101 : 100 * x / (most || 1));
    if (count) paintHeat(canvas, { shape: [rows, columns_], levels }, heatColours());
    caption.textContent = `${name}, ${formatShape(shape)}, from ${formatNumber(low)} to ${formatNumber(high)}, mean ${formatNumber(mean)}`;
    readout.textContent = "";
  });
  return element("div", { class: "map" }, canvas, element("div", {}, caption, readout));
}

// Names the rows and columns of a block, of which the mean follows, or the entry that it is.
function blockName(shape, rows, columns, row, column) {
  const width = shape.length ? shape[shape.length - 1] : 1;
  const height = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const span = (i, parts, length) => {
    const from = Math.floor(i * length / parts) + 1, to = Math.floor((i + 1) * length / parts);
    return from === to ? `${from}` : `${from} to ${to}`;
  };
  const isEntry = rows === height && columns === width;
  return `Row ${span(row, rows, height)}, column ${span(column, columns, width)}: ${isEntry ? "" : "mean "}`;
}

function ofFrames(array, film, index) {
  const width = array.length / film.frames;
  return Array.from({ length: film.frames }, (_, frame) => array[frame * width + index]);
}

function gradientIn(card, film, index) {
  const norms = ofFrames(film.arrays.gradients, film, index);
  if (!norms.some(Number.isFinite)) return;
  const logs = norms.map(x => x > 0 ? Math.log10(x) : NaN);
  const [low, high] = extent([logs]);
  const across = epoch => 3 + 106 * (epoch - steps[0]) / (steps[steps.length - 1] - steps[0] || 1);
  const down = y => 25 - 22 * (y - low) / (high - low || 1);
  const dot = svgElement("circle", { r: 3, fill: "var(--active)" });
  const line = svgElement("path", {
    class: "curve", stroke: "var(--quiet)", d: linePath(steps, logs, across, down),
  });
  const svg = svgElement("svg", { class: "chart", viewBox: "0 0 112 28", "aria-hidden": "true" }, line, dot);
  const number = element("span", { class: "number norm" });
  card.append(element("div", { class: "pair" }, element("p", { class: "small" }, "Norm of the gradient ", number), svg));
  parts.push(frame => {
    number.textContent = formatNumber(norms[frame]);
    const y = down(logs[frame]);
    dot.setAttribute("visibility", Number.isFinite(y) ? "visible" : "hidden");
    if (Number.isFinite(y)) { dot.setAttribute("cx", across(steps[frame])); dot.setAttribute("cy", y); }
  });
}

function outputIn(card, film, index) {
  const { arrays } = film;
  const lows = ofFrames(arrays.outputs, film, 2 * index), highs = ofFrames(arrays.outputs, film, 2 * index + 1);
  if (!lows.some(Number.isFinite)) return;
  const dead = ofFrames(arrays.dead, film, index);
  const bins = arrays.shares.length / film.frames / film.layers.length;
  const [least, most] = extent([lows, highs]);
  const bars = svgElement("path", { class: "bars" });
  const axis = svgElement("path", { class: "axis", d: "M0,40H240" });
  const svg = svgElement("svg", { class: "chart", viewBox: "0 0 240 42", "aria-hidden": "true" }, axis, bars);
  const caption = element("p", { class: "small output" }), share = element("p", { class: "small share" });
  card.append(svg, caption, share);
  share.hidden = !dead.some(Number.isFinite);
  const across = x => 2 + 236 * (x - least) / (most - least);
  parts.push(frame => {
    const start = (frame * film.layers.length + index) * bins;
    const heights = arrays.shares.slice(start, start + bins);
    const largest = Math.max(1, ...heights);
    const width = (highs[frame] - lows[frame]) / bins;
    let path = "";
    heights.forEach((height, i) => {
      const left = across(lows[frame] + i * width), right = Math.max(left + 1, across(lows[frame] + (i + 1) * width));
      if (height && Number.isFinite(left)) path += `M${left},40V${40 - 38 * height / largest}H${right}V40Z`;
    });
    bars.setAttribute("d", path);
    caption.textContent = `Outputs from ${formatNumber(lows[frame])} to ${formatNumber(highs[frame])}`;
    share.textContent = `Dead units ${formatNumber(100 * dead[frame])} %`;
    share.classList.toggle("dead", dead[frame] > 0);
  });
}

function show(wanted) {
  goTo(wanted, last);
  const epoch = steps[step];
  if (epoch === undefined) { announce("No epoch"); return; }
  for (const part of parts) part(step, epoch);
  position.textContent = `Epoch ${epoch}`;
  announce(position.textContent);
}

document.getElementById("controls").prepend(position);
if (data.film) {
  const film = makeFilm(data.film);
  const about = [`${film.frames} recorded`];
  if (film.rows) about.push(`gradients and outputs on ${film.rows} of the training rows, without dropout`);
  if (film.leftOut) about.push(`${film.leftOut} further layers are left out`);
  document.getElementById("about").textContent = `, ${about.join("; ")}`;
  if (film.view) {
    const view = viewCard(film);
    stage.append(view.card);
    parts.push(view.show);
  }
  layerCards(film);
} else {
  document.getElementById("steps").hidden = true;
}
curveCards();
listen({}, {});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(step));
showAddress();
