// Charts: lines over a range of numbers, as SVG.

const SPACE = { width: 400, height: 220, left: 48, right: 8, top: 8, bottom: 26 };

function svgElement(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  made.append(...children);
  return made;
}

// Returns round numbers within a range, about as many as wanted.
function ticksOf(low, high, wanted) {
  const rough = (high - low) / wanted, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(x => x * size).find(x => x >= rough) || rough;
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9; i++) ticks.push(i * step);
  return ticks;
}

// Returns numbers that are round in a unit, in which 0 stands for one number and 1 for that much more.
function ticksIn(low, high, wanted, [zero, one]) {
  return ticksOf(zero + one * low, zero + one * high, wanted).map(x => [(x - zero) / one, tidy(x)]);
}

function extent(lists) {
  let low = Infinity, high = -Infinity;
  for (const list of lists) for (const x of list) if (Number.isFinite(x)) {
    low = Math.min(low, x);
    high = Math.max(high, x);
  }
  if (low > high) return [0, 1];
  return low < high ? [low, high] : [low - (Math.abs(low) || 1) / 2, high + (Math.abs(low) || 1) / 2];
}

// Returns an SVG of a frame with axes, and functions from numbers to coordinates.
function makeChart([x0, x1], [y0, y1], { isLog = false, units = [[0, 1], [0, 1]] } = {}) {
  const { width, height, left, right, top, bottom } = SPACE;
  const level = isLog ? Math.log10 : y => y;
  const [low, high] = [level(y0), level(y1)];
  const across = x => left + (x - x0) / (x1 - x0 || 1) * (width - left - right);
  const down = y => height - bottom - (level(y) - low) / (high - low || 1) * (height - top - bottom);
  const svg = svgElement("svg", { class: "chart", viewBox: `0 0 ${width} ${height}` });
  const frame = svgElement("path", {
    class: "axis", d: `M${left},${top}V${height - bottom}H${width - right}`,
  });
  svg.append(frame);
  const vertical = isLog ? logTicks(low, high).map(y => [y, tidy(y)]) : ticksIn(y0, y1, 4, units[1]);
  for (const [y, text] of vertical) {
    svg.append(
      svgElement("path", { class: "axis", d: `M${left},${down(y)}H${width - right}` }),
      svgElement("text", { x: left - 5, y: down(y) + 4, "text-anchor": "end" }, text));
  }
  for (const [x, text] of ticksIn(x0, x1, 6, units[0])) {
    svg.append(svgElement("text", { x: across(x), y: height - 8, "text-anchor": "middle" }, text));
  }
  return { svg, across, down };
}

// Returns 1, 2 and 5 times powers of ten within a range of exponents, or some of the powers alone.
function logTicks(low, high) {
  const ticks = [], powers = [];
  for (let i = Math.floor(low); i <= high; i++) for (const x of [1, 2, 5]) {
    const tick = x * 10 ** i, exponent = Math.log10(tick);
    if (exponent < low || exponent > high) continue;
    ticks.push(tick);
    if (x === 1) powers.push(tick);
  }
  return ticks.length <= 6 ? ticks : powers.filter((_, i) => i % Math.ceil(powers.length / 6) === 0);
}

// Formats a number of an axis, which the sum of steps may have left inexact.
function tidy(number) { return formatNumber(+number.toPrecision(10)); }

// Returns the path of a line, with a gap for each number that is not finite.
function linePath(xs, ys, across, down) {
  let path = "", isDrawing = false;
  for (let i = 0; i < xs.length; i++) {
    const y = down(ys[i]);
    if (!Number.isFinite(y)) { isDrawing = false; continue; }
    path += `${isDrawing ? "L" : "M"}${across(xs[i]).toFixed(1)},${y.toFixed(1)}`;
    if (!isDrawing && !Number.isFinite(down(ys[i + 1] ?? NaN))) path += "h.1";  // A point by itself.
    isDrawing = true;
  }
  return path;
}

// Returns a swatch of a line or a mark with its name.
function keyOf(name, swatch) {
  const svg = svgElement("svg", { width: 22, height: 14, "aria-hidden": "true" }, swatch);
  return element("span", { class: "key" }, svg, name);
}

function lineSwatch(colour, dash) {
  return svgElement("path", {
    d: "M1,7H21", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash, fill: "none",
  });
}
