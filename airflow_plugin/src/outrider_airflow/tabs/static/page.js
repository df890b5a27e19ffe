// What both tabs share: asking with the signed-in user's own session, building elements, spelling times and sizes.
const LOOK_MILLISECONDS = 3000;

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export const time = (text) => element("time", { datetime: text, title: text }, new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }));
export const state = (word) => element("span", { class: `state ${word}` }, word);

export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; bytes >= 1024 && at < units.length - 1; at += 1) bytes /= 1024;
  return `${at ? bytes.toFixed(1) : bytes} ${units[at]}`;
}

export const held = (files, bytes) => `${files} ${files === 1 ? "file" : "files"}, ${size(bytes)}`;

export function section(title, ...content) {
  return content.flat(Infinity).length ? element("section", {}, element("h2", {}, title), content) : null;
}

export function table(headings, rows) {
  if (!rows.length) return [];
  return [element("table", {}, element("thead", {}, element("tr", {}, headings.map((heading) => element("th", {}, heading)))),
    element("tbody", {}, rows.map((cells) => element("tr", {}, cells.map((cell) => element("td", {}, cell))))))];
}

/** A command with a button that copies it. */
export function command(text) {
  const copy = element("button", { title: "Copy", onclick: () => navigator.clipboard?.writeText(text) }, "copy");
  return element("p", { class: "command" }, element("code", {}, text), copy);
}

function notice(text) {
  const line = document.getElementById("notice");
  line.textContent = text;
  line.hidden = !text;
}

/** Asks *route* and shows the answer again and again; less often once *show* says that it is over. */
export async function keepShowing(route, show) {
  dress();
  let pause = LOOK_MILLISECONDS;
  try {
    const answer = document.hidden ? null : await fetch(route + location.search, { headers: { Accept: "application/json" } });
    const body = answer && await answer.json().catch(() => ({}));
    if (answer?.ok) {
      if (show(document.getElementById("page"), body)) pause = 10 * LOOK_MILLISECONDS;
      document.body.dataset.ready = "yes";
      notice("");
    } else if (answer) {
      notice(typeof body.detail === "string" ? body.detail : `Airflow answered ${answer.status}`);
      if (answer.status < 500) return;
    }
  } catch {
    notice("Airflow's API server cannot be reached");
  }
  setTimeout(() => keepShowing(route, show), pause);
}

/** Light or dark as Airflow's own page around it is. */
function dress() {
  let dark = matchMedia("(prefers-color-scheme: dark)").matches;
  try {
    if (parent !== window) dark = parent.document.documentElement.classList.contains("dark");
  } catch { /* within a page of another origin */ }
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}
