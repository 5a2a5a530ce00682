// Pictures to take apart, made here: waves, a house, noise. 48 × 48 numbers around 0.
import {drawer} from "./maths/triangular.js";

const SIZE = 48;

const made = (value) => Array.from({length: SIZE}, (_, y) => Float64Array.from({length: SIZE}, (__, x) => value(x, y)));

// Windows and walls stand straight, so few pieces do; the roof is slanted and takes more.
function house(x, y) {
  const roof = y >= 8 && y < 20 && Math.abs(x - 23.5) <= (y - 7) * 1.5;
  const wall = y >= 20 && y < 42 && x >= 8 && x < 40;
  const window = y >= 25 && y < 32 && ((x >= 12 && x < 19) || (x >= 29 && x < 36));
  const door = y >= 30 && y < 42 && x >= 21 && x < 27;
  if (window) return 1;
  if (door) return 0.2;
  if (wall) return 0.75;
  if (roof) return 0.5;
  return y >= 42 ? 0.35 : 0.05;
}

function waves(x, y) {
  return Math.sin(x / 5) * Math.cos(y / 7) + 0.7 * Math.cos(y / 4) * Math.sin(x / 9);
}

export const PICTURES = {
  waves: {title: "waves", rows: () => made(waves)},
  house: {title: "a house", rows: () => made((x, y) => 2 * house(x, y) - 1)},
  noise: {
    title: "noise",
    rows: () => {
      const draw = drawer(7);
      return made(draw);
    },
  },
};
