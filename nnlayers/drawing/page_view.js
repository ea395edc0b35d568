// The view: what the network makes of the plane or the line of its inputs.

// These can be told apart with any kind of colour vision, and each has another mark.
const PALETTE = [
  [59, 125, 216], [224, 123, 26], [27, 158, 119], [198, 71, 154],
  [122, 95, 208], [154, 140, 0], [192, 57, 43], [76, 159, 176],
];
const MARKS = [
  "M4,0A4,4 0 1 1 -4,0A4,4 0 1 1 4,0Z", "M-3.5,-3.5H3.5V3.5H-3.5Z", "M0,-4.5L4.5,3.5H-4.5Z",
  "M0,-5L5,0L0,5L-5,0Z",
];
const SHOWN_CLASSES = 12, PLANE = 480;

function numbersOf(text, kind) { return new kind(bytesOf(text).buffer); }
function paletteOf(i) { return PALETTE[i % PALETTE.length]; }
function cssColour(colour) { return `rgb(${colour.join()})`; }

function classKeys(view) {
  const keys = view.classes.slice(0, SHOWN_CLASSES).map((name, i) => keyOf(name, svgElement("path", {
    d: MARKS[i % MARKS.length], transform: "translate(11 7)", fill: cssColour(paletteOf(i)),
  })));
  if (view.classes.length > SHOWN_CLASSES) keys.push("…");
  return element("p", { class: "small" }, ...keys);
}

// Returns the numbers of a frame of the view, of which the film has levels.
function viewValues(film, frame) {
  const { view, scale } = film, [low, high] = film.arrays.viewRange.slice(2 * frame, 2 * frame + 2);
  const size = film.arrays.view.length / film.frames;
  const stored = film.arrays.view.subarray(frame * size, (frame + 1) * size);
  if (view.kind === "classes" && view.ranges.length === 2) return stored;
  return Float64Array.from(stored, x => x < 0 ? NaN : low + x / scale * (high - low));
}

function viewCard(film) {
  const { view } = film;
  view.points = numbersOf(view.points, Float64Array);
  view.targets = numbersOf(view.targets, Float64Array);
  const [first, second] = view.features;
  const title = `Predictions over ${second ? `${first} and ${second}` : first}`;
  const card = element("section", { class: "card", id: "view" }, element("h2", {}, title));
  const show = second ? planeIn(card, film) : lineIn(card, film);
  return { card, show };
}

// Returns a function that paints the plane of a frame.
function planeIn(card, film) {
  const { view } = film, { side } = view, [[x0, x1], [y0, y1]] = view.ranges;
  const canvas = element("canvas", { width: side, height: side });
  const points = element("canvas", { class: "points", width: PLANE, height: PLANE, "aria-hidden": "true" });
  const hint = "Point at the plane to read it, or move by the arrow keys.";
  const readout = element("p", { class: "quiet small readout", role: "status" }, hint);
  const spans = view.features.map(
    (name, i) => `${name} from ${view.ranges[i].map(x => formatShort(inUnit(x, view.units[i]))).join(" to ")}`);
  card.append(
    element("div", { class: "plane" }, canvas, points),
    element("p", { class: "spans" }, element("span", {}, `→ ${spans[0]}`), element("span", {}, `↑ ${spans[1]}`)),
    view.classes.length ? classKeys(view) : element("p", { class: "scale" }, "−", element("span", { class: "bar" }), "+"),
    readout);
  const most = largestValue(film);
  let values = [], place = null;
  const read = () => {
    if (!place) return;
    const [row, column] = place, i = row * side + column;
    const x = x0 + column / (side - 1) * (x1 - x0), y = y1 - row / (side - 1) * (y1 - y0);
    const [a, b] = [x, y].map((number, i) => formatNumber(inUnit(number, view.units[i])));
    const at = `${view.features[0]} ${a}, ${view.features[1]} ${b}: `;
    readout.textContent = at + (view.classes.length
      ? `${view.classes[values[i] >> 8]}, probability ${formatNumber((values[i] & 255) / 255)}`
      : formatNumber(inUnit(values[i], view.unit)));
  };
  readBy(canvas, side, side, `Predictions over ${view.features.join(" and ")}`, (row, column) => {
    place = [row, column];
    read();
  });
  let wasDark = null;
  return frame => {
    values = viewValues(film, frame);
    const colours = heatColours(), page = pageColour();
    const image = new ImageData(side, side);
    values.forEach((value, i) => image.data.set([...planeColour(view, value, most, colours, page), 255], 4 * i));
    canvas.getContext("2d").putImageData(image, 0, 0);
    if (wasDark !== isDark()) drawPoints(points, view, most, colours, page);
    wasDark = isDark();
    read();
  };
}

