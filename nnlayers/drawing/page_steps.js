// The steps of both passes.

const sections = [...document.querySelectorAll("#steps section")];
const labels = [...drawing.querySelectorAll("[data-from]")].map(e => [e, +e.dataset.from]);
const actors = [...drawing.querySelectorAll("[data-steps]")].map(
  e => [e, e.dataset.steps.split(" ").filter(Boolean).map(Number)]);

function show(wanted) {
  goTo(wanted, 0);
  sections.forEach((section, i) => { section.hidden = i !== step; });
  fillSection(sections[step]);
  unlight();
  for (const [part, from] of labels) part.classList.toggle("reached", step >= from);
  for (const [part, steps] of actors) {
    const active = part.classList.toggle("active", steps.includes(step));
    if (active && part.classList.contains("wire")) part.parentNode.append(part);  // It is drawn over the others.
  }
  drawing.classList.remove("forward", "backward");
  drawing.classList.add(sections[step].className);
  drawing.dataset.active = sections[step].dataset.active || "";
  announce(sections[step].querySelector("h2").textContent);
  document.getElementById("steps").scrollTop = 0;
  follow();
}

const pace = 1600;
listen({ larger: () => zoom(1.25), smaller: () => zoom(0.8), fit: fitView, fold: toggleFold },
  { "+": "larger", "-": "smaller", "0": "fit", u: "fold" });
for (const [part, steps] of actors) {
  if (!part.classList.contains("node")) continue;
  part.addEventListener("click", () => {
    if (hasDragged) return;
    if (part.classList.contains("fold")) { toggleFold(); return; }
    pause();
    const later = steps.find(n => n > step);
    show(later === undefined ? steps[0] : later);
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => fillSection(sections[step]));
foldButton.hidden = pictures.length < 2;
fitView();
showAddress();
