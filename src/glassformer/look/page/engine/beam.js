/**
 * Beam search: the best few beginnings of an answer go on side by side.
 *
 * At each step every live hypothesis is continued by every token, and the best 2 x beam continuations are looked at.
 * Those that end in </s> and stand among the first `beam` are finished; the best `beam` others go on. The search ends
 * when no live hypothesis can still beat the n_best finished ones by score = log p / ((5 + length) / 6)^alpha.
 */

import { largest, reader } from "glass/engine/steps.js";

/**
 * -> {nodes, finished}. A node is {index, parent (a node's index; -1: the beginning), step (1 is the first token),
 * token, logProb (of the token), sum (of the whole hypothesis), score, state}; state is "live" for one that was gone
 * on with, "finished", or "pruned". finished: [{ids (without </s>), sum, score, node}], best first.
 *
 * Options as in `write`; `alpha` is the length penalty, and a beam of 1 is greedy.
 */
export function beamSearch(model, src, options) {
  const { beam, alpha, n_best: nBest = 1, start, end, limit, forcedEnd = true, prefix = [] } = options;
  const penalty = (length) => ((5 + length) / 6) ** alpha;
  const read = reader(model, src, options);
  const nodes = [];
  const finished = [];
  let live = [{ node: { index: -1, sum: 0 }, ids: [], next: read(null, start) }];
  for (let step = 1; ; step++) {
    const only = forcedEnd && step === limit ? end : prefix[step - 1];
    const going = [];
    for (const [rank, { node, from }] of continuations(live, 2 * beam, only).entries()) {
      const goes = node.token !== end && going.length < beam;
      const ends = node.token === end ? rank < beam : goes && step === limit;
      Object.assign(node, { index: nodes.length, step, score: node.sum / penalty(step), state: "pruned" });
      nodes.push(node);
      const ids = node.token === end ? from.ids : [...from.ids, node.token];
      if (goes) going.push({ node, ids, from });
      if (!ends) continue;
      node.state = "finished";
      finished.push({ ids, sum: node.sum, score: node.score, node: node.index });
    }
    finished.sort((a, b) => b.score - a.score);
    const toBeat = finished[nBest - 1]?.score ?? -Infinity;
    const hope = going.length ? going[0].node.sum / penalty(limit) : -Infinity;
    if (step === limit || toBeat >= hope || (beam === 1 && finished.length)) return { nodes, finished };
    live = going.map(({ node, ids, from }) => ({ node, ids, next: read(from.next[0], node.token) }));
    for (const { node } of live) node.state = "live";
  }
}

/** The best `number` ways to go on, best first; of equal ones the first hypothesis, then the lowest id. */
function continuations(live, number, only) {
  const found = live.flatMap((from) => {
    const logProbs = from.next[1];
    const sums = logProbs.map((logProb) => from.node.sum + logProb);
    const tokens = only === undefined ? largest(sums, number).filter((token) => sums[token] > -Infinity) : [only];
    return tokens.map((token) => {
      return { from, node: { parent: from.node.index, token, logProb: logProbs[token], sum: sums[token] } };
    });
  });
  return found.sort((a, b) => b.node.sum - a.node.sum).slice(0, number);
}
