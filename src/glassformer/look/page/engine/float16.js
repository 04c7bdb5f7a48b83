/** Weights as the page carries them. */

/** The numbers of little-endian float16 bytes; float32 holds each of them exactly. */
export function fromFloat16(bytes) {
  const { buffer, byteOffset, byteLength } = bytes;
  if (globalThis.Float16Array) return new Float32Array(new Float16Array(buffer, byteOffset, byteLength / 2));
  return Float32Array.from(new Uint16Array(buffer, byteOffset, byteLength / 2), (bits) => float16s()[bits]);
}

let table = null;

/** The number that each of the 65,536 patterns of 16 bits stands for. */
export function float16s() {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14);
  });
  return table;
}
