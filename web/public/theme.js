// Runs before the first paint, so that a dark room is not lit by a white page for a moment.
// A classic script of its own: the page's policy allows no inline code.
try {
  const theme = localStorage.getItem('otaru.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the system's choice holds.
}