function formatShort(number) { return formatNumber(+number.toPrecision(3)); }
function inUnit(number, [zero, one]) { return zero + one * number; }
function isDark() { return matchMedia("(prefers-color-scheme: dark)").matches; }

function pageColour() {
  const style = getComputedStyle(document.documentElement).getPropertyValue("--page");
  return style.match(/[0-9a-f]{2}/gi).map(x => parseInt(x, 16));
}

// Returns the largest magnitude of the values that a view shows, targets included.
function largestValue(film) {
  const ends = film.view.kind === "classes" ? [] : extent([film.arrays.viewRange, film.view.targets]);
  return Math.max(1e-300, ...ends.map(Math.abs));
}

function planeColour(view, value, most, colours, page) {
  if (view.kind === "values") {
    return heatColour(Number.isNaN(value) ? 101 : 100 * Math.max(-1, Math.min(1, value / most)), colours);
  }
  const chance = 1 / view.curves, sure = Math.max(0, ((value & 255) / 255 - chance) / (1 - chance));
  const colour = paletteOf(value >> 8), part = 0.1 + 0.55 * sure;
  return page.map((start, i) => Math.round(start + (colour[i] - start) * part));
}

function drawPoints(canvas, view, most, colours, page) {
  const pen = canvas.getContext("2d"), [[x0, x1], [y0, y1]] = view.ranges;
  pen.resetTransform();
  pen.clearRect(0, 0, PLANE, PLANE);
  view.targets.forEach((target, i) => {
    const isClass = view.kind === "classes";
    const x = (view.points[2 * i] - x0) / (x1 - x0), y = (y1 - view.points[2 * i + 1]) / (y1 - y0);
    pen.setTransform(1.3, 0, 0, 1.3, x * PLANE, y * PLANE);
    const path = new Path2D(MARKS[isClass ? target % MARKS.length : 0] || MARKS[0]);
    pen.fillStyle = cssColour(isClass ? paletteOf(target) || page : planeColour(view, target, most, colours));
    pen.strokeStyle = isClass ? cssColour(page) : getComputedStyle(document.body).color;
    pen.fill(path);
    pen.stroke(path);
  });
}

// Returns a function that draws the curves of a frame over the one feature.
function lineIn(card, film) {
  const { view } = film, isClass = view.kind === "classes";
  const size = film.arrays.view.length / film.frames / view.curves;
  const [x0, x1] = view.ranges[0];
  const xs = Array.from({ length: size }, (_, i) => x0 + i / (size - 1) * (x1 - x0));
  const range = isClass ? [0, 1] : extent([film.arrays.viewRange, view.targets]);
  const { svg, across, down } = makeChart([x0, x1], range, {
    units: [view.units[0], isClass ? [0, 1] : view.unit],
  });
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Predictions over ${view.features[0]}`);
  view.targets.forEach((target, i) => {
    const y = isClass ? (view.curves === 2 ? target : 0) : target;
    svg.append(svgElement("path", {
      d: MARKS[isClass ? target % MARKS.length : 0] || MARKS[0], "fill-opacity": 0.5,
      transform: `translate(${across(view.points[i])} ${down(y)}) scale(.7)`,
      fill: isClass ? cssColour(paletteOf(target) || PALETTE[0]) : "var(--quiet)",
    }));
  });
  const curves = Array.from({ length: view.curves }, (_, i) => svgElement("path", {
    class: "curve", stroke: cssColour(paletteOf(i)),
  }));
  svg.append(...curves);
  card.append(svg);
  if (isClass) card.append(element("p", { class: "small quiet" }, "Probability of each class"), classKeys(view));
  return frame => {
    const values = viewValues(film, frame);
    curves.forEach((curve, i) => {
      curve.setAttribute("d", linePath(xs, values.subarray(i * size, (i + 1) * size), across, down));
    });
  };
}
