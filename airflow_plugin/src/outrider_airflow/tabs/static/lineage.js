// The lineage tab: what each try read and wrote, and of one task what lies up- and downstream of it.
import { element, held, keepShowing, section, state, table, time } from "./page.js";

const shown = (one) => element("div", {},
  element("code", {}, one.dataset ? `${one.dataset}${one.generation ? ` g${one.generation}` : ""}` : `something of team ${one.team}`),
  one.bytes === null ? "" : element("span", { class: "soft" }, ` ${held(one.files, one.bytes)}`));

const tried = (one) => [
  `${one.task_id}${one.map_index >= 0 ? `[${one.map_index}]` : ""} · try ${one.try_number}`, state(one.state),
  one.started_at ? time(one.started_at) : "", one.inputs.map(shown), one.outputs.map(shown),
];

function level(graph, distance) {
  const nodes = graph.nodes.filter((node) => node.level === distance).sort((a, b) => a.label.localeCompare(b.label));
  return nodes.map((node) => element("div", { class: `node ${node.kind}${node.masked ? " masked" : ""}`, title: node.kind }, node.label));
}

function column(graph, distance) {
  const nodes = level(graph, distance);
  return nodes.length ? element("div", { class: "column" }, nodes) : null;
}

/** Columns from the farthest ancestor to the farthest descendant, the task itself in the middle. */
function around(upstream, downstream) {
  const far = (graph) => Math.max(0, ...graph.nodes.map((node) => node.level));
  const columns = [];
  for (let distance = far(upstream); distance > 0; distance -= 1) columns.push(column(upstream, distance));
  columns.push(element("div", { class: "column self" }, level(upstream.root ? upstream : downstream, 0)));
  for (let distance = 1; distance <= far(downstream); distance += 1) columns.push(column(downstream, distance));
  return element("div", { class: "around" }, columns.filter(Boolean).flatMap((one, index) => (index ? [element("span", { class: "arrow" }, "→"), one] : [one])));
}

keepShowing("history", (page, told) => {
  page.replaceChildren(...[
    told.upstream && (told.upstream.root || told.downstream.root) ? section("Made from → made into", around(told.upstream, told.downstream)) : null,
    section("Read and written", told.tries.length ? table(["try", "state", "began", "read", "wrote"], told.tries.map(tried)) : element("p", { class: "soft" }, "No try of it is known yet.")),
  ].filter(Boolean));
  return told.tries.length > 0 && told.tries.every((one) => one.ended_at);
});
