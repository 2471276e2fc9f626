// For the study, folded away: encoder, distance, index and limits, and the panel of study.js, which hangs here.
//
// The panel is made once by `study(place, { call, like, cut })`; it is told `opened(status)` once, and after each answer
// `searched({ photo, mark, box, like, encoder, distance, narrowed, status })`: `photo` is a Blob, `mark` its hash at the site. It draws in `place`, which nobody else touches.
import { html, useEffect, useRef } from "./vendor/preact.js";
import { call } from "./calls.js";
import { photoBlob } from "./photo.js";
import { ask } from "./search.js";
import { state } from "./state.js";
import { study } from "./study.js";

function Panel({ site, found }) {
  const place = useRef(null), panel = useRef(null);
  useEffect(() => {
    panel.current = study(place.current, { call, like: (id) => ask({ like: id }), cut: (farthest, encoder, distance) => ask({ farthest, encoder, distance, words: "" }) });
    panel.current.opened(site);
  }, []);
  const { answer } = found || {};
  useEffect(() => {
    if (!answer) return;
    const { photo, box, like, product, words, filters, farthest, index } = state.ask;
    const narrowed = Boolean(words) || Object.values(filters).some(Boolean) || farthest !== null || index !== "exact";
    const blob = photo ? photoBlob(photo) : Promise.resolve(null);
    blob.then((there) => { if (state.found?.answer === answer) panel.current.searched({ photo: there, mark: photo || null, box, like: like || product || null, encoder: answer.encoder, distance: answer.distance, narrowed, status: site }); });
  }, [answer]);
  return html`<div id="study" ref=${place}></div>`;
}

// A link to the panel, which stands below all products: it opens it, from wherever on the page.
export function linked() {
  addEventListener("click", (event) => {
    const there = event.target.closest?.('a[href="#settings"]') && document.querySelector("#settings");
    if (!there) return;
    event.preventDefault();
    there.open = true;
    there.scrollIntoView();
    there.querySelector("summary").focus({ preventScroll: true });
  });
}

const choice = (id, label, value, names, disabled, say) => html`<label>${label} <select id=${id} disabled=${disabled} onChange=${(event) => say(event.target.value)}>
  ${names.map((name) => html`<option value=${name} selected=${name === value}>${name}</option>`)}</select></label>`;

export function Settings({ asked, site, found }) {
  const { answer } = found || {};
  const top = Math.max(2 * (answer?.threshold || 0), ...(found?.products || []).slice(-1).map((one) => one.distance || 0), asked.farthest || 0, 1e-6);
  const mixed = asked.words && (asked.photo || asked.like);
  const folded = (event) => document.body.classList.toggle("studying", event.target.open);
  return html`<details id="settings" onToggle=${folded}><summary>For the study</summary>
    <div class="fields">
      ${choice("encoder", "Encoder", asked.encoder || site.encoders[0], site.encoders, false, (encoder) => ask({ encoder: encoder === site.encoders[0] ? "" : encoder }))}
      ${choice("distance", "Distance", asked.distance, asked.words ? ["cosine"] : site.distances, Boolean(asked.words), (distance) => ask({ distance }))}
      ${choice("index", "Index", asked.index, asked.words || asked.distance !== "cosine" ? ["exact"] : site.indexes, Boolean(asked.words) || asked.distance !== "cosine", (index) => ask({ index }))}
      ${mixed && html`<label>Picture ${Math.round(100 * asked.weight)} %, words the rest <input id="weight" type="range" min="0" max="1" step="0.05" value=${asked.weight} onChange=${(event) => ask({ weight: Number(event.target.value) }, { replace: true })}/></label>`}
      ${answer && html`<label>In this search nothing farther than <output id="far">${asked.farthest === null ? "any distance" : asked.farthest.toPrecision(3)}</output>
        <input id="farthest" type="range" min="0" max=${top} step=${top / 200} value=${asked.farthest ?? top} onChange=${(event) => ask({ farthest: Number(event.target.value) >= top ? null : Number(event.target.value) }, { replace: true })}/></label>`}
    </div>
    ${!asked.words && asked.distance === "cosine" && site.indexes.length > 1 && html`<p id="among"><small>Every index but exact gives the catalogue's 1,000 nearest, and filters choose among these; over a database it goes on until enough pass, 1,000 at most, or 20,000 were looked at.</small></p>`}
    ${asked.words && html`<p><small>Words are compared by cosine, exactly.</small></p>`}
    ${answer && html`<p id="took"><small>${answer.encoder}, ${answer.distance}, ${answer.index}: ${Math.round(answer.milliseconds.encode + answer.milliseconds.search)} ms at the site. ${answer.articleType.predicted ? `${answer.articleType.votes} of the ${answer.articleType.of} nearest products are ${answer.articleType.predicted}.` : ""}</small></p>`}
    <${Panel} site=${site} found=${found}/>
    <p><small>${site.comparability}</small></p>
    <p><a href="api">For programs: the API</a></p></details>`;
}
