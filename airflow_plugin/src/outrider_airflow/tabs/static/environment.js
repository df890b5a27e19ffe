// The environment tab: what is wrong first and what mends it, what was read and written, the timeline.
import { command, element, held, keepShowing, section, state, table, time } from "./page.js";

const WORDS = { failed: "because", retrying: "on the way", waiting: "waiting" };
const named = (one) => (one.try_number ? `${one.task} · try ${one.try_number}` : one.task);

function cause(one) {
  if (!one) return null;
  return element("div", { class: `cause ${one.kind}`, role: "alert" },
    element("p", {}, element("strong", {}, `${WORDS[one.kind]}: `), one.text), one.fix.map(command));
}

const reads = (one) => [
  named(one), one.name, element("code", {}, one.source),
  [one.text, ...one.versions.map((path) => element("div", {}, element("code", {}, `/${path}`)))],
];

const writes = (one) => [
  named(one), [one.output, one.current ? element("span", { class: "current", title: "what readers get" }, " current") : ""],
  state(one.state), one.files === null ? "" : held(one.files, one.bytes || 0),
  [one.fate, ...one.held_by.map((holder) => element("div", { class: "soft" }, `held by ${holder}`)),
    ...one.readers.map((reader) => element("div", { class: "soft" }, reader)),
    element("div", {}, element("code", {}, `/${one.path}`)), one.fix ? command(one.fix) : ""],
];

const moment = (one) => element("li", { class: `${one.kind}${one.wrong ? " wrong" : ""}` },
  time(one.at), element("span", { class: "who" }, named(one)), element("span", {}, one.text));

keepShowing("explanation", (page, story) => {
  page.replaceChildren(...[
    element("h1", {}, [story.subject.task_id || story.subject.run_id, story.subject.map_index === null ? "" : `[${story.subject.map_index}]`], " ", state(story.state)),
    cause(story.cause),
    section("Timeline", story.moments.length ? element("ol", { class: "moments" }, story.moments.map(moment)) : element("p", { class: "soft" }, "Outrider has not heard of it yet: a task is known when its place is announced or it begins.")),
    story.expected.length ? section("To come", element("ol", { class: "moments" }, story.expected.map(moment))) : null,
    section("Inputs", table(["task", "input", "from", "what"], story.inputs.map(reads))),
    section("Outputs", table(["task", "output", "state", "size", "what becomes of it"], story.outputs.map(writes))),
    story.truncated ? element("p", { class: "soft" }, "The run has more tries than the 5,000 that are told here.") : null,
  ].filter(Boolean));
  return story.over;
});
