// Keeps the list of components fresh while somebody looks at it. Without it the page shows what
// was found when it was loaded.

const PAUSE = 5_000; // milliseconds between an answer and the next question
const PATIENCE = 20_000; // a component that hangs may take its time to fail

const live = document.querySelector("[data-live]");
const lost = document.querySelector("[data-lost]");
const announcer = document.querySelector("[data-announce]");

let timer;
let asking = false;

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

async function ask() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const response = await fetch(live.dataset.live, { cache: "no-store", signal });
    if (!response.ok) throw new Error(response.statusText);
    show(await response.text());
  } catch {
    miss();
  } finally {
    asking = false;
    timer = setTimeout(ask, PAUSE);
  }
}

document.addEventListener("visibilitychange", ask);
timer = setTimeout(ask, PAUSE);
