"use strict";
for (const figure of document.querySelectorAll("figure")) {
  const range = figure.querySelector("input");
  const pair = figure.querySelector(".pair");
  const show = () => {
    figure.style.setProperty("--at", range.value + "%");
    range.setAttribute("aria-valuetext", range.value + " % before");
  };
  const follow = (event) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const box = pair.getBoundingClientRect();
    range.value = (100 * (event.clientX - box.left)) / box.width;
    show();
  };
  range.addEventListener("input", show);
  pair.addEventListener("pointerdown", follow);
  pair.addEventListener("pointermove", follow);
  pair.addEventListener("dragstart", (event) => event.preventDefault());
  show();
}
