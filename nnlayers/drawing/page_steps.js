// The steps: buttons, keys, the slider, playing, and the address.

const sections = [...document.querySelectorAll("#steps section")];
const last = sections.length - 1;
const slider = document.getElementById("slider");
const announcement = document.getElementById("announcement");
const labels = [...drawing.querySelectorAll("[data-from]")].map(e => [e, +e.dataset.from]);
const actors = [...drawing.querySelectorAll("[data-steps]")].map(
  e => [e, e.dataset.steps.split(" ").filter(Boolean).map(Number)]);
let step = 0;

function show(wanted) {
  step = Math.max(0, Math.min(last, Number.isFinite(wanted) ? Math.round(wanted) : 0));
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
  slider.value = step;
  const title = sections[step].querySelector("h2").textContent;
  slider.setAttribute("aria-valuetext", title);
  announcement.textContent = title;
  for (const id of ["first", "back"]) document.getElementById(id).ariaDisabled = step === 0;
  for (const id of ["next", "last"]) document.getElementById(id).ariaDisabled = step === last;
  document.getElementById("steps").scrollTop = 0;
  follow();
  history.replaceState(null, "", "#step=" + step);
}

const playButton = document.getElementById("play");
const speed = document.getElementById("speed");
let timer = 0;

function pause() {
  clearTimeout(timer);
  timer = 0;
  playButton.textContent = "Play";
}

function tick() {
  if (step === last) { pause(); return; }
  show(step + 1);
  timer = setTimeout(tick, 1600 / +speed.value);
}

function play() {
  if (timer) { pause(); return; }
  playButton.textContent = "Pause";
  if (step === last) show(0);
  timer = setTimeout(tick, 800 / +speed.value);
}

const actions = {
  first: () => show(0), back: () => show(step - 1), next: () => show(step + 1),
  last: () => show(last), play,
  larger: () => zoom(1.25), smaller: () => zoom(0.8), fit: fitView, fold: toggleFold,
};
for (const id in actions) {
  document.getElementById(id).addEventListener("click", () => {
    if (id !== "play" && timer && !["larger", "smaller", "fit", "fold"].includes(id)) pause();
    actions[id]();
  });
}
const shortcuts = {
  Home: "first", ArrowLeft: "back", ArrowRight: "next", End: "last", " ": "play",
  "+": "larger", "-": "smaller", "0": "fit", u: "fold",
};
slider.addEventListener("input", () => { pause(); show(+slider.value); });
document.addEventListener("keydown", event => {
  if (event.altKey || event.ctrlKey || event.metaKey || !(event.key in shortcuts)) return;
  const { target } = event;
  const isField = ["INPUT", "SELECT"].includes(target.tagName);
  const isPressed = event.key === " " && ["BUTTON", "SUMMARY"].includes(target.tagName);
  if (isField || isPressed) return;
  event.preventDefault();
  actions[shortcuts[event.key]]();
});
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
const fromAddress = () => show(parseInt(location.hash.slice("#step=".length), 10));
addEventListener("hashchange", fromAddress);
fitView();
fromAddress();
