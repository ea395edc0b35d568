// The passes: the page computes them from the formulas of the layers, as the library does.

const functions = {
  exp: Math.exp, log: Math.log, sqrt: Math.sqrt, abs: Math.abs, sin: Math.sin, cos: Math.cos,
  tanh: Math.tanh, max: Math.max, min: Math.min,
  one: x => x,
  sigma: x => x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)),
  softplus: x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  phi: x => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI),
  Phi: x => x < 0 ? upperTail(-x) : 1 - upperTail(x),
};

// Returns the probability that a normal variable is above x, for x of at least 0: by the series of
// its distribution near 0, and by the continued fraction of Laplace far from it.
function upperTail(x) {
  if (x < 3) {
    let term = x, sum = x;
    for (let n = 1; n < 100; n++) sum += term *= x * x / (2 * n + 1);
    return 0.5 - functions.phi(x) * sum;
  }
  let fraction = x;
  for (let n = 100; n > 0; n--) fraction = x + n / fraction;
  return functions.phi(x) / fraction;
}

const operators = {
  "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b,
  "**": (a, b) => a ** b,
};
const comparisons = {
  ">": (a, b) => a > b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, "<=": (a, b) => a <= b,
  "=": (a, b) => a === b, "!=": (a, b) => a !== b,
};

function scalar(number) { return makeArray([], Float64Array.of(number)); }

function broadcastShape(a, b) {
  const shape = [];
  for (let i = 1; i <= Math.max(a.length, b.length); i++) {
    const [m, n] = [a[a.length - i] ?? 1, b[b.length - i] ?? 1];
    if (m !== n && m !== 1 && n !== 1) throw new Error("shapes do not broadcast");
    shape.unshift(m === 1 ? n : m);
  }
  return shape;
}

// Returns for each entry of a shape the index of the entry of an array that is broadcast to it.
function broadcastIndices(from, to) {
  const indices = new Int32Array(sizeOf(to));
  const strides = new Array(to.length).fill(0);
  for (let i = from.length - 1, stride = 1; i >= 0; i--) {
    strides[i + to.length - from.length] = from[i] === 1 ? 0 : stride;
    stride *= from[i];
  }
  const counter = new Array(to.length).fill(0);
  let index = 0;
  for (let k = 0; k < indices.length; k++) {
    indices[k] = index;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      index += strides[axis];
      if (++counter[axis] < to[axis]) break;
      index -= strides[axis] * to[axis];
      counter[axis] = 0;
    }
  }
  return indices;
}

function map(f, ...arrays) {
  const shape = arrays.map(a => a.shape).reduce(broadcastShape);
  const indices = arrays.map(a => broadcastIndices(a.shape, shape));
  const data = new Float64Array(sizeOf(shape));
  for (let k = 0; k < data.length; k++) data[k] = f(...arrays.map((a, i) => a.data[indices[i][k]]));
  return makeArray(shape, data);
}

function reshaped(array, shape) {
  if (sizeOf(array.shape) !== sizeOf(shape)) throw new Error("sizes differ");
  return makeArray(shape, array.data, array.type);
}

// Returns an array of a shape: broadcast to it, then summed over the axes that the shape lacks.
function fitted(array, shape) {
  const whole = broadcastShape(array.shape, shape);
  const from = broadcastIndices(array.shape, whole), to = broadcastIndices(shape, whole);
  const data = new Float64Array(sizeOf(shape));
  for (let k = 0; k < from.length; k++) data[to[k]] += array.data[from[k]];
  return makeArray(shape, data);
}

function transposed(array) {
  const shape = [...array.shape];
  const [rows, columns] = shape.slice(-2);
  shape.splice(-2, 2, columns, rows);
  const data = new Float64Array(array.data.length);
  for (let start = 0; start < data.length; start += rows * columns) {
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
      data[start + j * rows + i] = array.data[start + i * columns + j];
    }
  }
  return makeArray(shape, data);
}

