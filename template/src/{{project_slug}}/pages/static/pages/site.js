// What every page does on top of its HTML, which is complete without it.

for (const button of document.querySelectorAll("[data-dismiss]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    button.closest(".message").remove();
    document.querySelector("main").focus();
  });
}
