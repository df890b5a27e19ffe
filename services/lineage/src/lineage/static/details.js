// The panel that tells of one node: what it is, its newest tries or versions. Builds elements, never HTML text.
import { colourOf } from "./drawing.js";

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (name === "colour") made.style.background = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export const swatch = (node) => element("i", { class: `swatch ${node.kind}`, colour: colourOf(node) });

const when = (text) => (text ? new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "");

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; bytes >= 1024 && at < units.length - 1; at += 1) bytes /= 1024;
  return `${at ? bytes.toFixed(1) : bytes} ${units[at]}`;
}

function lasted(one) {
  if (!one.started_at || !one.ended_at) return "";
  const seconds = (new Date(one.ended_at) - new Date(one.started_at)) / 1000;
  return seconds < 90 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
}

function tryCard(one) {
  const named = `${one.map_index >= 0 ? `[${one.map_index}] ` : ""}try ${one.try_number}`;
  const listed = (verb, versions) => versions.map((version) => element("p", {}, `${verb} `, element("code", {},
    version.dataset ? `${version.dataset}${version.generation ? ` g${version.generation}` : ""}` : `something of team ${version.team}`),
    version.partition ? ` · ${version.partition}` : "", version.bytes === null ? "" : ` · ${version.files} files, ${size(version.bytes)}`));
  return element("div", { class: "card" },
    element("div", { class: "top" }, element("span", { class: `state ${one.state}` }, one.state), named,
      element("span", { class: "when" }, [when(one.started_at), lasted(one)].filter(Boolean).join(" · "))),
    element("p", {}, one.run_id), one.error_class ? element("p", {}, one.error_class) : "",
    one.refusal ? element("p", {}, `refused: ${one.refusal}`) : "", ...listed("read", one.inputs), ...listed("wrote", one.outputs));
}

function versionCard(one) {
  return element("div", { class: "card" },
    element("div", { class: "top" }, element("span", { class: `state ${one.state}` }, one.state), `g${one.generation}`,
      element("span", { class: "when" }, when(one.not_kept_since || one.sealed_at))),
    element("p", {}, element("code", {}, one.path)),
    element("p", {}, `${one.files} files, ${size(one.bytes)} · read by ${one.readers} ${one.readers === 1 ? "try" : "tries"}`));
}

/** Fills *panel* with what is told of a node. */
export function tell(panel, told, close) {
  const { node, tries, versions } = told;
  const kind = node.masked ? "of another team" : node.outside ? "outside dataset" : node.kind === "job" ? "task" : "dataset";
  const facts = node.masked ? [] : [
    ["name", node.label], node.operator ? ["operator", node.operator] : null,
    ["OpenLineage", `${node.namespace} · ${node.name}`], node.last_at ? ["last seen", when(node.last_at)] : null,
  ].filter(Boolean);
  panel.replaceChildren(
    element("button", { class: "close", title: "Close", onclick: close }, "×"),
    element("h2", {}, node.masked ? `Team ${node.team}` : node.output || node.task_id || node.name),
    element("span", { class: "chip" }, swatch(node), node.team ? `${node.team} · ${kind}` : kind),
    element("dl", {}, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    node.masked ? element("p", {}, "You see that it is there because it is next to something of yours. Its name is shown with a grant.") : "",
    ...(tries.length ? [element("h3", {}, "Newest tries"), ...tries.map(tryCard)] : []),
    ...(versions.length ? [element("h3", {}, "Newest versions"), ...versions.map(versionCard)] : []),
  );
  panel.hidden = false;
}
