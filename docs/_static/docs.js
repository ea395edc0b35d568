// Let keys scroll what is wider than the page, as a pointer can.
function reachScrolled() {
  for (const box of document.querySelectorAll("article :is(pre, p, figure, .table-wrapper, .notebook-output)")) {
    if (box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX === "auto") box.tabIndex = 0;
    else if (box.tabIndex === 0) box.removeAttribute("tabindex");
  }
}
addEventListener("load", reachScrolled);
addEventListener("resize", reachScrolled);
