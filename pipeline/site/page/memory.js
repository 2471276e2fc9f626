// What this browser keeps: favourites and searches. Nothing of it is sent; there is a bound, and all can be cleared.
import { state } from "./state.js";

const FAVOURITES = "favourites", SEARCHES = "searches";
const MOST = { [FAVOURITES]: 200, [SEARCHES]: 30 };

function kept(name) {
  try {
    const list = JSON.parse(localStorage.getItem(name) || "[]");
    return Array.isArray(list) ? list.slice(0, MOST[name]) : [];
  } catch {
    return []; // another page of this address wrote it, or the browser keeps nothing
  }
}

function keep(name, list) {
  try {
    localStorage.setItem(name, JSON.stringify(list.slice(0, MOST[name])));
  } catch { /* a private window keeps nothing: the page works without */ }
}

export const favourites = () => kept(FAVOURITES);
export const searches = () => kept(SEARCHES);
export const isFavourite = (id) => favourites().some((one) => one.id === id);

export function favour({ id, productDisplayName, articleType, gender, baseColour }) {
  const others = favourites().filter((one) => one.id !== id);
  const was = others.length !== favourites().length;
  keep(FAVOURITES, was ? others : [{ id, productDisplayName, articleType, gender, baseColour }, ...others]);
  return !was;
}

export function remember(ask, address) {
  const parts = [];
  if (ask.photo) parts.push(ask.box ? "part of a photo" : "a photo");
  if (ask.like) parts.push(`like ${ask.like}`);
  if (ask.words) parts.push(`“${ask.words}”`);
  parts.push(...Object.values(ask.filters).filter(Boolean));
  keep(SEARCHES, [{ address, label: parts.join(", "), time: Date.now() }, ...searches().filter((one) => one.address !== address)]);
}

export function clear(name) {
  try { localStorage.removeItem(name); } catch { /* nothing was kept */ }
}
