/** What matters of a list: which component works. Times and details change without news. */
function essence(root) {
  const parts = root.querySelectorAll("[data-component]");
  return Array.from(parts, ({ dataset }) => `${dataset.component}:${dataset.works}`).join();
}

/** Whether somebody is about to copy a part of the list: it must not vanish under the pointer. */
function selected() {
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(live, true);
}

/** Says it to those who listen; the page shows it already. */
function announce(element) {
  announcer.textContent = element.textContent.replace(/\s+/g, " ").trim();
}

function show(html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const summary = fresh.content.querySelector("[data-summary]");
  if (!summary) throw new Error("this is not the list of components");

  const news = !lost.hidden || essence(fresh.content) !== essence(live);
  lost.hidden = true;
  if (news) announce(summary);
  if (news || !selected()) live.replaceChildren(fresh.content);
}

function miss() {
  if (lost.hidden) announce(lost);
  lost.hidden = false;
}

