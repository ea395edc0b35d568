// Playing: the slider, buttons, keys and the address, of a page that has `show(step)` and `pace`.

const slider = document.getElementById("slider");
const announcement = document.getElementById("announcement");
const playButton = document.getElementById("play");
const speed = document.getElementById("speed");
const last = +slider.max;
let step = 0;
let timer = 0;

// Makes the wanted step the present one, or another if it is no number.
function goTo(wanted, other) {
  step = Math.max(0, Math.min(last, Number.isFinite(wanted) ? Math.round(wanted) : other));
}

// Tells the present step, by its title, to all that show it.
function announce(title) {
  slider.value = step;
  slider.setAttribute("aria-valuetext", title);
  announcement.textContent = title;
  for (const id of ["first", "back"]) document.getElementById(id).ariaDisabled = step === 0;
  for (const id of ["next", "last"]) document.getElementById(id).ariaDisabled = step === last;
  history.replaceState(null, "", "#step=" + step);
}

function pause() {
  clearTimeout(timer);
  timer = 0;
  playButton.textContent = "Play";
}

function tick() {
  if (step === last) { pause(); return; }
  show(step + 1);
  timer = setTimeout(tick, pace / +speed.value);
}

function play() {
  if (timer) { pause(); return; }
  playButton.textContent = "Pause";
  if (step === last) show(0);
  timer = setTimeout(tick, pace / 2 / +speed.value);
}

const moves = {
  first: () => show(0), back: () => show(step - 1), next: () => show(step + 1), last: () => show(last),
};

// Lets buttons and keys do these actions and those of a page, which leave it playing.
function listen(others, keys) {
  const actions = { ...moves, play, ...others };
  const shortcuts = {
    Home: "first", ArrowLeft: "back", ArrowRight: "next", End: "last", " ": "play", ...keys,
  };
  for (const id in actions) {
    document.getElementById(id).addEventListener("click", () => {
      if (id in moves && timer) pause();
      actions[id]();
    });
  }
  document.addEventListener("keydown", event => {
    if (event.altKey || event.ctrlKey || event.metaKey || !(event.key in shortcuts)) return;
    const { target } = event;
    const isField = ["INPUT", "SELECT"].includes(target.tagName);
    const isPressed = event.key === " " && ["BUTTON", "SUMMARY"].includes(target.tagName);
    if (isField || isPressed) return;
    event.preventDefault();
    actions[shortcuts[event.key]]();
  });
}
slider.addEventListener("input", () => { pause(); show(+slider.value); });

function showAddress() { show(parseInt(location.hash.slice("#step=".length), 10)); }
addEventListener("hashchange", showAddress);
