// The form: words, a photo, the camera; what is searched with; and what narrows it.
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { call, picture } from "./calls.js";
import { Crop } from "./crop.js";
import { named } from "./grid.js";
import { noteOf, photoAt, photoBlob, table, take, takeAll } from "./photo.js";
import { ask, led, sentence } from "./search.js";
import { change, state } from "./state.js";
import { pressed, save, several } from "./study.js";

export const KINDS = "image/jpeg,image/png,image/webp";
const OFFERED = { gender: "For", articleType: "Type", baseColour: "Colour" }; // filters that stand open; the others beside them, folded

function Camera({ close }) {
  const dialog = useRef(null), video = useRef(null);
  useEffect(() => {
    let stream = null, gone = false;
    dialog.current.showModal();
    const asked = navigator.mediaDevices?.getUserMedia({ video: { facingMode: "environment" } }) || Promise.reject(new DOMException("", "NotSupportedError"));
    asked.then((given) => {
      stream = given;
      if (gone) return stream.getTracks().forEach((track) => track.stop());
      video.current.srcObject = stream;
      return video.current.play();
    }).catch((error) => { if (!gone) { close(); change({ said: `There is no camera to use (${error.name}).` }); } });
    return () => { gone = true; stream?.getTracks().forEach((track) => track.stop()); };
  }, []);
  const shoot = () => {
    const { videoWidth: width, videoHeight: height } = video.current;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.getContext("2d").drawImage(video.current, 0, 0);
    canvas.toBlob(take, "image/jpeg", 0.92);
    close();
  };
  return html`<dialog class="crop" ref=${dialog} aria-label="Camera" onClose=${close}><article><video id="video" ref=${video} muted playsinline></video>
    <p class="buttons"><button type="button" id="shot" onClick=${shoot}>Take the picture</button><button type="button" id="camera-off" class="outline" onClick=${close}>Put the camera off</button></p></article></dialog>`;
}

export function Form({ asked }) {
  const [camera, setCamera] = useState(false), [typed, setTyped] = useState(asked.words);
  useEffect(() => setTyped(asked.words), [asked.words]); // what is typed stays while an answer is drawn
  const submit = (event) => {
    event.preventDefault();
    const words = event.target.elements.text.value.trim();
    if (words !== state.ask.words || !words) ask({ words, ...(words ? { product: "", view: "" } : {}) });
  };
  return html`<search><form id="form" onSubmit=${submit}>
    <input id="text" name="text" type="search" maxlength="200" placeholder="red dress" aria-label="Words" autocomplete="off" enterkeyhint="search" value=${typed} onInput=${(event) => setTyped(event.target.value)}/>
    <button id="go">Search</button>
    <span class="choose"><input id="file" type="file" multiple accept=${KINDS} aria-label="Search with a photo" onChange=${(event) => { takeAll([...event.target.files]); event.target.value = ""; }}/><label for="file" aria-hidden="true">Photo</label></span>
    <button type="button" id="camera" class="outline" onClick=${() => setCamera(true)}>Camera</button>
    ${camera && html`<${Camera} close=${() => setCamera(false)}/>`}
  </form></search>`;
}

