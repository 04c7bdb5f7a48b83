/** The arithmetic of a Transformer. Sums are kept in double precision; each result is rounded to its tensor's Kind. */

import { Tensor } from "glass/engine/tensor.js";

/** x W^T + b: (..., i) -> (..., o), with weight (o, i) and bias (o). */
export function linear(x, weight, bias) {
  const [outs, ins] = weight.shape;
  const rows = x.size / ins;
  const out = Tensor.zeros([...x.shape.slice(0, -1), outs], x.Kind);
  // Always the same classes in the inner loops, whatever the Kind: the browser compiles them once.
  const reads = new Float64Array(x.data);
  const whole = rows - (rows % 4);
  for (let row = 0; row < whole; row += 4) fourRows(reads, row, weight.data, bias.data, ins, outs, out.data);
  for (let row = whole; row < rows; row++) oneRow(reads, row, weight.data, bias.data, ins, outs, out.data);
  return out;
}

/** Four rows by two outputs at a time: each weight read is used four times. */
function fourRows(x, row, w, b, ins, outs, out) {
  const x0 = row * ins;
  const x1 = x0 + ins;
  const x2 = x1 + ins;
  const x3 = x2 + ins;
  for (let o = 0; o < outs; o += 2) {
    const other = o + 1 < outs ? o + 1 : o;
    const p = o * ins;
    const q = other * ins;
    let p0 = 0,
      p1 = 0,
      p2 = 0,
      p3 = 0,
      q0 = 0,
      q1 = 0,
      q2 = 0,
      q3 = 0;
    for (let i = 0; i < ins; i++) {
      const wp = w[p + i];
      const wq = w[q + i];
      const v0 = x[x0 + i];
      const v1 = x[x1 + i];
      const v2 = x[x2 + i];
      const v3 = x[x3 + i];
      p0 += v0 * wp;
      q0 += v0 * wq;
      p1 += v1 * wp;
      q1 += v1 * wq;
      p2 += v2 * wp;
      q2 += v2 * wq;
      p3 += v3 * wp;
      q3 += v3 * wq;
    }
    const y = row * outs;
    out[y + o] = p0 + b[o];
    out[y + outs + o] = p1 + b[o];
    out[y + 2 * outs + o] = p2 + b[o];
    out[y + 3 * outs + o] = p3 + b[o];
    out[y + other] = q0 + b[other];
    out[y + outs + other] = q1 + b[other];
    out[y + 2 * outs + other] = q2 + b[other];
    out[y + 3 * outs + other] = q3 + b[other];
  }
}

/** One row by four outputs at a time: four sums that need not wait for each other. */
function oneRow(x, row, w, b, ins, outs, out) {
  const x0 = row * ins;
  const y = row * outs;
  const whole = outs - (outs % 4);
  for (let o = 0; o < whole; o += 4) {
    const w0 = o * ins;
    const w1 = w0 + ins;
    const w2 = w1 + ins;
    const w3 = w2 + ins;
    let s0 = 0,
      s1 = 0,
      s2 = 0,
      s3 = 0;
    for (let i = 0; i < ins; i++) {
      const v = x[x0 + i];
      s0 += v * w[w0 + i];
      s1 += v * w[w1 + i];
      s2 += v * w[w2 + i];
      s3 += v * w[w3 + i];
    }
    out[y + o] = s0 + b[o];
    out[y + o + 1] = s1 + b[o + 1];
    out[y + o + 2] = s2 + b[o + 2];
    out[y + o + 3] = s3 + b[o + 3];
  }
  for (let o = whole; o < outs; o++) {
    let sum = 0;
    for (let i = 0; i < ins; i++) sum += x[x0 + i] * w[o * ins + i];
    out[y + o] = sum + b[o];
  }
}

/** einsum("nqhd,nkhd->nhqk", [queries, keys]) / divisor. */
export function dotProducts(queries, keys, divisor) {
  const [n, q, h, d] = queries.shape;
  const k = keys.shape[1];
  const out = Tensor.zeros([n, h, q, k], queries.Kind);
  const [a, b, energy] = [queries.data, keys.data, out.data];
  let place = 0;
  for (let head = 0; head < h; head++) {
    for (let query = 0; query < q; query++) {
      const row = (query * h + head) * d;
      for (let key = 0; key < k; key++) {
        const column = (key * h + head) * d;
        let sum = 0;
        for (let i = 0; i < d; i++) sum += a[row + i] * b[column + i];
        energy[place++] = sum / divisor;
      }
    }
  }
  return out;
}

/** einsum("nhqk,nkhd->nqhd", [attention, values]). */
export function weightedSums(attention, values) {
  const [n, h, q, k] = attention.shape;
  const d = values.shape[3];
  const out = Tensor.zeros([n, q, h, d], values.Kind);
  const [weights, mixed] = [attention.data, values.data];
  const sums = new Float64Array(d);
  let place = 0;
  for (let head = 0; head < h; head++) {
    for (let query = 0; query < q; query++) {
      sums.fill(0);
      for (let key = 0; key < k; key++) {
        const weight = weights[place++];
        const value = (key * h + head) * d;
        for (let i = 0; i < d; i++) sums[i] += weight * mixed[value + i];
      }
      out.data.set(sums, (query * h + head) * d);
    }
  }
  return out;
}

/** x (n, h, q, k) with `fill` where mask (1, 1, 1 or q, k) is shut. */
export function maskedFill(x, mask, fill) {
  const [, , q, k] = x.shape;
  const height = mask.shape[2] === 1 ? 0 : k;
  const out = new Tensor(x.shape, x.data.slice());
  for (let place = 0; place < out.size; place++) {
    const query = Math.floor(place / k) % q;
    if (!mask.data[query * height + (place % k)]) out.data[place] = fill;
  }
  return out;
}

/** Each row of the last axis becomes positive shares of 1. */
export function softmax(x) {
  const width = x.shape.at(-1);
  const out = Tensor.zeros(x.shape, x.Kind);
  const powers = new Float64Array(width);
  for (let start = 0; start < x.size; start += width) {
    let largest = -Infinity;
    for (let i = 0; i < width; i++) largest = Math.max(largest, x.data[start + i]);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += powers[i] = Math.exp(x.data[start + i] - largest);
    for (let i = 0; i < width; i++) out.data[start + i] = powers[i] / sum;
  }
  return out;
}

const EPSILON = 1e-5;

/** Each position's channels with mean 0 and variance 1, then times weight plus bias. */
export function layerNorm(x, weight, bias) {
  const e = x.shape.at(-1);
  const out = Tensor.zeros(x.shape, x.Kind);
  for (let start = 0; start < x.size; start += e) {
    let mean = 0;
    for (let i = 0; i < e; i++) mean += x.data[start + i] / e;
    let variance = 0;
    for (let i = 0; i < e; i++) variance += (x.data[start + i] - mean) ** 2 / e;
    const scale = 1 / Math.sqrt(variance + EPSILON);
    for (let i = 0; i < e; i++) {
      out.data[start + i] = (x.data[start + i] - mean) * scale * weight.data[i] + bias.data[i];
    }
  }
  return out;
}

/** a + b, of one shape. */
export function add(a, b) {
  return a.map((value, i) => value + b.data[i]);
}

/** The rows of a table (entries, e) at `ids`, times `scale`: (n, t, e). */
export function embedding(table, ids, scale, Kind) {
  const e = table.shape[1];
  const out = Tensor.zeros([1, ids.size, e], Kind);
  ids.data.forEach((id, position) => {
    for (let i = 0; i < e; i++) out.data[position * e + i] = table.data[id * e + i] * scale;
  });
  return out;
}
