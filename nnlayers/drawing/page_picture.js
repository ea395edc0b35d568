// The drawing: its labels, which wires are lit, and the part of it that is in view.

const drawing = document.getElementById("drawing");
const pictures = [...drawing.querySelectorAll("svg")];
const foldButton = document.getElementById("fold");
const DIGIT = 7.4, LABEL_HEIGHT = 14, LABEL_GAP = 6;

function picture() { return pictures.find(svg => !svg.hasAttribute("hidden")); }

function svgElement(name, attributes) {
  const made = document.createElementNS(pictures[0].namespaceURI, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  return made;
}

// Returns the text of a label, and whether a heat map stands beside it.
function labelText(array) {
  if (!array.shape.length) return [formatNumber(array.data[0]), false];
  if (array.data && array.shape.length === 1 && array.data.length && array.data.length <= 6) {
    const text = `[${Array.from(array.data, formatNumber).join(", ")}]`;
    if (text.length <= 20) return [text, false];
  }
  return [formatShape(array.shape), sizeOf(array.shape) > 0];
}

function fillLabel(group, arrays) {
  const parts = group.dataset.array.split(" ").map(key => arrays.get(key));
  if (parts.some(part => !part || !part.data)) return;
  const texts = parts.map(labelText), joined = texts.map(([text]) => text).join(" + ");
  const isShort = !texts[0][1] && joined.length <= 20;
  const whole = isShort ? parts[0] : parts.reduce(sum);
  const [text, hasHeat] = isShort ? [joined, false] : labelText(whole);
  const shown = (group.dataset.before || "") + text, width = DIGIT * shown.length;
  const heat = hasHeat && heatOf(whole, 7, 16, 3);
  const side = heat ? Math.min(7, LABEL_HEIGHT / heat.shape[0]) : 0;
  const total = width + (heat ? LABEL_GAP + side * heat.shape[1] : 0);
  const made = svgElement("text", { x: (width - total) / 2 });
  made.textContent = shown;
  group.replaceChildren(made);
  if (!heat) return;
  heat.levels.forEach((level, k) => {
    const [row, column] = [Math.floor(k / heat.shape[1]), k % heat.shape[1]];
    const x = width + LABEL_GAP - total / 2 + column * side, y = row * side - 11;
    group.append(svgElement("path", { class: `heat${level}`, d: `M${x} ${y}h${side}v${side}h${-side}z` }));
  });
}

function fillLabels(arrays) {
  for (const group of drawing.querySelectorAll(".label[data-array]")) fillLabel(group, arrays);
}

// The part of the drawing in view: its centre, and pixels of the screen per unit.
const view = { x: 0, y: 0, scale: 1 };

function naturalSize() { return ["width", "height"].map(name => +picture().getAttribute(name)); }

function applyView() {
  const [width, height] = naturalSize(), frame = drawing.getBoundingClientRect();
  const [w, h] = [frame.width / view.scale, frame.height / view.scale];
  // The drawing does not leave the frame, and stands in the middle where it is smaller.
  const clamp = (centre, half, length) => half * 2 >= length ? length / 2
    : Math.max(half, Math.min(length - half, centre));
  view.x = clamp(view.x, w / 2, width);
  view.y = clamp(view.y, h / 2, height);
  picture().setAttribute("viewBox", `${view.x - w / 2} ${view.y - h / 2} ${w} ${h}`);
}

function fitView() {
  const [width, height] = naturalSize(), frame = drawing.getBoundingClientRect();
  const whole = Math.min(frame.width / width, frame.height / height);
  // Letters stay legible; what does not fit is reached by dragging, and follows the steps.
  view.scale = Math.min(1.25, Math.max(whole, frame.width < 600 ? 0.65 : 0.75));
  [view.x, view.y] = [width / 2, height / 2];
  applyView();
  follow();
}

function zoom(factor, x = 0.5, y = 0.5) {
  const frame = drawing.getBoundingClientRect(), before = view.scale;
  view.scale = Math.max(0.1, Math.min(4, view.scale * factor));
  const shift = 1 / before - 1 / view.scale;
  view.x += (x - 0.5) * frame.width * shift;
  view.y += (y - 0.5) * frame.height * shift;
  applyView();
}

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
let motion = 0;

// Moves the view so that the active box, and the wires that lead to it, are in it.
function follow() {
  const boxes = [...picture().querySelectorAll(".active")].map(part => part.getBBox());
  const node = picture().querySelector(".node.active");
  if (!node) return;
  const frame = drawing.getBoundingClientRect();
  const [w, h] = [frame.width / view.scale, frame.height / view.scale];
  const span = parts => {
    const [left, top] = [Math.min(...parts.map(b => b.x)), Math.min(...parts.map(b => b.y))];
    const right = Math.max(...parts.map(b => b.x + b.width));
    const bottom = Math.max(...parts.map(b => b.y + b.height));
    return { left: left - 16, top: top - 24, right: right + 16, bottom: bottom + 24 };
  };
  let area = span(boxes);
  if (area.right - area.left > w || area.bottom - area.top > h) area = span([node.getBBox()]);
  const target = { x: (area.left + area.right) / 2, y: (area.top + area.bottom) / 2 };
  const far = area.left < view.x - w / 2 || area.right > view.x + w / 2
    || area.top < view.y - h / 2 || area.bottom > view.y + h / 2;
  cancelAnimationFrame(motion);
  if (!far) return;
  const start = { ...view }, begin = performance.now();
  const isNear = Math.abs(target.x - view.x) < 2 * w;
  const advance = now => {
    const part = reducedMotion.matches || !isNear ? 1 : Math.max(0, Math.min(1, (now - begin) / 200));
    view.x = start.x + (target.x - start.x) * part;
    view.y = start.y + (target.y - start.y) * part;
    applyView();
    if (part < 1) motion = requestAnimationFrame(advance);
  };
  if (reducedMotion.matches || !isNear) advance(begin); else motion = requestAnimationFrame(advance);
}

const pointers = new Map();
let hasDragged = false;

drawing.addEventListener("pointerdown", event => {
  pointers.set(event.pointerId, event);
  if (pointers.size === 1) hasDragged = false;
});
addEventListener("pointermove", event => {
  const last = pointers.get(event.pointerId);
  if (!last) return;
  const others = [...pointers.values()].filter(pointer => pointer !== last);
  const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
  if (!hasDragged && !others.length && Math.hypot(dx, dy) < 5) return;
  hasDragged = true;
  cancelAnimationFrame(motion);
  pointers.set(event.pointerId, event);
  if (others.length) {
    const [other] = others, frame = drawing.getBoundingClientRect();
    const gap = pointer => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
    const middle = [(event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2];
    zoom(gap(event) / Math.max(1, gap(last)), (middle[0] - frame.left) / frame.width,
      (middle[1] - frame.top) / frame.height);
  }
  const share = others.length ? 2 : 1;
  view.x -= dx / view.scale / share;
  view.y -= dy / view.scale / share;
  applyView();
});
for (const name of ["pointerup", "pointercancel"]) {
  addEventListener(name, event => pointers.delete(event.pointerId));
}
drawing.addEventListener("wheel", event => {
  if (!event.ctrlKey) return;  // A wheel alone scrolls the page.
  event.preventDefault();
  const frame = drawing.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / 200), (event.clientX - frame.left) / frame.width,
    (event.clientY - frame.top) / frame.height);
}, { passive: false });
new ResizeObserver(fitView).observe(drawing);

