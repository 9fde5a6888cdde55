// Applies the stored colour theme before the first paint, so that a dark page never flashes white.
// A plain file and not an inline script: the content security policy allows only our own files.
// Everything else about themes is in src/io/theme.ts.
(function () {
  try {
    var stored = localStorage.getItem('muster.theme');
    if (stored === 'dark' || stored === 'light') document.documentElement.dataset.theme = stored;
  } catch {
    // Storage may be forbidden; the system's theme is then used.
  }
})();
