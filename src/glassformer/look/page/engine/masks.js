/**
 * Who may look at whom: 1 = may attend. A mask is (n, 1, 1 or q, k), row = the position that asks, column = the
 * position that answers.
 */

import { Tensor } from "glass/engine/tensor.js";

/** Which positions may be attended to: the words, never the padding. (n, 1, 1, k). */
export function paddingMask(tap, tokens, padIdx) {
  const words = tap(
    "words",
    new Tensor(
      [1, 1, 1, tokens.size],
      Uint8Array.from(tokens.data, (id) => id !== padIdx),
    ),
  );
  return words;
}

/** Each of the last `queryLen` positions sees itself and what came before it, never the future. (1, 1, q, k). */
export function lookAheadMask(tap, queryLen, keyLen) {
  const everyPair = tap(
    "every_pair",
    Tensor.zeros([queryLen, keyLen], Uint8Array).map(() => 1),
  );
  const tril = everyPair.map((open, i) => open && i % keyLen <= Math.floor(i / keyLen) + keyLen - queryLen);
  const lookAhead = tap("look_ahead", new Tensor([1, 1, queryLen, keyLen], tril.data));
  return lookAhead;
}

/** Look-ahead and padding together; a padIdx of null, which no id is, leaves the padding out. (n, 1, q, k). */
export function targetMask(tap, tokens, padIdx, queryLen) {
  const lookAhead = lookAheadMask(tap, queryLen, tokens.size);
  const words = paddingMask(tap, tokens, padIdx);
  const trgMask = tap(
    "trg_mask",
    lookAhead.map((open, i) => open & words.data[i % tokens.size]),
  );
  return trgMask;
}
