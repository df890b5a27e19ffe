// Draws nodes and edges with Cytoscape and the dagre layout. Knows nothing of the service.
const HUES = [245, 160, 28, 330, 200, 95, 275, 0, 180, 50, 300, 120];

const given = new Map();

/** A team keeps its hue; of two that would share one, the later in the alphabet takes the next free. */
function giveHues(teams) {
  given.clear();
  const free = (at) => ![...given.values()].includes(HUES[at]);
  for (const team of [...teams].sort()) {
    let at = 0;
    for (const letter of team) at = (Math.imul(at, 31) + letter.codePointAt(0)) >>> 0;
    at %= HUES.length;
    for (let step = 0; step < HUES.length && !free(at); step += 1) at = (at + 1) % HUES.length;
    given.set(team, HUES[at]);
  }
}

const hueOf = (team) => given.get(team) ?? HUES[0];

export const isDark = () => document.documentElement.dataset.theme === "dark";

export function colourOf(node) {
  if (node.masked || !node.team) return isDark() ? "#7c86a8" : "#8a93ab";
  return `hsl(${hueOf(node.team)}, ${isDark() ? "62%, 68%" : "58%, 46%"})`;
}

function fillOf(node) {
  if (node.masked) return isDark() ? "#20253a" : "#eef0f5";
  if (node.kind === "job") return colourOf(node);
  return node.team ? `hsl(${hueOf(node.team)}, ${isDark() ? "35%, 20%" : "75%, 96%"})` : isDark() ? "#20253a" : "#ffffff";
}

const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

function textOf(node) {
  if (node.masked) return `${node.team}\nnot shown`;
  if (node.kind === "job") return cut(node.task_id || node.name, 26) + (node.dag_id ? `\n${cut(node.dag_id, 28)}` : "");
  if (node.output) return cut(node.output, 26);
  return cut(node.team ? node.name.replace(/^connections\//, "") : node.label, 32);
}

function sheet() {
  const dark = isDark();
  const ink = dark ? "#e7e9f5" : "#1c2033";
  const line = dark ? "#5a6388" : "#a3abc2";
  return [
    { selector: "node", style: {
      label: "data(text)", "text-wrap": "wrap", "text-valign": "center", "font-size": 12.5, "line-height": 1.25,
      "font-family": "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", color: ink, width: "data(width)", height: 44,
      shape: "round-rectangle", "background-color": "data(fill)", "border-width": 1.6, "border-color": "data(colour)",
      "transition-property": "opacity", "transition-duration": "120ms",
    } },
    { selector: "node[kind='job']", style: { color: dark ? "#0f1220" : "#ffffff", "font-weight": 600 } },
    { selector: "node[kind='dataset']", style: { shape: "barrel", height: 36 } },
    { selector: "node[?outside]", style: { shape: "cut-rectangle", "border-style": "dashed" } },
    { selector: "node[?masked]", style: { color: dark ? "#98a0bd" : "#667085", "border-style": "dashed", "font-weight": 400 } },
    { selector: "node[?root]", style: { "border-width": 3.5, "border-color": ink } },
    { selector: "edge", style: {
      width: 1.8, "line-color": line, "target-arrow-color": line, "target-arrow-shape": "triangle", "arrow-scale": 1,
      "curve-style": "bezier",
    } },
    { selector: "edge[how='declared']", style: { "line-style": "dashed", "line-dash-pattern": [6, 5], opacity: .75 } },
    { selector: "edge[how='reported']", style: { "line-style": "dotted" } },
    { selector: ".faded", style: { opacity: .16 } },
    { selector: "node:selected", style: { "underlay-color": dark ? "#8b85ff" : "#4f46e5", "underlay-opacity": .3, "underlay-padding": 7 } },
    { selector: "edge.path", style: { "line-color": dark ? "#8b85ff" : "#4f46e5", "target-arrow-color": dark ? "#8b85ff" : "#4f46e5", width: 2.4 } },
  ];
}

const ink = document.createElement("canvas").getContext("2d");

function elementOf(node, root) {
  const text = textOf(node);
  ink.font = "600 12.5px system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
  const width = Math.max(72, ...text.split("\n").map((line) => ink.measureText(line).width)) + 30;
  return { group: "nodes", data: { ...node, text, width, fill: fillOf(node), colour: colourOf(node), root: node.id === root } };
}

function edgeOf(edge) {
  const how = edge.ran ? "ran" : edge.declared ? "declared" : "reported";
  return { group: "edges", data: { ...edge, id: `${edge.source}>${edge.target}`, how } };
}

export class Drawing {
  constructor(container) {
    this.cy = cytoscape({ container, style: sheet(), minZoom: .08, maxZoom: 2.4, boxSelectionEnabled: false });
    this.shown = "";
  }

  /** Draws the graph; a graph that looks as the one on screen is left as the person arranged it. */
  show(nodes, edges, root) {
    giveHues(new Set(nodes.map((node) => node.team).filter(Boolean)));
    const elements = [...nodes.map((node) => elementOf(node, root)), ...edges.map(edgeOf)];
    const looks = JSON.stringify([root, ...elements.map((one) => [one.data.id, one.data.how]).sort()]);
    if (looks === this.shown) return false;
    const chosen = this.cy.nodes(":selected").map((node) => node.id());
    this.shown = looks;
    this.cy.batch(() => {
      this.cy.elements().remove();
      this.cy.add(elements);
      chosen.forEach((id) => this.cy.getElementById(id).select());
    });
    this.arrange();
    return true;
  }

  arrange() {
    this.cy.layout({ name: "dagre", rankDir: "LR", nodeSep: 26, rankSep: 74, edgeSep: 14, fit: false, animate: false }).run();
    this.fit();
  }

  fit() {
    this.cy.resize();
    this.cy.fit(undefined, 70);
    if (this.cy.zoom() > 1.25) {
      this.cy.zoom(1.25);
      this.cy.center();
    }
  }

  /** Brings a node's ancestors and descendants forward. */
  choose(id) {
    const node = this.cy.getElementById(id);
    this.cy.elements().removeClass("faded path");
    this.cy.nodes().unselect();
    if (!node.length) return;
    const path = node.predecessors().union(node.successors()).union(node);
    this.cy.elements().difference(path).addClass("faded");
    path.edges().addClass("path");
    node.select();
  }

  release() {
    this.cy.elements().removeClass("faded path");
    this.cy.nodes().unselect();
  }

  recolour() {
    this.cy.style(sheet());
    this.cy.nodes().forEach((node) => {
      node.data({ fill: fillOf(node.data()), colour: colourOf(node.data()) });
    });
  }
}
