// Only `pdm run watch` bundles this: it loads stylesheets, or the page, again when they were built.

const events = new EventSource(`//${location.hostname}:${RELOAD_PORT}`);

events.addEventListener("styles", () => {
  for (const link of document.querySelectorAll("link[rel=stylesheet]")) {
    const address = new URL(link.href);
    address.searchParams.set("built", Date.now());
    link.href = address;
  }
});

events.addEventListener("page", () => location.reload());
