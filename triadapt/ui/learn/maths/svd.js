// Singular values by one-sided Jacobi rotations: exact to the last digits, and quick enough for a matrix of a lesson.
const SWEEPS = 40;
const SMALL = 1e-13;

// rows: m arrays of n numbers. Returns {sigma, u, v}: values from the largest, u[i] (m numbers) and v[i] (n numbers).
export function svd(rows) {
  const [m, n] = [rows.length, rows[0].length];
  if (m < n) {
    const {sigma, u, v} = svd(transposed(rows));
    return {sigma, u: v, v: u};
  }
  const a = Array.from({length: n}, (_, j) => Float64Array.from(rows, (row) => row[j])); // columns
  const v = Array.from({length: n}, (_, j) => Float64Array.from({length: n}, (__, i) => Number(i === j)));
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    let turned = false;
    for (let p = 0; p < n - 1; p += 1) {
      for (let q = p + 1; q < n; q += 1) {
        const [alpha, beta, gamma] = [dot(a[p], a[p]), dot(a[q], a[q]), dot(a[p], a[q])];
        if (Math.abs(gamma) <= SMALL * Math.sqrt(alpha * beta) || gamma === 0) continue;
        turned = true;
        const zeta = (beta - alpha) / (2 * gamma);
        const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const c = 1 / Math.hypot(1, t);
        rotate(a[p], a[q], c, c * t);
        rotate(v[p], v[q], c, c * t);
      }
    }
    if (!turned) break;
  }
  const norms = a.map((column) => Math.sqrt(dot(column, column)));
  const order = norms.map((_, i) => i).sort((i, j) => norms[j] - norms[i]);
  return {
    sigma: order.map((i) => norms[i]),
    u: order.map((i) => a[i].map((value) => (norms[i] ? value / norms[i] : 0))),
    v: order.map((i) => v[i]),
  };
}

// The sum of the first k pieces, m arrays of n numbers.
export function rebuilt({sigma, u, v}, k) {
  const rows = Array.from({length: u[0].length}, () => new Float64Array(v[0].length));
  for (let piece = 0; piece < Math.min(k, sigma.length); piece += 1) {
    rows.forEach((row, i) => {
      const weight = sigma[piece] * u[piece][i];
      for (let j = 0; j < row.length; j += 1) row[j] += weight * v[piece][j];
    });
  }
  return rows;
}

// Share of the energy (the sum of squares of all entries) that the first k pieces carry, for k = 0 and up.
export function energy(sigma) {
  const squares = sigma.map((value) => value * value);
  const total = squares.reduce((sum, value) => sum + value, 0) || 1;
  const shares = [0];
  for (const square of squares) shares.push(shares[shares.length - 1] + square / total);
  return shares;
}

// How many pieces carry at least `share` of the energy.
export function piecesFor(sigma, share) {
  return energy(sigma).findIndex((value) => value >= share - 1e-12);
}

export function transposed(rows) {
  return Array.from(rows[0], (_, j) => Float64Array.from(rows, (row) => row[j]));
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i] * b[i];
  return sum;
}

function rotate(a, b, c, s) {
  for (let i = 0; i < a.length; i += 1) {
    const [x, y] = [a[i], b[i]];
    a[i] = c * x - s * y;
    b[i] = s * x + c * y;
  }
}
