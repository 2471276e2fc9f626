// A part of the photo, chosen in a window of its own: a box with handles, arrow keys, or numbers.
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { call } from "./calls.js";
import { photoAt, photoBlob } from "./photo.js";
import { ask, sentence } from "./search.js";
import { shown } from "./study.js";

const HANDLES = ["n", "e", "s", "w", "ne", "nw", "se", "sw"];
const SIDES = ["x", "y", "width", "height"];

// The frame over the picture, made once: it is put where the function says that this gives; `moved(box)` is told where it is, in the photo's pixels.
async function framed(image, place, moved) {
  await Promise.all([import("./vendor/cropper.js"), image.decode()]);
  const scale = image.naturalWidth / image.clientWidth;
  const canvas = document.createElement("cropper-canvas");
  const selection = Object.assign(document.createElement("cropper-selection"), { movable: true, resizable: true, keyboard: true, outlined: true });
  for (const action of ["move", ...HANDLES.map((side) => `${side}-resize`)]) {
    const handle = Object.assign(document.createElement("cropper-handle"), { action });
    if (action === "move") handle.themeColor = "transparent";
    selection.append(handle);
  }
  canvas.append(document.createElement("cropper-shade"), Object.assign(document.createElement("cropper-handle"), { action: "select", plain: true }), selection);
  selection.addEventListener("change", (event) => {
    const { x, y, width, height } = event.detail;
    if (x < -0.5 || y < -0.5 || x + width > image.clientWidth + 0.5 || y + height > image.clientHeight + 0.5) event.preventDefault();
    else moved([x, y, width, height].map((side) => Math.round(side * scale)));
  });
  place.append(canvas);
  const put = ([x, y, width, height]) => selection.$change(x / scale, y / scale, width / scale, height / scale);
  await customElements.whenDefined("cropper-selection");
  return put;
}

export function Crop({ mark, box, close }) {
  const dialog = useRef(null), image = useRef(null), place = useRef(null), put = useRef(null);
  const [now, setNow] = useState(box || []), [half, setHalf] = useState({}), [said, setSaid] = useState("");
  const early = useRef({}), touched = useRef(0); // numbers that were typed before there was a frame; how often one chose by hand
  const touch = () => { touched.current += 1; };
  useEffect(() => {
    dialog.current.showModal();
    framed(image.current, place.current, setNow).then((found) => requestAnimationFrame(() => {
      if (!image.current) return; // the window was closed meanwhile
      const { naturalWidth: wide, naturalHeight: high } = image.current;
      put.current = found;
      found(within((box || [0.1 * wide, 0.1 * high, 0.8 * wide, 0.8 * high]).map((side, number) => early.current[number] ?? side)));
    }), () => setSaid("The photo cannot be shown here; type the numbers."));
  }, []);
  const within = (next) => {
    const { naturalWidth: wide, naturalHeight: high } = image.current;
    const [x, y] = [Math.min(Math.max(next[0] || 0, 0), wide - 1), Math.min(Math.max(next[1] || 0, 0), high - 1)].map(Math.round);
    return [x, y, Math.min(Math.max(next[2] || 1, 1), wide - x), Math.min(Math.max(next[3] || 1, 1), high - y)].map(Math.round);
  };
  const typed = (side, value) => {
    touch();
    setHalf(({ [side]: done, ...others }) => others);
    const next = SIDES.map((_, place) => (place === side ? Number(value) : now[place]));
    if (!put.current) {
      early.current[side] = next[side];
      return setNow(next);
    }
    const clipped = within(next);
    setNow(clipped);
    put.current(clipped);
  };
  const find = async () => {
    const before = touched.current;
    try {
      const { box: found } = await shown(call, "box", new URLSearchParams(), { photo: await photoBlob(mark), mark });
      if (!found) return setSaid("Nothing stands out from the photo's border.");
      if (before !== touched.current) return setSaid("A product was found. The part that you chose meanwhile stays.");
      setSaid("");
      setNow(found);
      if (put.current) put.current(found);
      else early.current = { ...found };
    } catch (error) { setSaid(sentence(error.message)); }
  };
  const done = (chosen) => { close(); if (String(chosen) !== String(box)) ask({ box: chosen }); };
  return html`<dialog class="crop" ref=${dialog} aria-labelledby="crop-heading" onClose=${close}><article>
    <h2 id="crop-heading">Search with a part of the photo</h2>
    <p>Draw a box, or move it: by its handles, or with the arrow keys, + and −.</p>
    <div class="frame" ref=${place} onPointerDown=${touch} onKeyDown=${touch}><img id="crop-photo" ref=${image} src=${photoAt(mark)} alt="your photo"/></div>
    <div class="fields four">${SIDES.map((side, number) => html`<label>${side} <input id=${`crop-${side}`} type="number" min="0" inputmode="numeric" value=${half[number] ?? now[number] ?? ""} onInput=${(event) => setHalf((others) => ({ ...others, [number]: event.target.value }))} onChange=${(event) => typed(number, event.target.value)}/></label>`)}</div>
    <p role="status">${said}</p>
    <p class="buttons"><button type="button" id="use" disabled=${!SIDES.every((_, number) => Number.isFinite(now[number]))} onClick=${() => done(now)}>Use this part</button>
      <button type="button" class="outline" id="find" onClick=${find}>Find the product</button>
      <button type="button" class="outline" id="whole" onClick=${() => done(null)}>Whole photo</button>
      <button type="button" class="outline secondary" onClick=${close}>Cancel</button></p>
  </article></dialog>`;
}
