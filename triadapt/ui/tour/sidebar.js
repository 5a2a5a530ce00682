// The sidebar of the page: on a narrow window it is closed at first, and lies over all else when it is open.
const OPEN = "[data-testid=stExpandSidebarButton]";
const CLOSE = "[data-testid=stSidebarCollapseButton] button";

// Whether the sidebar is on view: the button that opens it is there only while it is closed.
export function sidebarOpen() {
  return !document.querySelector(OPEN);
}

// Open or close it, if it is not so already.
export function setSidebar(open) {
  if (sidebarOpen() !== open) document.querySelector(open ? OPEN : CLOSE)?.click();
}

// Whether it hides what is beside it.
export function sidebarCovers() {
  return window.innerWidth < 768;
}
