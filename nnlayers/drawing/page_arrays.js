"use strict";
// Arrays: how the page decodes, formats and draws them.

const MAX_SIDE = 8;

function sizeOf(shape) { return shape.reduce((a, b) => a * b, 1); }

function makeArray(shape, data, type = "float64") { return { shape, data, type }; }

// Returns numbers of the precision in which the library stored them.
function rounded(array, type) {
  const data = type === "float32" ? Float32Array.from(array.data) : array.data;
  return makeArray(array.shape, data, type);
}

function bytesOf(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

function decode(stored) {
  if (!("data" in stored)) {
    const heat = { shape: stored.heat.shape, levels: new Int8Array(bytesOf(stored.heat.data).buffer) };
    return { shape: stored.shape, type: stored.type, summary: stored.summary, heat };
  }
  const buffer = bytesOf(stored.data).buffer;
  const data = stored.type === "float32" ? new Float32Array(buffer) : new Float64Array(buffer);
  return makeArray(stored.shape, data, stored.type);
}

// Formats a number as Python's format code .4g does.
function formatNumber(number) {
  if (Number.isNaN(number)) return "nan";
  if (!Number.isFinite(number)) return number > 0 ? "inf" : "-inf";
  if (number === 0) return "0";
  const [digits, power] = number.toExponential(3).split("e");
  if (+power >= -4 && +power < 4) {
    const text = number.toFixed(Math.max(0, 3 - power));
    return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  }
  const sign = +power < 0 ? "-" : "+";
  return digits.replace(/\.?0+$/, "") + "e" + sign + String(Math.abs(power)).padStart(2, "0");
}

function formatShape(shape) { return shape.join(" × ") || "scalar"; }

function isSmall({ shape, data }) {
  const size = sizeOf(shape);
  return data && size > 0 && size <= MAX_SIDE ** 2 && Math.max(0, ...shape.slice(-2)) <= MAX_SIDE;
}

function summaryOf(array) {
  if (array.summary) return array.summary;
  const finite = Array.from(array.data).filter(Number.isFinite);
  let text = `${formatShape(array.shape)} ${array.type}`;
  if (finite.length) {
    const low = finite.reduce((a, b) => Math.min(a, b)), high = finite.reduce((a, b) => Math.max(a, b));
    const mean = finite.reduce((a, b) => a + b, 0) / finite.length;
    text += `, from ${formatNumber(low)} to ${formatNumber(high)}, mean ${formatNumber(mean)}`;
  }
  const odd = array.data.length - finite.length;
  return text + (odd ? `, ${odd} infinite or NaN` : "");
}

// Returns rows and columns, of which each entry is the one of the largest magnitude in its block.
function pooled(array, mostRows, mostColumns) {
  const columns = array.shape.length ? array.shape[array.shape.length - 1] : 1;
  const rows = columns ? array.data.length / columns : 0;
  const height = Math.min(rows, mostRows), width = Math.min(columns, mostColumns);
  const table = new Float64Array(height * width);
  for (let i = 0; i < height; i++) for (let j = 0; j < width; j++) {
    let low = Infinity, high = -Infinity;
    for (let r = Math.floor(i * rows / height); r < Math.floor((i + 1) * rows / height); r++) {
      for (let c = Math.floor(j * columns / width); c < Math.floor((j + 1) * columns / width); c++) {
        low = Math.min(low, array.data[r * columns + c]);
        high = Math.max(high, array.data[r * columns + c]);
      }
    }
    table[i * width + j] = -low > high ? low : high;
  }
  return { shape: [height, width], data: table };
}

// Returns an integer for the size and sign of each entry, one above the highest level for NaN.
function heatOf(array, mostRows, mostColumns, levels) {
  if (array.heat) return array.heat;
  const table = pooled(array, mostRows, mostColumns);
  const largest = table.data.reduce((a, b) => Number.isFinite(b) ? Math.max(a, Math.abs(b)) : a, 0) || 1;
  const scaled = Array.from(table.data, x => Number.isNaN(x) ? levels + 1
    : Math.round(Math.max(-1, Math.min(1, x / largest)) * levels) + 0);
  return { shape: table.shape, levels: scaled };
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  made.append(...children);
  return made;
}

// Returns the colour of a level from -100 to 100 between three colours of the style sheet.
function heatColour(level, colours) {
  if (level > 100) return colours.nan;
  const [from, to] = [colours.zero, level < 0 ? colours.low : colours.high];
  const part = Math.abs(level) / 100;
  return from.map((start, i) => Math.round(start + (to[i] - start) * part));
}

function heatColours() {
  const style = getComputedStyle(document.documentElement);
  const read = name => style.getPropertyValue(name).match(/[0-9a-f]{2}/gi).map(x => parseInt(x, 16));
  return { zero: read("--heat0"), low: read("--heat-3"), high: read("--heat3"), nan: read("--heat4") };
}

function heatCanvas(heat, most) {
  const [rows, columns] = heat.shape;
  const canvas = element("canvas", { width: columns, height: rows, "aria-hidden": "true" });
  const cell = Math.max(1, Math.min(most / columns, most / rows, 24));
  canvas.style.width = `${Math.round(columns * cell)}px`;
  canvas.style.height = `${Math.max(4, Math.round(rows * cell))}px`;
  paintHeat(canvas, heat, heatColours());
  return canvas;
}

function paintHeat(canvas, { shape: [rows, columns], levels }, colours) {
  const image = new ImageData(Math.max(1, columns), Math.max(1, rows));
  for (let i = 0; i < rows * columns; i++) {
    image.data.set([...heatColour(levels[i], colours), 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Returns a heat map that opens into a larger one, on which the entries can be read.
function heatFigure(array, isOpen) {
  const caption = element("span", { class: "caption" }, summaryOf(array));
  const small = heatCanvas(heatOf(array, 16, 32, 100), 96);
  const details = element("details", { class: "heat" }, element("summary", {}, small, caption));
  const open = () => {
    if (details.open && !details.querySelector(".large")) details.append(...largeHeat(array));
  };
  details.addEventListener("toggle", open);
  details.open = isOpen;
  open();
  return details;
}

// Lets the pointer and the arrow keys read rows and columns of a canvas, by a function of both.
function readBy(canvas, rows, columns, label, read) {
  let row = 0, column = 0;
  const go = (r, c) => {
    row = Math.max(0, Math.min(rows - 1, r));
    column = Math.max(0, Math.min(columns - 1, c));
    read(row, column);
  };
  canvas.addEventListener("pointermove", event => {
    const frame = canvas.getBoundingClientRect();
    const across = (event.clientX - frame.left) / frame.width;
    const down = (event.clientY - frame.top) / frame.height;
    go(Math.floor(down * rows), Math.floor(across * columns));
  });
  for (const [name, value] of [["tabindex", 0], ["role", "img"], ["aria-label", label]]) {
    canvas.setAttribute(name, value);
  }
  canvas.removeAttribute("aria-hidden");
  canvas.addEventListener("keydown", event => {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    go(row + moves[event.key][0], column + moves[event.key][1]);
  });
}

function largeHeat(array) {
  const heat = heatOf(array, 32, 32, 100);
  const canvas = heatCanvas(heat, 288);
  canvas.classList.add("large");
  const hint = "Point at an entry to read it, or move to it by the arrow keys.";
  const readout = element("p", { class: "quiet readout", role: "status" }, hint);
  const scale = element("p", { class: "scale" }, "−", element("span", { class: "bar" }), "+");
  const columns = array.shape.length ? array.shape[array.shape.length - 1] : 1;
  const rows = columns ? sizeOf(array.shape) / columns : 0;
  const read = (row, column) => {
    const number = array.data ? ` = ${formatNumber(array.data[row * columns + column])}` : "";
    readout.textContent = `Row ${row + 1}, column ${column + 1}${number}`;
  };
  readBy(canvas, rows, columns, summaryOf(array), read);
  return [canvas, scale, readout];
}

// Returns a matrix, a stack of them, or a row as a table in brackets; `fill` makes its cells.
function matrixTable(shape, fill) {
  if (shape.length > 2) {
    const stack = element("span", { class: "stack" });
    const inner = sizeOf(shape.slice(1));
    for (let i = 0; i < shape[0]; i++) {
      const slice = matrixTable(shape.slice(1), k => fill(i * inner + k));
      stack.append(element("span", { class: "slice" }, `${i}: `, slice));
    }
    return stack;
  }
  const [rows, columns] = shape.length === 1 ? [1, shape[0]] : shape;
  const body = element("tbody");
  for (let i = 0; i < rows; i++) {
    const row = element("tr");
    for (let j = 0; j < columns; j++) row.append(element("td", {}, fill(i * columns + j)));
    body.append(row);
  }
  return element("table", { class: "matrix", "data-rows": rows, "data-columns": columns }, body);
}
