// The site's API, as the page asks it: answers as JSON; faults as errors with their status.
import { change, state } from "./state.js";

export const picture = (id) => `api/v1/products/${encodeURIComponent(id)}/picture`;

// `quiet`: what the site is waiting for is not said; `still()`: whether the answer is wanted still; `read`: what is made of an answer that is no fault.
export async function call(path, options = {}, read = (answer) => answer.json()) {
  let answer;
  for (let turn = 0; turn < 300; turn += 1) {
    try {
      answer = await fetch(path, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The site does not answer. Is it still running?");
    }
    const pause = Number(answer.headers.get("retry-after"));
    if (answer.status !== 503 || !pause) break;
    if (!options.quiet) change({ said: (await answer.json()).error }); // an encoder that is being loaded, say
    await new Promise((done) => setTimeout(done, 1000 * pause));
    if (options.signal?.aborted || options.still?.() === false) throw new DOMException("a newer search began", "AbortError");
  }
  const failed = { error: `the site answered ${answer.status}` };
  if (!answer.ok) throw Object.assign(new Error((await answer.json().catch(() => failed)).error), { status: answer.status });
  return read(answer).catch(() => failed);
}

// A change of the products, with the token of whoever runs the site.
export function write(path, options) {
  const token = state.writing.token;
  return call(path, { ...options, headers: { ...options.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) } });
}