function product(a, b) {
  const [n, k] = a.shape.slice(-2), [l, m] = b.shape.slice(-2);
  if (k !== l) throw new Error("shapes do not fit");
  const [left, right] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const batch = broadcastShape(left, right);
  const [lefts, rights] = [broadcastIndices(left, batch), broadcastIndices(right, batch)];
  const data = new Float64Array(sizeOf(batch) * n * m);
  for (let s = 0; s < lefts.length; s++) for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) {
    let sum = 0;
    for (let t = 0; t < k; t++) {
      sum += a.data[(lefts[s] * n + i) * k + t] * b.data[(rights[s] * k + t) * m + j];
    }
    data[(s * n + i) * m + j] = sum;
  }
  return makeArray([...batch, n, m], data);
}

// Returns the shape with a length of 1 on the axes that are summed; without axes that is all.
function keptShape(shape, axis) {
  const axes = axis === null ? shape.map((_, i) => i)
    : [axis].flat().map(i => i < 0 ? i + shape.length : i);
  return shape.map((length, i) => axes.includes(i) ? 1 : length);
}

// Returns the value of an expression; throws an error if the page cannot compute it.
function evaluate(tree, names, axis) {
  if (typeof tree === "number") return scalar(tree);
  if (typeof tree === "string") {
    if (!names.has(tree)) throw new Error(`unknown name ${tree}`);
    return names.get(tree);
  }
  if (!Array.isArray(tree)) throw new Error("unknown formula");
  const [kind, ...rest] = tree;
  const value = part => evaluate(part, names, axis);
  if (kind in operators) return map(operators[kind], ...rest.map(value));
  if (kind === "@") return product(...rest.map(value));
  if (kind === "T") return transposed(value(rest[0]));
  if (kind === "neg") return map(x => -x, value(rest[0]));
  if (kind === "if") return map((c, a, b) => c ? a : b, ...rest.map(value));
  if (kind === "compare") {
    const [signs, ...parts] = rest;
    const holds = (...xs) => +signs.every((sign, i) => comparisons[sign](xs[i], xs[i + 1]));
    return map(holds, ...parts.map(value));
  }
  return call(rest[0], rest.slice(1).map(value), axis);
}

function call(name, inputs, axis) {
  const [x] = inputs;
  if (name === "sum") return axis === "parameter" ? x : fitted(x, keptShape(x.shape, axis));
  if (name === "softmax" || name === "logsoftmax") {
    const kept = keptShape(x.shape, axis), to = broadcastIndices(kept, x.shape);
    const top = makeArray(kept, new Float64Array(sizeOf(kept)).fill(-Infinity));
    x.data.forEach((number, k) => { top.data[to[k]] = Math.max(top.data[to[k]], number); });
    const shifted = map(operators["-"], x, top);
    const sums = fitted(map(Math.exp, shifted), kept);
    return name === "softmax" ? map((a, s) => Math.exp(a) / s, shifted, sums)
      : map((a, s) => a - Math.log(s), shifted, sums);
  }
  if (!Object.hasOwn(functions, name)) throw new Error(`unknown function ${name}`);
  return map(functions[name], ...inputs);
}

function hasProduct(tree) {
  return Array.isArray(tree) && (tree[0] === "@" || tree.some(hasProduct));
}

// Returns the names of a formula: inputs, parameters, output and incoming gradient.
function namesOf(operation, inputs, arrays, y, g) {
  const names = new Map();
  for (const { key, name } of operation.weights) names.set(name, arrays.get(key));
  operation.letters.forEach((letter, i) => names.set(letter, inputs[i]));
  if (y) names.set("y", y);
  if (y && y.data.length) names.set("n", scalar(inputs[0].data.length / y.data.length));
  if (g) names.set("g", asKept(operation, inputs[0].shape, g));
  return names;
}

