// Text to ids and back, as Python's data.Vocabulary does it: the kinds "characters", "symbols" and "bpe". A vocabulary
// of kind "other" shows and joins its pieces, but encodes nothing.

const SPACE = "▁"; // how bpe writes a space
const ESCAPE = "␛"; // ESCAPE 1 stands for a "▁" of the text, ESCAPE 0 for itself
const WORDS = /▁[^▁]*/gu;
// Punctuation but for apostrophes is a piece of its own, and so is "<", or else pieces could spell "<s>".
export const PARTS = /(?!['’])[\p{P}<]|(?:['’]|[^\p{P}<])+/gu;
const BYTE = /^<0x([0-9A-F]{2})>$/;

export class Vocabulary {
  /** entry: one of the payload's vocabularies. */
  constructor(entry) {
    const { kind, tokens, labels, pad, start, end, unknown } = entry;
    Object.assign(this, { kind, tokens, labels, pad, start, end, unknown });
    this.special = new Set([pad, start, end, unknown]);
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    // (left id, right id) as one number -> [rank, id of both together]
    this.merges = new Map(
      entry.merges.map(([left, right], rank) => [
        this.pair(this.ids.get(left), this.ids.get(right)),
        [rank, this.ids.get(left + right)],
      ]),
    );
  }

  get size() {
    return this.tokens.length;
  }

  /** Whether text can be encoded at all. */
  get encodes() {
    return this.kind !== "other";
  }

  /** The ids of a text, none added before or after. Special tokens never come out of it. */
  encode(text) {
    if (!this.encodes) throw new Error("this vocabulary's tokenizer is not one that the page can imitate");
    return this.cut(text).map((id) => (this.special.has(id) ? this.unknown : id));
  }

  /** The text of ids; special ones are left out. */
  decode(ids) {
    const tokens = [...ids].filter((id) => id in this.tokens && !this.special.has(id)).map((id) => this.tokens[id]);
    if (this.kind === "characters") return tokens.join("");
    if (this.kind !== "bpe") return tokens.join(" ");
    const text = withoutBytes(tokens).join("").replaceAll(SPACE, " ").replace(/^ /, "");
    return text.replaceAll(`${ESCAPE}1`, SPACE).replaceAll(`${ESCAPE}0`, ESCAPE);
  }

  /** A readable label for one id: spaces shown as "▁", a byte as its character. */
  piece(id) {
    return this.labels[id] ?? this.tokens[id];
  }

  cut(text) {
    if (this.kind === "bpe") return this.bytePairs(text);
    const symbols = this.kind === "characters" ? [...text] : text.split(" ").filter(Boolean);
    return symbols.map((symbol) => this.ids.get(symbol) ?? this.unknown);
  }

  bytePairs(text) {
    if (!text) return [];
    const escaped = text.replaceAll(ESCAPE, `${ESCAPE}0`).replaceAll(SPACE, `${ESCAPE}1`).replaceAll(" ", SPACE);
    const words = (SPACE + escaped).match(WORDS);
    return words.flatMap((word) => word.match(PARTS)).flatMap((part) => this.merged(part));
  }

  /** The ids of one part of a word: its characters, or their bytes, merged in the order that was learnt. */
  merged(part) {
    const ids = [...part].flatMap((character) => this.ids.get(character) ?? this.bytes(character));
    const found = ids.map((id, place) => this.merges.get(this.pair(id, ids[place + 1])));
    for (;;) {
      let best = -1;
      for (let place = 0; place < found.length; place++) {
        if (found[place] && (best < 0 || found[place][0] < found[best][0])) best = place;
      }
      if (best < 0) return ids;
      ids.splice(best, 2, found[best][1]);
      found.splice(best + 1, 1);
      for (const place of [best - 1, best]) {
        if (place >= 0) found[place] = this.merges.get(this.pair(ids[place], ids[place + 1]));
      }
    }
  }

  bytes(character) {
    return [...new TextEncoder().encode(character)].map((byte) =>
      this.ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
    );
  }

  pair(left, right) {
    return left * this.tokens.length + right;
  }
}

/** Each run of byte tokens as its text; a run that is no UTF-8 as one "�" a byte. */
function withoutBytes(tokens) {
  const parts = [];
  let run = [];
  const close = () => {
    if (run.length) parts.push(textOf(run));
    run = [];
  };
  for (const token of tokens) {
    const byte = BYTE.exec(token);
    if (byte) {
      run.push(parseInt(byte[1], 16));
    } else {
      close();
      parts.push(token);
    }
  }
  close();
  return parts;
}

function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    return "�".repeat(bytes.length);
  }
}
