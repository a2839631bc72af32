// Derivations of the zoo are many: the formulas of one are typeset when it is opened.
(function () {
  function typeset(cell) {
    if (cell.dataset.typeset) return;
    cell.dataset.typeset = "yes";
    const formulas = Array.from(cell.querySelectorAll(".zoo-tex"));
    formulas.forEach(function (f) {
      f.textContent = "\\(" + f.dataset.tex + "\\)";
      f.classList.add("math", "notranslate", "nohighlight");
    });
    if (formulas.length && window.MathJax && window.MathJax.typesetPromise) {
      window.MathJax.typesetPromise(formulas);
    }
  }

  function openTarget() {
    const cell = document.getElementById(decodeURIComponent(window.location.hash.slice(1)));
    if (cell && cell.matches("details.zoo-cell")) {
      cell.open = true;
      cell.scrollIntoView();
    }
  }

  document.addEventListener("toggle", function (event) {
    if (event.target.matches && event.target.matches("details.zoo-cell") && event.target.open) typeset(event.target);
  }, true);
  window.addEventListener("hashchange", openTarget);
  window.addEventListener("load", openTarget);
})();
