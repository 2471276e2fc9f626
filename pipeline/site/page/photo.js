// A photo: taken from the chooser, a drop, the clipboard or the camera; made smaller; sent once; then known by its hash.
import { request } from "./address.js";
import { call } from "./calls.js";
import { change, state } from "./state.js";
import { ask, sentence } from "./search.js";

const SHORT = 1280; // pixels: a photo whose shorter side has fewer is sent as it is, byte for byte
const ENOUGH = 1024; // pixels of the shorter side of one that is made smaller
const MOST = 20; // photos at once, as the API takes them
const HELD = MOST; // photos that this page still has

const MOST_BYTES = 40_000_000; // of photos in one form

const blobs = new Map(); // by hash: { blob, url, note, name }

export const photoAt = (mark) => blobs.get(mark)?.url || `api/v1/photos/${encodeURIComponent(mark)}`;
export const noteOf = (mark) => blobs.get(mark)?.note || "";

export async function photoBlob(mark) {
  if (!blobs.has(mark)) {
    const answer = await fetch(photoAt(mark));
    if (answer.ok) hold(mark, await answer.blob(), "");
  }
  return blobs.get(mark)?.blob ?? null;
}

function hold(mark, blob, note, name = mark.slice(0, 8)) {
  if (blobs.has(mark)) return;
  blobs.set(mark, { blob, url: URL.createObjectURL(blob), note, name });
  if (blobs.size <= HELD) return;
  const [oldest, { url }] = blobs.entries().next().value;
  URL.revokeObjectURL(url);
  blobs.delete(oldest);
}

let turn = 0; // of who chose last: what was chosen before is let go

export const take = (file) => takeAll(file ? [file] : []);

// Takes photos and searches with the first; the others stand beside it. Words and filters stay.
export async function takeAll(files) {
  if (!files.length) return;
  const mine = (turn += 1), marks = [], wrong = [];
  for (const [place, file] of files.slice(0, MOST).entries()) {
    try {
      if (!/^image\//.test(file.type)) throw new Error(`${file.type || "This file"} is no picture. JPEG, PNG and WebP are searched.`);
      const { blob, note } = await smaller(file);
      if (mine !== turn) return;
      change({ said: files.length > 1 ? `Sending photo ${place + 1} of ${files.length} …` : "Sending the photo …" });
      const { photo } = await sent(blob);
      if (mine !== turn) return;
      hold(photo, blob, note, file.name || `photo ${place + 1}`);
      if (!marks.includes(photo)) marks.push(photo);
    } catch (error) {
      if (mine !== turn) return;
      wrong.push(files.length > 1 ? `${file.name || `photo ${place + 1}`}: ${error.message}` : error.message);
    }
  }
  if (files.length > MOST) wrong.push(`${files.length} photos were chosen, and ${MOST} are taken at once`);
  if (!marks.length) return refuse(sentence(wrong.join("; ")));
  ask({ photo: marks[0], among: marks.length > 1 ? marks.join(".") : "", product: "", view: "" });
  change({ skipped: wrong.join("; ") });
}

// The nearest products of several photos, as the API writes them in a table; whole photos, whatever part was chosen.
export async function table(asked) {
  const given = new URLSearchParams(request(asked, 0, 12).split("?")[1]);
  for (const name of ["photo", "like", "box", "offset"]) given.delete(name);
  given.set("table", "csv");
  const parts = [];
  let form = new FormData(), bytes = 0;
  const send = async () => parts.push(await call(`api/v1/batch?${given}`, { method: "POST", body: form }, (answer) => answer.text()));
  for (const [place, mark] of asked.among.split(".").entries()) {
    const blob = await photoBlob(mark);
    if (!blob) throw new Error(`photo ${place + 1} is no longer known here. Choose it once more`);
    if (bytes && bytes + blob.size > MOST_BYTES) {
      await send();
      [form, bytes] = [new FormData(), 0];
    }
    form.append("photo", blob, blobs.get(mark).name);
    bytes += blob.size;
  }
  await send();
  return new Blob([parts[0], ...parts.slice(1).map((text) => text.slice(text.indexOf("\n") + 1))], { type: "text/csv" });
}

const sent = (blob) => call("api/v1/photos", { method: "POST", body: blob });

function refuse(message) {
  change({ refused: message, said: message });
}

// A large photo with fewer pixels, and what there is to say of it: the networks look at 224.
async function smaller(file) {
  const image = await createImageBitmap(file).catch(() => null); // what the browser cannot read, the site judges
  if (!image || Math.min(image.width, image.height) < SHORT) return { blob: file, note: "" };
  const whole = `${image.width} × ${image.height}`;
  change({ said: `Making the photo smaller (${whole} pixels) …` });
  const share = ENOUGH / Math.min(image.width, image.height);
  const [width, height] = [image.width, image.height].map((side) => Math.round(side * share));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const paint = canvas.getContext("2d");
  paint.imageSmoothingQuality = "high";
  paint.fillStyle = "#fff"; // what is transparent is white, as the study has it
  paint.fillRect(0, 0, width, height);
  paint.drawImage(image, 0, 0, width, height);
  image.close();
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
  const note = `Made smaller in this browser before it was sent: ${width} × ${height} pixels of ${whole}. Distances differ a little from the whole photo's.`;
  return { blob, note };
}

// A question with a photo: where the site has forgotten it and this page has it still, it is sent once more. A site that was
// started anew calls it by another mark: `renamed(mark)` takes that over and gives the question that is asked then.
export async function again(asked, question, renamed) {
  try {
    return await question(asked);
  } catch (error) {
    const there = blobs.get(asked.photo);
    if (error.status !== 404 || !there) throw error;
    const { photo } = await sent(there.blob);
    hold(photo, there.blob, there.note, there.name);
    return question(photo === asked.photo ? asked : renamed(photo));
  }
}

// Drops and pastes, anywhere on the page: what is no file is told, and the browser stays here.
export function listen() {
  const dropped = (transfer) => {
    const files = [...(transfer?.files || [])];
    if (files.length) return takeAll(files);
    if (transfer?.types.some((type) => /^text\/(uri-list|html)$/.test(type))) refuse("That is a link to a picture, and this site fetches nothing from others. Save the picture first, then drop the file.");
    else if (transfer?.types.length) refuse("That is no picture. JPEG, PNG and WebP are searched.");
  };
  addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("over"); });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    dropped(event.dataTransfer);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) { event.preventDefault(); dropped(event.clipboardData); }
    else if (!event.target.closest?.("input") && event.clipboardData?.types.length) {
      refuse("What you pasted is no picture. Copy the picture itself, or type the words into the field.");
    }
  });
}
