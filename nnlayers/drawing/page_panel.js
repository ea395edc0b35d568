// The panel: the arrays of a step, cells that can be edited, and the sums behind products.

const { nodes, arrays: stored, keys } = JSON.parse(document.getElementById("data").textContent);
const decoded = stored.map(decode);
const original = new Map(Object.entries(keys).map(([key, index]) => [key, decoded[index]]));
let arrays = new Map(original);
const reason = obstacle(nodes, original);
const resetButton = document.getElementById("reset");
const hint = document.getElementById("hint");

function nameOf(key) {
  if (key[0] === "v") return nodes[+key.slice(1)].name;
  for (const { operation } of nodes) {
    const weight = operation && operation.weights.find(part => part.key === key);
    if (weight) return weight.name;
  }
  return key;
}

function isEditable(span) {
  const key = span.dataset.array;
  const node = /^v\d+$/.test(key) ? nodes[+key.slice(1)] : null;
  // The number of an expression is its own label.
  const isLeaf = node && !node.operation && !(node.kind === "constant" && Number.isFinite(+node.name));
  return !reason && (isLeaf || /^p\d+$/.test(key)) && !span.classList.contains("product");
}

function fullText(number) { return Object.is(number, -0) ? "0" : String(number); }

function cell(array, key, k, canEdit) {
  const text = formatNumber(array.data[k]);
  if (!canEdit) return element("span", { title: fullText(array.data[k]) }, text);
  const name = array.data.length > 1 ? `${nameOf(key)}, entry ${k + 1}` : nameOf(key);
  const input = element("input", {
    class: "cell", type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false",
    "aria-label": name, title: "Type or drag", "data-key": key, "data-entry": k, value: text,
  });
  input.style.width = `${Math.max(3, text.length + 1)}ch`;
  return input;
}

// Fills an element with its array: a number, a matrix, or a heat map.
function fill(span) {
  const key = span.dataset.array, array = arrays.get(key);
  if (!array) return;
  const canEdit = isEditable(span);
  const given = span.dataset.shape;
  const shape = given === undefined ? array.shape : given.split(" ").filter(Boolean).map(Number);
  if (!isSmall(array) && span.classList.contains("product")) {
    const canvas = heatCanvas(heatOf(array, 16, 32, 100), 40);
    span.replaceChildren(element("span", { class: "tiny" }, formatShape(shape), canvas));
  } else if (!isSmall(array)) {
    const details = span.querySelector("details");
    span.replaceChildren(heatFigure(array, Boolean(details && details.open)));
  } else if (!shape.length) {
    span.replaceChildren(cell(array, key, 0, canEdit));
  } else {
    const table = matrixTable(shape, k => cell(array, key, k, canEdit));
    table.setAttribute("aria-label", `${formatShape(shape)} ${shape.length < 2 ? "vector" : "array"}`);
    span.replaceChildren(table);
  }
}

function fillSection(section) {
  for (const span of section.querySelectorAll("[data-array]")) fill(span);
  for (const equation of section.querySelectorAll(".equation")) prepareProduct(equation);
}

// Fills everything again but the cell that has the focus.
function refill(section) {
  const focused = document.activeElement;
  const kept = focused && focused.classList.contains("cell") ? focused.closest("[data-array]") : null;
  for (const span of section.querySelectorAll("[data-array]")) if (span !== kept) fill(span);
  for (const equation of section.querySelectorAll(".equation")) prepareProduct(equation);
  fillLabels(arrays);
}

// Products of matrices: the row, the column and the sum behind the entry under the pointer.