function toggleFold() {
  if (pictures.length < 2) return;
  for (const svg of pictures) svg.toggleAttribute("hidden");
  foldButton.setAttribute("aria-expanded", String(!pictures[1].hasAttribute("hidden")));
  foldButton.textContent = pictures[1].hasAttribute("hidden") ? "Unfold" : "Fold";
  fitView();
}

// Lights the wires and boxes of a node, and the terms of the formulas that name it.
function light(node, isGradient) {
  unlight();
  const active = drawing.dataset.active;
  for (const part of drawing.querySelectorAll(".wire, .node")) {
    const isWire = part.classList.contains("wire");
    const targets = (part.dataset.targets || "").split(" ");
    const nodes = (part.dataset.nodes || "").split(" ");
    const isOwn = isWire ? part.dataset.source === node && (isGradient || !active
      || active === node || targets.includes(active)) : nodes.includes(node);
    part.classList.toggle("lit", isOwn);
  }
  for (const term of document.querySelectorAll(`#steps [data-node="${node}"], #steps [data-gradient="${node}"]`)) {
    term.classList.add("lit");
  }
}

function unlight() {
  for (const part of document.querySelectorAll(".lit")) part.classList.remove("lit");
}

document.addEventListener("pointerover", event => {
  const part = event.target.closest("[data-node], [data-gradient], .wire[data-source], .node[data-nodes]");
  if (!part) { unlight(); return; }
  const { node, gradient, source, nodes } = part.dataset;
  light(node ?? gradient ?? source ?? nodes.split(" ")[0], gradient !== undefined);
});