// Returns an incoming gradient with the axes over which its operation has summed.
function asKept(operation, shape, g) {
  const kept = keptShape(shape, operation.axis);
  return sizeOf(kept) === sizeOf(g.shape) && sizeOf(shape) !== sizeOf(g.shape) ? reshaped(g, kept) : g;
}

// Makes matrices of the vectors of a product: rows on the left, columns on the right.
function promoted(operation, names, inputs) {
  const result = new Map(names);
  const [a, b] = inputs.map(x => x.shape);
  const left = a.length === 1 ? [1, ...a] : a;
  result.set(operation.letters[0], reshaped(inputs[0], left));
  const right = b && (b.length === 1 ? [...b, 1] : b);
  if (b) result.set(operation.letters[1], reshaped(inputs[1], right));
  const width = b ? right[right.length - 1] : undefined;
  if (names.has("g") && (a.length === 1 || (b && b.length === 1))) {
    const g = names.get("g");
    const batch = b ? broadcastShape(left.slice(0, -2), right.slice(0, -2)) : [];
    result.set("g", reshaped(g, [...batch, left[left.length - 2], width ?? g.shape[g.shape.length - 1]]));
  }
  return result;
}

function forward(operation, inputs, arrays, shape) {
  if (operation.moves) {
    const all = inputs.flatMap(x => Array.from(x.data));
    return makeArray(shape, Float64Array.from(operation.moves, i => all[i]));
  }
  let names = namesOf(operation, inputs, arrays);
  names.set("n", scalar(inputs[0].data.length / Math.max(1, sizeOf(shape))));
  if (hasProduct(operation.value)) names = promoted(operation, names, inputs);
  const y = evaluate(operation.value, names, operation.axis);
  return sizeOf(y.shape) === sizeOf(shape) ? reshaped(y, shape) : fitted(y, shape);
}

// Returns the gradients that an operation sends to its inputs.
function backward(operation, inputs, arrays, y, g) {
  if (operation.moves) {
    const sizes = inputs.map(x => x.data.length);
    const all = new Float64Array(sizes.reduce((a, b) => a + b, 0));
    operation.moves.forEach((to, k) => { all[to] += g.data[k]; });
    let start = 0;
    return inputs.map((x, i) => makeArray(x.shape, all.slice(start, start += sizes[i])));
  }
  const plain = namesOf(operation, inputs, arrays, y, g);
  return inputs.map((x, i) => {
    const isProduct = hasProduct(operation.sent[i]);
    const names = isProduct ? promoted(operation, plain, inputs) : plain;
    const sent = evaluate(operation.sent[i], names, operation.axis);
    if (isProduct && x.shape.length === 1) {
      return fitted(reshaped(fitted(sent, names.get(operation.letters[i]).shape), x.shape), x.shape);
    }
    return fitted(sent, x.shape);
  });
}

// Returns the local derivative by an input.
function derivative(operation, inputs, arrays, y, slot) {
  const shape = operation.factors[slot];
  if (operation.isJacobian) {
    const rows = Array.from(y.data, (_, k) => {
      const g = makeArray(y.shape, Float64Array.from(y.data, (_, i) => +(i === k)));
      return Array.from(backward(operation, inputs, arrays, y, g)[slot].data);
    });
    return makeArray(shape, Float64Array.from(rows.flat()));
  }
  const ones = makeArray(y.shape, new Float64Array(y.data.length).fill(1));
  if (operation.moves) return backward(operation, inputs, arrays, y, ones)[slot];
  let names = namesOf(operation, inputs, arrays, y, ones);
  if (hasProduct(operation.sent[slot])) names = promoted(operation, names, inputs);
  const factor = evaluate(operation.derivatives[slot], names, operation.axis);
  return sizeOf(factor.shape) === sizeOf(shape) ? reshaped(factor, shape) : fitted(factor, shape);
}

