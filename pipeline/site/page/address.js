// What is asked, as the page's address and as a request: both hold all of it.
import { BLANK } from "./state.js";

const PLAIN = ["words", "photo", "among", "like", "product", "view", "encoder", "distance", "index"];

export function written(ask) {
  const said = new URLSearchParams();
  for (const name of PLAIN) if (ask[name] !== BLANK[name]) said.set(name, ask[name]);
  if (ask.box) said.set("box", ask.box.join(","));
  if (ask.weight !== BLANK.weight) said.set("weight", ask.weight);
  if (ask.farthest !== null) said.set("farthest", ask.farthest);
  for (const [name, value] of Object.entries(ask.filters)) if (value) said.set(name, value);
  const line = String(said);
  return line ? `?${line}` : ".";
}

export function read(line, site) {
  const said = new URLSearchParams(line);
  const ask = { ...BLANK, filters: {} };
  for (const name of PLAIN) if (said.get(name)) ask[name] = said.get(name).slice(0, name === "among" ? 1000 : 200);
  const box = (said.get("box") || "").split(",").map(Number);
  if (ask.photo && box.length === 4 && box.every((side) => Number.isFinite(side))) ask.box = box;
  for (const name of ["weight", "farthest"]) {
    if (said.get(name) && Number.isFinite(Number(said.get(name)))) ask[name] = Number(said.get(name));
  }
  for (const name of Object.keys(site.filters)) if (said.get(name)) ask.filters[name] = said.get(name).slice(0, 200);
  if (!["", "favourites"].includes(ask.view)) ask.view = "";
  return ask;
}

// The request's address: products from `offset` on, `count` of them.
export function request(ask, offset, count) {
  const asked = new URLSearchParams({ count, offset });
  for (const [name, value] of Object.entries(ask.filters)) if (value) asked.append(name, value);
  const like = ask.product || ask.like;
  if (!ask.photo && !like && !ask.words) return `api/v1/products?${asked}`;
  for (const name of ["encoder", "distance", "index", "photo"]) if (ask[name]) asked.set(name, ask[name]);
  if (like) asked.set("like", like);
  if (ask.box) asked.set("box", ask.box.join(","));
  if (ask.words) {
    asked.set("text", ask.words);
    asked.set("image_weight", ask.weight);
  }
  if (ask.farthest !== null) asked.set("farthest", ask.farthest);
  return `api/v1/search?${asked}`;
}
