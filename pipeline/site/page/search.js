// From what is asked to what is shown: one search at a time, more of it on demand, and the way back.
import { read, request, written } from "./address.js";
import { call } from "./calls.js";
import { remember } from "./memory.js";
import { again } from "./photo.js";
import { BLANK, change, kind, settled, state } from "./state.js";

export const PAGE = 24; // products at a time
const ANSWERS = 20; // that are held for Back
const held = new Map(); // by address

let under = null; // the search that is under way; a newer one ends it

// Asks for something else: a new address, a new answer. `replace`: Back does not come to what was asked before.
export function ask(patch, { replace = false } = {}) {
  const next = settled(state.ask, patch);
  history.replaceState({ ...history.state, y: scrollY }, "");
  const address = written(next);
  if (address !== written(state.ask)) history[replace ? "replaceState" : "pushState"]({ y: 0 }, "", address);
  const turned = kind(next) !== kind(state.ask) || next.product !== state.ask.product || next.like !== state.ask.like;
  change({ ask: next, refused: "", ...(next.among === state.ask.among && next.photo ? {} : { skipped: "" }) });
  held.delete(address);
  search();
  if (turned || patch.photo) arrive(0);
}

// What the address asks for: at the start, and after Back and forward, where the page was scrolled to.
export function follow() {
  change({ ask: settled(BLANK, read(location.search, state.site)), refused: "", skipped: "" });
  search();
  if (history.state) arrive(history.state.y || 0);
}

function arrive(y) {
  requestAnimationFrame(() => {
    scrollTo(0, y);
    document.querySelector("#heading")?.focus({ preventScroll: true });
  });
}

// A link of the page: followed without leaving it, but by whoever wants a new tab.
export function led(patch) {
  return (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    ask(patch);
  };
}

export async function search() {
  under?.abort();
  const mine = (under = new AbortController());
  const asked = state.ask, address = written(asked);
  if (kind(asked) === "favourites") return change({ found: null, fault: "", said: "What you kept in this browser." });
  const before = held.get(address);
  if (before) return change(before);
  change({ found: { products: [], busy: true, done: false }, facts: null, fault: "", said: asked.photo || asked.like || asked.words ? "Searching …" : "Fetching the products …" });
  try {
    if (asked.product) change({ facts: await call(`api/v1/products/${encodeURIComponent(asked.product)}`, { signal: mine.signal }) });
    const answer = await answered(asked, 0, mine);
    if (mine !== under) return;
    show(answer, []);
    if (kind(state.ask) === "answer") remember(state.ask, written(state.ask));
  } catch (error) {
    if (error.name === "AbortError" || mine !== under) return;
    change({ found: { products: [], busy: false, done: true }, fault: sentence(error.message), said: "" });
  }
}

export async function more() {
  const mine = under, asked = state.ask, { found } = state;
  if (!found || found.busy || found.done) return;
  change({ found: { ...found, busy: true }, said: "Fetching more …" });
  try {
    const answer = await answered(asked, found.products.length, mine);
    if (mine === under) show(answer, found.products);
  } catch (error) {
    if (error.name === "AbortError" || mine !== under) return;
    change({ found: { ...found, busy: false, done: true }, said: sentence(error.message) });
  }
}

// What the site answers to a question. Its photo may have another mark afterwards, in `state.ask` and in the address.
function answered(asked, offset, mine) {
  const renamed = (photo) => {
    if (mine !== under) return asked; // which was given up meanwhile
    const among = asked.among && [...new Set(asked.among.split(".").map((mark) => (mark === asked.photo ? photo : mark)))].join(".");
    const next = { ...asked, photo, among };
    history.replaceState(history.state, "", written(next));
    change({ ask: next });
    return next;
  };
  return again(asked, (now) => call(request(now, offset, PAGE), { signal: mine.signal }), renamed);
}

function show(answer, before) {
  const asked = state.ask, address = written(asked);
  const products = [...before, ...(answer.results || answer.products)];
  const done = products.length - before.length < PAGE || products.length === answer.total;
  const found = { products, busy: false, done, answer: answer.results ? answer : null, total: answer.total };
  const said = products.length ? `${products.length.toLocaleString("en")}${answer.total ? ` of ${answer.total.toLocaleString("en")}` : ""} products${asked.words || asked.photo || asked.like || asked.product ? ", nearest first" : ""}.` : "";
  change({ found, said: [said, ...instead(answer)].filter(Boolean).join(" "), fault: products.length ? "" : "Nothing here is like that. Allow more: fewer filters, or a larger distance." });
  held.delete(address);
  held.set(address, { found, said: state.said, facts: state.facts, fault: state.fault });
  if (held.size > ANSWERS) held.delete(held.keys().next().value);
}

// What was searched for in place of words that no product is described by.
function instead(answer) {
  const words = Object.entries(answer.instead || {}), out = words.filter(([, others]) => !others.length).map(([word]) => `“${word}”`);
  const said = words.filter(([, others]) => others.length).map(([word, others]) => `No product is described by “${word}”: searched for ${others.join(", ")}.`);
  return [...said, ...(out.length ? [`No product is described by ${out.join(", ")}: left out.`] : [])];
}

// Products were added or taken away: what is held is outdated.
export function renew() {
  held.clear();
  return search();
}

export const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`;
