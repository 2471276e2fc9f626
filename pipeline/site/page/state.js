// What is asked, in one object: the form, the address and the request are made from it. Beside it, what is shown.

export const BLANK = {
  words: "", photo: "", among: "", like: "", box: null, product: "", view: "",
  encoder: "", distance: "cosine", index: "exact", weight: 0.7, farthest: null, filters: {},
};

export const state = {
  ask: BLANK,
  site: null, // what api/v1/status says
  said: "Starting …", // the line that says what is happening
  fault: "", // why there is nothing to show
  refused: "", // what was not taken, until something else is asked: no answer that comes meanwhile wipes it
  found: null, // { products, busy, done, answer, total }
  skipped: "", // why some of several photos were not taken
  facts: null, // of the product whose page is open
  writing: { token: "" },
};

const drawing = new Set();

export function drawnBy(draw) {
  drawing.add(draw);
}

export function change(patch) {
  Object.assign(state, patch);
  for (const draw of drawing) draw(state);
}

// What goes together, and what does not: the site refuses words by another distance than cosine, or through an index.
export function settled(before, patch) {
  const next = { ...before, ...patch };
  if (patch.photo) Object.assign(next, { like: "", product: "", view: "", box: patch.box ?? null });
  if (patch.like) Object.assign(next, { photo: "", product: "", view: "" });
  if (patch.words) Object.assign(next, { product: "", view: "" });
  if (patch.product) Object.assign(next, { ...BLANK, encoder: next.encoder, product: patch.product });
  if (patch.view) Object.assign(next, { ...BLANK, encoder: next.encoder, view: patch.view });
  if (!next.photo || (patch.photo && !next.among.includes(next.photo))) next.among = ""; // the photos that it was chosen with
  if (!next.photo) next.box = null;
  if (next.words) next.distance = "cosine";
  if (next.words || next.distance !== "cosine") next.index = "exact";
  if (kind(next) === "shop") next.farthest = null; // of nothing: it would cut the next search unseen
  const scale = (ask) => `${ask.encoder} ${ask.distance} ${Boolean(ask.words)}`;
  const question = (ask) => ask.among || ask.photo || ask.like || ask.words; // photos that were chosen together are one
  const other = scale(next) !== scale(before) || question(next) !== question(before);
  if (other && patch.farthest === undefined) next.farthest = null; // it was chosen for what was asked before
  return next;
}

// What the page shows: a product, what was kept, an answer, or the shop.
export function kind(ask) {
  if (ask.product) return "product";
  if (ask.view) return ask.view;
  return ask.photo || ask.like || ask.words ? "answer" : "shop";
}
