// Filters the intents by standing, and lets the reader choose light or dark. The page works without it.
(() => {
  const root = document.documentElement;
  const theme = document.querySelector('#theme');
  const dark = () => root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  const label = () => { theme.textContent = dark() ? 'Light mode' : 'Dark mode'; };
  theme.hidden = false;
  label();
  theme.addEventListener('click', () => { root.dataset.theme = dark() ? 'light' : 'dark'; label(); });

  const filter = document.querySelector('#filter');
  if (filter) {
    filter.hidden = false;
    filter.addEventListener('click', (event) => {
      const button = event.target.closest('button');
      if (!button) return;
      for (const other of filter.querySelectorAll('button')) other.setAttribute('aria-pressed', String(other === button));
      let shown = 0;
      for (const intent of document.querySelectorAll('[data-standing]')) {
        intent.hidden = button.value !== '' && intent.dataset.standing !== button.value;
        if (!intent.hidden) shown += 1;
      }
      document.querySelector('#shown').textContent = shown + ' shown';
    });
  }

  // A link to a device opens what is folded there.
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === 'DETAILS') target.open = true;
  };
  addEventListener('hashchange', open);
  open();
})();
