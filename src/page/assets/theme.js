/**
 * The choice between the system's theme, a light one and a dark one. It is a classic script in the head of the page,
 * so that a chosen theme holds before anything is painted.
 */
(() => {
  const themes = ["auto", "light", "dark"];
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  function stored() {
    try {
      return localStorage.getItem("theme") ?? "auto";
    } catch {
      return "auto";
    }
  }

  /** @param {string} theme */
  function apply(theme) {
    root.dataset.theme = theme !== "auto" ? theme : prefersDark.matches ? "dark" : "light";
    const button = document.getElementById("theme");
    if (button !== null) button.textContent = `Theme: ${theme}`;
    // The plots are drawn again in the new colours.
    dispatchEvent(new Event("themechange"));
  }

  let theme = stored();
  if (!themes.includes(theme)) theme = "auto";
  apply(theme);
  addEventListener("DOMContentLoaded", () => {
    apply(theme);
    document.getElementById("theme")?.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto";
      try {
        localStorage.setItem("theme", theme);
      } catch {
        // The choice holds until the page is closed.
      }
      apply(theme);
    });
  });
  prefersDark.addEventListener("change", () => apply(theme));
})();
