// Asks the service. The token lives in this tab alone and travels in a header, never in an address.
const KEEP = "outrider.token";

export function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get("token");
  if (!token) return;
  sessionStorage.setItem(KEEP, token.trim());
  given.delete("token");
  history.replaceState(null, "", location.pathname + (given.size ? `#${given}` : ""));
}

export const keepToken = (token) => sessionStorage.setItem(KEEP, token.trim());
export const forgetToken = () => sessionStorage.removeItem(KEEP);
export const hasToken = () => Boolean(sessionStorage.getItem(KEEP));

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.message || `the service answered ${status}`);
    this.status = status;
    this.fix = problem.fix || "";
  }
}

export async function ask(path, parameters = {}) {
  const address = `/v1/${path}?${new URLSearchParams(parameters)}`;
  let answer;
  try {
    answer = await fetch(address, { headers: { Authorization: `Bearer ${sessionStorage.getItem(KEEP)}` } });
  } catch {
    throw new Refusal(0, { message: "the lineage service cannot be reached", fix: "outrider status tells how it stands" });
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, body.error || {});
  return body;
}
