// Where things lie in the window: what a stop points at, and where its card finds room beside it.
export const MARGIN = 12;
const RING = 6; // room between an element and the light around it

// The rectangle around all elements found by `selectors` that are on the page and have a size; null where there is none.
export function around(selectors) {
  const boxes = selectors.flatMap((one) => [...document.querySelectorAll(one)]).map((node) => node.getBoundingClientRect())
    .filter((box) => box.width > 1 && box.height > 1);
  if (!boxes.length) return null;
  const left = Math.min(...boxes.map((box) => box.left)), top = Math.min(...boxes.map((box) => box.top));
  const right = Math.max(...boxes.map((box) => box.right)), bottom = Math.max(...boxes.map((box) => box.bottom));
  return {left, top, right, bottom};
}

// The part of a rectangle that is in the window, with a ring of air around it.
export function lit(box) {
  const {innerWidth: width, innerHeight: height} = window;
  const left = clamp(box.left - RING, 2, width - 2), top = clamp(box.top - RING, 2, height - 2);
  const right = clamp(box.right + RING, left, width - 2), bottom = clamp(box.bottom + RING, top, height - 2);
  return {left, top, right, bottom};
}

// Left upper corner for a card of this size: below, above, right or left of the light, wherever it fits first; else at
// the lower edge of the window, over what is lit.
export function beside(light, width, height) {
  const {innerWidth, innerHeight} = window;
  const across = clamp((light.left + light.right - width) / 2, MARGIN, innerWidth - width - MARGIN);
  const down = clamp(light.top, MARGIN, innerHeight - height - MARGIN);
  if (light.bottom + MARGIN + height <= innerHeight - MARGIN) return [across, light.bottom + MARGIN];
  if (light.top - MARGIN - height >= MARGIN) return [across, light.top - MARGIN - height];
  if (light.right + MARGIN + width <= innerWidth - MARGIN) return [light.right + MARGIN, down];
  if (light.left - MARGIN - width >= MARGIN) return [light.left - MARGIN - width, down];
  return [across, innerHeight - height - MARGIN];
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(value, Math.max(low, high)));
}
