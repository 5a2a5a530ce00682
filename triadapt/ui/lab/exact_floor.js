// Whole parts of powers, as Python computes them. Math.exp, Math.log and ** of a browser may differ from the C library's in
// the last digit, which matters where the result is close to a whole number; only there, numbers with 160 binary digits help.

const DIGITS = 160n;
const ONE = 1n << DIGITS;
const CLOSE = 1e-9;

// int(exp(share * ln(gap))) with the roundings of double precision after each step; gap is a whole number, 0 <= share <= 1.
export function floorOfPower(gap, share) {
  const near = Math.exp(share * Math.log(gap));
  if (!closeToWhole(near)) return Math.floor(near);
  return Math.floor(toNumber(exactExp(share * toNumber(exactLog(gap)))));
}

// int(scale * x ** 3 + shift), likewise.
export function floorOfCube(scale, x, shift) {
  const near = scale * x ** 3 + shift;
  if (!closeToWhole(near)) return Math.trunc(near);
  const wide = exact(x);
  return Math.trunc(scale * toNumber((((wide * wide) >> DIGITS) * wide) >> DIGITS) + shift);
}

function closeToWhole(value) {
  return Math.abs(value - Math.round(value)) <= CLOSE * Math.max(1, Math.abs(value));
}

// A double as a fixed-point number, without loss above 2 ** -107.
function exact(value) {
  return BigInt(value * 2 ** 107) << (DIGITS - 107n);
}

// The nearest double: Number() rounds as IEEE 754 does, and a division by a power of two is exact.
function toNumber(fixed) {
  return Number(fixed) / 2 ** Number(DIGITS);
}

// ln of a whole number: halved into 0.7 .. 1.5, then 2 atanh((m - 1) / (m + 1)).
function exactLog(whole) {
  const halvings = Math.max(0, Math.round(Math.log2(whole)));
  const m = (BigInt(whole) << DIGITS) >> BigInt(halvings);
  return BigInt(halvings) * 2n * atanh(ONE / 3n) + 2n * atanh(((m - ONE) << DIGITS) / (m + ONE));
}

function atanh(z) {
  const square = (z * z) >> DIGITS;
  let sum = 0n;
  for (let power = z, k = 1n; power !== 0n && power !== -1n; power = (power * square) >> DIGITS, k += 2n) sum += power / k;
  return sum;
}

// exp of a double from 0 to some dozens: the series at a 256th of it, squared eight times.
function exactExp(value) {
  const small = exact(value) >> 8n;
  let sum = ONE;
  for (let term = small, k = 2n; term !== 0n; term = ((term * small) >> DIGITS) / k, k += 1n) sum += term;
  for (let i = 0; i < 8; i += 1) sum = (sum * sum) >> DIGITS;
  return sum;
}