// Returns the gradient of a parameter of a layer.
function weightGradient(operation, weight, inputs, arrays, y, g) {
  const names = namesOf(operation, inputs, arrays, y, g);
  if (hasProduct(weight.gradient)) {
    for (const letter of [operation.letters[0], "g"]) {
      const x = names.get(letter), columns = x.shape[x.shape.length - 1];
      names.set(letter, reshaped(x, [x.data.length / columns, columns]));
    }
  }
  return fitted(evaluate(weight.gradient, names, "parameter"), arrays.get(weight.key).shape);
}

function sum(a, b) { return a ? rounded(map((x, y) => x + y, a, b), b.type) : b; }

// Returns what a function returns; an error of it gets the name of the operation.
function attempt(operation, compute) {
  try {
    return compute();
  } catch (error) {
    error.label = operation.label;
    throw error;
  }
}

// Computes both passes from the arrays that enter the graph; returns all arrays by their keys.
function run(nodes, given) {
  const arrays = new Map(given);
  const like = (key, array) => rounded(array, given.get(key) ? given.get(key).type : "float64");
  const set = (key, array) => arrays.set(key, like(key, array));
  const inputsOf = node => node.parents.map(parent => arrays.get(`v${parent}`));
  nodes.forEach((node, i) => {
    const key = `v${i}`;
    const { operation } = node, { shape } = given.get(key);
    if (operation) set(key, attempt(operation, () => forward(operation, inputsOf(node), arrays, shape)));
  });
  const totals = nodes.map((_, i) => arrays.get(`s${i}`));
  const weightTotals = new Map();
  for (let i = nodes.length - 1; i >= 0; i--) {
    const { operation, parents } = nodes[i];
    if (totals[i]) set(`g${i}`, totals[i]);
    if (!operation || !totals[i]) continue;
    const inputs = inputsOf(nodes[i]), y = arrays.get(`v${i}`), g = arrays.get(`g${i}`);
    const all = attempt(operation, () => backward(operation, inputs, arrays, y, g));
    all.forEach((sent, slot) => {
      const key = `${i}.${slot}`, parent = parents[slot];
      if (!given.has(`c${key}`)) {  // Nothing shows the gradients of constants but their sums.
        totals[parent] = sum(totals[parent], like(`g${parent}`, sent));
        return;
      }
      set(`c${key}`, sent);
      if (given.has(`d${key}`)) set(`d${key}`, derivative(operation, inputs, arrays, y, slot));
      if (given.has(`b${key}`)) set(`b${key}`, totals[parent]);
      totals[parent] = sum(totals[parent], arrays.get(`c${key}`));
      set(`t${key}`, totals[parent]);
    });
    operation.weights.forEach((weight, number) => {
      const key = `${i}.${number}`;
      if (!given.has(`wc${key}`)) return;
      set(`wc${key}`, weightGradient(operation, weight, inputs, arrays, y, g));
      if (given.has(`wb${key}`)) set(`wb${key}`, weightTotals.get(weight.key));
      weightTotals.set(weight.key, sum(weightTotals.get(weight.key), arrays.get(`wc${key}`)));
      set(`wt${key}`, weightTotals.get(weight.key));
    });
  }
  return arrays;
}

// Returns why the page cannot compute the graph, an empty text if it gives the library's numbers.
function obstacle(nodes, arrays) {
  for (const [key, array] of arrays) if (!array.data) return "it holds no numbers of its large arrays";
  let computed;
  try {
    computed = run(nodes, arrays);
  } catch (error) {
    return `it cannot compute ${error.label || "a formula"}`;
  }
  for (const [key, expected] of arrays) {
    const allowed = expected.type === "float32" ? 1e-4 : 1e-9, got = computed.get(key);
    const largest = expected.data.reduce((a, b) => Number.isFinite(b) ? Math.max(a, Math.abs(b)) : a, 0);
    const isClose = (a, b) => Object.is(a + 0, b + 0)
      || Math.abs(a - b) <= allowed * (Math.abs(b) + largest) + 1e-12;
    if (!got.data.every((a, k) => isClose(a, expected.data[k]))) return "its results differ from the library's";
  }
  return "";
}
