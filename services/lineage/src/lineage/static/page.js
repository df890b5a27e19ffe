// The page: who is asking, what is shown, what is chosen. Everything it shows comes from the service's routes.
import { ask, forgetToken, hasToken, keepToken, takeTokenFromAddress } from "./ask.js";
import { element, swatch, tell } from "./details.js";
import { Drawing, isDark } from "./drawing.js";

const at = (id) => document.getElementById(id);
const LIVE_MILLISECONDS = 4000;
const state = { view: "all", chosen: null, found: [], marked: 0, ready: false };

function dress(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("outrider.theme", theme);
}

dress(localStorage.getItem("outrider.theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
takeTokenFromAddress();
const drawing = new Drawing(at("graph"));
Object.assign(window, { outrider: { cy: drawing.cy, state } });

function notice(text, bad = false) {
  at("notice").textContent = text;
  at("notice").className = bad ? "bad" : "";
  at("notice").hidden = !text;
}

function login(why = "") {
  forgetToken();
  at("refused").textContent = why;
  if (!at("login").open) at("login").showModal();
}

function failed(error) {
  if (error.status === 401) login(error.message);
  else notice([error.message, error.fix].filter(Boolean).join(". "), true);
}

async function graphToShow() {
  const node = state.chosen;
  if (state.view === "all" || !node) return ask("graph", { limit: 800 });
  const ways = state.view === "both" ? ["upstream", "downstream"] : [state.view];
  const walks = await Promise.all(ways.map((way) => ask(`lineage/${way}`, { node, limit: 800 })));
  return {
    root: walks[0].root, truncated: walks.some((walk) => walk.truncated),
    nodes: [...new Map(walks.flatMap((walk) => walk.nodes).map((one) => [one.id, one])).values()],
    edges: [...new Map(walks.flatMap((walk) => walk.edges).map((one) => [`${one.source}>${one.target}`, one])).values()],
  };
}

async function refresh() {
  if (!hasToken()) return login();
  try {
    const graph = await graphToShow();
    at("login").close();
    at("leave").hidden = at("views").hidden = false;
    const changed = drawing.show(graph.nodes, graph.edges, graph.root);
    legend(graph.nodes);
    notice(!graph.nodes.length ? "Nothing is recorded yet. Lineage appears a moment after a task has run."
      : graph.truncated ? "There is more than is shown here: search, or choose a node and a direction." : "");
    if (changed && state.chosen) drawing.choose(state.chosen);
    state.ready = true;
  } catch (error) {
    failed(error);
  }
  for (const button of at("views").children) {
    button.className = button.dataset.view === state.view ? "on" : "";
    button.disabled = button.dataset.view !== "all" && !state.chosen;
  }
}

function legend(nodes) {
  const teams = [...new Set(nodes.map((node) => node.team).filter(Boolean))].sort().slice(0, 16);
  const line = (dash) => {
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    drawn.setAttribute("width", 26);
    drawn.setAttribute("height", 6);
    drawn.innerHTML = `<line x1="0" y1="3" x2="26" y2="3" stroke="currentColor" stroke-width="2" stroke-dasharray="${dash}"/>`;
    return drawn;
  };
  at("legend").replaceChildren(
    ...teams.map((team) => element("span", {}, swatch({ team, kind: "job" }), team)),
    element("span", {}, line(""), "ran"), element("span", {}, line("6 4"), "declared"), element("span", {}, line("2 3"), "reported"),
  );
  at("legend").hidden = !nodes.length;
}

async function choose(id) {
  state.chosen = id;
  history.replaceState(null, "", `#node=${encodeURIComponent(id)}`);
  drawing.choose(id);
  for (const button of at("views").children) button.disabled = false;
  const shown = drawing.cy.getElementById(id);
  try {
    const told = shown.length && shown.data("masked") ? { node: shown.data(), tries: [], versions: [] } : await ask("node", { node: id });
    const opens = at("details").hidden;
    if (state.chosen === id) tell(at("details"), told, release);
    if (opens) drawing.fit();
  } catch (error) {
    failed(error);
  }
}

function release() {
  Object.assign(state, { chosen: null, view: "all" });
  at("details").hidden = true;
  history.replaceState(null, "", location.pathname);
  drawing.release();
  drawing.fit();
  refresh();
}

function showFound() {
  const list = at("found");
  const items = state.found.map((node, index) => element("li", {
    role: "option", "aria-selected": index === state.marked, onmousedown: () => pick(index),
  }, swatch(node), node.label));
  list.replaceChildren(...(items.length ? items : [element("li", { class: "none" }, "nothing of that name")]));
  list.hidden = !at("search").value.trim();
  at("search").setAttribute("aria-expanded", !list.hidden);
}

function pick(index) {
  const node = state.found[index];
  if (!node) return;
  at("search").value = "";
  at("found").hidden = true;
  if (!drawing.cy.getElementById(node.id).length) state.view = "both";
  choose(node.id).then(refresh);
}

let asked = 0;
at("search").addEventListener("input", async () => {
  const mine = (asked += 1);
  const q = at("search").value.trim();
  try {
    const { nodes } = q ? await ask("nodes", { q, limit: 12 }) : { nodes: [] };
    if (mine !== asked) return;
    Object.assign(state, { found: nodes, marked: 0 });
    showFound();
  } catch (error) {
    failed(error);
  }
});
at("search").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && state.found.length) {
    state.marked = (state.marked + step + state.found.length) % state.found.length;
    showFound();
    event.preventDefault();
  } else if (event.key === "Enter") pick(state.marked);
  else if (event.key === "Escape") at("search").value = "", (at("found").hidden = true);
});
at("search").addEventListener("blur", () => { at("found").hidden = true; });
addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea")) return;
  if (event.key === "/") at("search").focus(), event.preventDefault();
  else if (event.key === "Escape" && state.chosen) release();
});
at("views").addEventListener("click", ({ target }) => {
  if (!target.dataset.view) return;
  state.view = target.dataset.view;
  refresh();
});
at("fit").addEventListener("click", () => drawing.fit());
at("theme").addEventListener("click", () => {
  dress(isDark() ? "light" : "dark");
  drawing.recolour();
  refresh();
});
at("leave").addEventListener("click", () => {
  at("leave").hidden = at("views").hidden = at("details").hidden = at("legend").hidden = true;
  drawing.show([], []);
  login();
});
at("enter").addEventListener("click", (event) => {
  event.preventDefault();
  keepToken(at("token").value);
  at("token").value = "";
  if (hasToken()) refresh();
});
at("login").addEventListener("cancel", (event) => event.preventDefault());
drawing.cy.on("tap", "node", (event) => choose(event.target.id()));
drawing.cy.on("tap", (event) => { if (event.target === drawing.cy && state.chosen) release(); });
addEventListener("resize", () => drawing.fit());
setInterval(() => { if (at("live").checked && hasToken() && !document.hidden) refresh(); }, LIVE_MILLISECONDS);

const wanted = new URLSearchParams(location.hash.slice(1)).get("node");
await refresh();
if (wanted) {
  const named = await ask("node", { node: wanted }).catch(() => null);
  if (named) pickWanted(named.node.id);
}

function pickWanted(id) {
  if (!drawing.cy.getElementById(id).length) state.view = "both";
  choose(id).then(refresh);
}