function prepareProduct(equation) {
  const factors = equation.querySelector(".factors");
  const result = equation.lastElementChild.querySelector("table");
  if (!factors || !result || factors.dataset.sign !== "@") return;
  const [left, right] = [...factors.querySelectorAll("[data-array]")].map(span => span.querySelector("table"));
  if (!left || !right || left.closest(".stack") || right.closest(".stack")) return;
  const columns = +result.dataset.columns;
  const cells = table => [...table.querySelectorAll("td")];
  result.tabIndex = 0;
  result.classList.add("explained");
  let chosen = -1;
  const choose = index => {
    chosen = index;
    for (const td of equation.querySelectorAll("td")) td.classList.remove("chosen");
    const [i, j] = [Math.floor(index / columns), index % columns];
    const row = cells(left).slice(i * +left.dataset.columns, (i + 1) * +left.dataset.columns);
    const column = cells(right).filter((_, k) => k % +right.dataset.columns === j);
    for (const td of [...row, ...column, cells(result)[index]]) td.classList.add("chosen");
    const added = [...factors.querySelectorAll("[data-array]")].slice(2).map(span => cells(span)[j]);
    const terms = row.map((td, k) => [valueOf(td), signed(valueOf(column[k]))]);
    const products = terms.map(([a, b], k) => `${k ? signed(a) : a} × ${b}`);
    const text = [...products, ...added.filter(Boolean).map(td => signed(valueOf(td)))].join(" + ");
    status(equation).textContent = `${text} = ${valueOf(cells(result)[index])}`;
  };
  cells(result).forEach((td, index) => td.addEventListener("pointerenter", () => choose(index)));
  result.addEventListener("focus", () => choose(Math.max(0, chosen)));
  result.addEventListener("keydown", event => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const next = chosen + (moves[event.key] || 0);
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    if (next >= 0 && next < cells(result).length) choose(next);
  });
}

function valueOf(td) { return td.querySelector("input") ? td.querySelector("input").value : td.textContent; }

function signed(text) { return text.startsWith("-") ? `(${text})` : text; }

function status(equation) {
  let line = equation.nextElementSibling;
  if (!line || !line.classList.contains("entry")) {
    line = element("p", { class: "entry number", role: "status" });
    equation.after(line);
  }
  return line;
}

// Editing.

function setEntry(key, entry, number) {
  const old = arrays.get(key), changed = new Map(arrays);
  const data = old.data.slice();
  data[entry] = number;
  changed.set(key, makeArray(old.shape, data, old.type));
  arrays = run(nodes, changed);
  resetButton.hidden = false;
  refill(document.querySelector("#steps section:not([hidden])"));
}

document.addEventListener("input", event => {
  const input = event.target;
  if (!input.classList.contains("cell")) return;
  const text = input.value.trim().replace("−", "-").replace(",", ".");
  const isNumber = text !== "" && Number.isFinite(Number(text));
  input.setAttribute("aria-invalid", String(!isNumber));
  input.style.width = `${Math.max(3, input.value.length + 1)}ch`;
  if (isNumber) setEntry(input.dataset.key, +input.dataset.entry, Number(text));
});
document.addEventListener("focusout", event => {
  const span = event.target.classList.contains("cell") && event.target.closest("[data-array]");
  if (span && event.target.getAttribute("aria-invalid") === "true") fill(span);
});

// Returns a tenth of the leading digit of a number, by which dragging and the arrow keys change it.
function stepOf(number) { return 10 ** Math.max(-3, Math.floor(Math.log10(Math.abs(number) || 1)) - 1); }

function enter(input, number) {
  input.value = formatNumber(number);
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

document.addEventListener("keydown", event => {
  const sign = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (!sign || !event.target.classList.contains("cell")) return;
  event.preventDefault();
  const number = Number(event.target.value) || 0;
  enter(event.target, number + sign * stepOf(number));
});

let drag = null;
document.addEventListener("pointerdown", event => {
  if (!event.target.classList.contains("cell")) return;
  const start = Number(event.target.value) || 0;
  drag = { input: event.target, x: event.clientX, start, step: stepOf(start), moved: false };
});
document.addEventListener("pointermove", event => {
  if (!drag) return;
  const steps = Math.round((event.clientX - drag.x) / 6);
  if (!drag.moved && Math.abs(event.clientX - drag.x) < 6) return;
  drag.moved = true;
  event.preventDefault();
  enter(drag.input, drag.start + steps * drag.step);
});
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => { drag = null; });

resetButton.addEventListener("click", () => {
  arrays = new Map(original);
  resetButton.hidden = true;
  document.getElementById("play").focus();
  refill(document.querySelector("#steps section:not([hidden])"));
});
hint.textContent = reason ? `The page cannot change the numbers, as ${reason}.`
  : "Type or drag a number in a box to change it.";
