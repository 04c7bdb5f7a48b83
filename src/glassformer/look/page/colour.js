// Colours of cells. The same ramp as in the terminal: dark is nothing, light is everything.

const RAMP = [
  [18, 22, 48],
  [88, 48, 120],
  [196, 72, 92],
  [248, 160, 64],
  [252, 232, 140],
]; // weight 0 to 1
const COLD = [
  [236, 239, 246],
  [118, 166, 222],
  [24, 74, 148],
]; // 0 to -1
const WARM = [
  [236, 239, 246],
  [240, 150, 96],
  [166, 48, 16],
]; // 0 to +1

// A weight's colour; by its square root, so that small weights can be told apart.
export const weightColour = (weight) => along(RAMP, Math.sqrt(Math.min(1, Math.max(0, weight))));

// The colour of a number of either sign, `scale` being the largest size.
export function signedColour(value, scale) {
  const place = scale > 0 ? Math.min(1, Math.abs(value) / scale) : 0;
  return along(value < 0 ? COLD : WARM, Math.sqrt(place));
}

function along(stops, place) {
  const at = place * (stops.length - 1);
  const lower = Math.min(Math.floor(at), stops.length - 2);
  return stops[lower].map((from, i) => Math.round(from + (stops[lower + 1][i] - from) * (at - lower)));
}

export const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

// Black or white ink, whichever can be read on this colour.
export const inkOn = ([red, green, blue]) => (0.3 * red + 0.6 * green + 0.1 * blue > 130 ? "#14161f" : "#f4f5fa");
