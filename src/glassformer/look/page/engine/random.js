/** Chance that can be repeated: the same seed draws the same numbers (xorshift, 32 bits). */

export class Random {
  constructor(seed) {
    this.state = Math.imul(seed + 1, 0x9e3779b1) || 1; // 0 would stay 0 for ever
    for (let i = 0; i < 8; i++) this.next(); // until near seeds have parted
  }

  /** The next number, above 0 and below 1. */
  next() {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) / 2 ** 32;
  }
}