// The photo, with a button over each product that may be in it.
function Photo({ asked }) {
  const place = useRef(null);
  const [crop, setCrop] = useState(false), [count, setCount] = useState(0);
  useEffect(() => {
    setCount(0);
    for (const old of place.current.querySelectorAll(".several")) old.remove();
    const mark = asked.photo;
    const still = () => mark === state.ask.photo;
    const asking = (path, options = {}) => call(path, { ...options, quiet: true, still });
    photoBlob(mark).then((blob) => blob && still() && several(place.current, blob, { call: asking, mark, still, choose: (box) => ask({ box }) })).then((found) => {
      if (still()) setCount(found || 0);
    }).catch(() => {});
  }, [asked.photo]);
  useEffect(() => pressed(place.current, asked.box), [asked.photo, String(asked.box), count]);
  const image = useRef(null), [size, setSize] = useState(null);
  const share = size && asked.box && { left: asked.box[0] / size[0], top: asked.box[1] / size[1], width: asked.box[2] / size[0], height: asked.box[3] / size[1] };
  const note = noteOf(asked.photo);
  return html`<section id="asked" class="asked" aria-label="Your photo">
    <div class="shown" ref=${place}><img id="preview" ref=${image} src=${photoAt(asked.photo)} alt="your photo" onLoad=${() => setSize([image.current.naturalWidth, image.current.naturalHeight])}/>
      ${share && html`<div id="box" style=${Object.fromEntries(Object.entries(share).map(([side, part]) => [side, `${100 * part}%`]))}></div>`}</div>
    <div><p>${asked.box ? "Searching with a part of your photo." : count > 1 ? `${count} products may be in it: choose one.` : "Searching with all of your photo."}</p>
    <p class="buttons"><button type="button" id="part" class="outline" onClick=${() => setCrop(true)}>Choose a part</button>
      ${asked.box && html`<button type="button" id="all" class="outline" onClick=${() => ask({ box: null })}>Whole photo</button>`}
      <button type="button" id="clear" class="outline secondary" onClick=${() => ask({ photo: "", farthest: null })}>Remove</button></p>
    ${note && html`<p id="smaller"><small>${note}</small></p>`}
    <p><small>The site keeps it in memory, for an hour after it was last asked for. A link to this page shows it.</small></p></div>
    ${crop && html`<${Crop} mark=${asked.photo} box=${asked.box} close=${() => setCrop(false)}/>`}
  </section>`;
}

// Several photos that were chosen together: each is a button, and all their answers are a table.
function Chosen({ asked }) {
  const marks = asked.among.split(".");
  const saving = async () => {
    change({ said: `Searching with ${marks.length} photos …` });
    try {
      save("answers.csv", await table(asked));
      change({ said: `The nearest products of ${marks.length} photos are saved.` });
    } catch (error) {
      change({ said: sentence(error.message) });
    }
  };
  return html`<section class="chosen" aria-label="Your photos">
    ${marks.map((mark, place) => html`<button type="button" aria-pressed=${String(mark === asked.photo)} aria-label=${`Photo ${place + 1} of ${marks.length}`} onClick=${() => ask({ photo: mark })}><img src=${photoAt(mark)} alt="" width="48" height="64"/></button>`)}
    <button type="button" id="table" class="outline" onClick=${saving}>All answers as CSV</button>
    ${asked.box && html`<small>The table is of whole photos.</small>`}</section>`;
}

function Like({ asked }) {
  const [facts, setFacts] = useState(null);
  useEffect(() => { setFacts(null); call(`api/v1/products/${encodeURIComponent(asked.like)}`).then(setFacts, () => {}); }, [asked.like]);
  return html`<section id="asked" class="asked" aria-label="Searched with"><a class="shown" href=${`?product=${encodeURIComponent(asked.like)}`} onClick=${led({ product: asked.like })}><img src=${picture(asked.like)} alt=${facts ? named(facts) : asked.like} width="120" height="160"/></a>
    <div><p>Like <strong>${facts ? named(facts) : asked.like}</strong></p><p class="buttons"><button type="button" id="clear" class="outline secondary" onClick=${() => ask({ like: "", farthest: null })}>Remove</button></p></div></section>`;
}

export function Asked({ asked }) {
  if (asked.photo) return html`${state.skipped && html`<p id="skipped" role="alert"><small>${sentence(state.skipped)}</small></p>`}${asked.among && html`<${Chosen} asked=${asked}/>`}<${Photo} asked=${asked}/>`;
  return asked.like ? html`<${Like} asked=${asked}/>` : null;
}

export function Filters({ asked, site }) {
  const one = (name, called) => html`<label>${called} <select id=${`filter-${name}`} value=${asked.filters[name] || ""} onChange=${(event) => ask({ filters: { ...asked.filters, [name]: event.target.value } })}>
    <option value="">any</option>${site.filters[name].map((value) => html`<option value=${value} selected=${value === asked.filters[name]}>${value}</option>`)}</select></label>`;
  const others = Object.keys(site.filters).filter((name) => !(name in OFFERED));
  const chosen = Object.values(asked.filters).some(Boolean);
  return html`<div class="filters" role="group" aria-label="Filters">${Object.entries(OFFERED).filter(([name]) => site.filters[name]).map(([name, called]) => one(name, called))}
    <details><summary>More filters</summary><div class="fields">${others.map((name) => one(name, name))}</div></details>
    ${chosen && html`<button type="button" id="no-filters" class="outline secondary" onClick=${() => ask({ filters: {} })}>No filters</button>`}</div>`;
}
