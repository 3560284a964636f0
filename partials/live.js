/** Which components work: a change is announced. Times and details change without one. */
function fingerprint(root) {
  const parts = root.querySelectorAll("[data-component]");
  return Array.from(parts, ({ dataset }) => `${dataset.component}:${dataset.works}`).join();
}

/** Whether somebody is about to copy a part of the list: it must not vanish under the pointer. */
function selected() {
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(live, true);
}

/** Announces it to screen readers; the page shows it already. */
function announce(element) {
  announcer.textContent = element.textContent.replace(/\s+/g, " ").trim();
}

function show(html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const summary = fresh.content.querySelector("[data-summary]");
  if (!summary) throw new Error("this is not the list of components");

  const news = !lost.hidden || fingerprint(fresh.content) !== fingerprint(live);
  lost.hidden = true;
  if (news) announce(summary);
  if (news || !selected()) live.replaceChildren(fresh.content);
}

function showLost() {
  if (lost.hidden) announce(lost);
  lost.hidden = false;
}

