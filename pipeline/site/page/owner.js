// For whoever runs the site: adding the photo as a product, taking products away, and putting them back.
import { html, useEffect, useState } from "./vendor/preact.js";
import { call, write } from "./calls.js";
import { named } from "./grid.js";
import { photoBlob } from "./photo.js";
import { renew, sentence } from "./search.js";
import { change, state } from "./state.js";

const SAID = { productDisplayName: "Name", articleType: "Type", gender: "For", baseColour: "Colour" };

// A change, and then everything anew; what the site refuses is said.
async function changed(work, said) {
  try {
    await work();
    change({ site: await call("api/v1/status") });
    await renew();
    change({ said });
    return true;
  } catch (error) {
    change({ said: sentence(error.message) });
    return false;
  }
}

export function TakeAway({ product }) {
  if (!state.site?.writable) return null;
  const then = product.added ? "It was added here, so it is deleted for good." : "It can be put back under “For whoever runs this site”.";
  const away = () => {
    if (!confirm(`Take “${named(product)}” away, for everyone? ${then}`)) return;
    changed(() => write(`api/v1/products/${encodeURIComponent(product.id)}`, { method: "DELETE" }), `${named(product)} was taken away.`);
  };
  return html`<button type="button" class="outline away" onClick=${away}>Take away</button>`;
}

function Add() {
  const add = async (event) => {
    event.preventDefault();
    const form = event.target, { id, ...facts } = Object.fromEntries(new FormData(form));
    const body = await photoBlob(state.ask.photo);
    const said = new URLSearchParams(Object.entries(facts).filter(([, value]) => value.trim()));
    if (await changed(() => write(`api/v1/products/${encodeURIComponent(id.trim())}?${said}`, { method: "PUT", body }), `${id.trim()} was added.`)) form.reset();
  };
  if (!state.ask.photo) return html`<p>To add a product, search with its photo first.</p>`;
  return html`<form id="add" class="fields" onSubmit=${add}>
    <label>Number <input name="id" required maxlength="64" title="letters, digits, _ and -" pattern="[A-Za-z0-9_\\-]{1,64}" autocomplete="off"/></label>
    ${Object.entries(SAID).map(([name, called]) => html`<label>${called} <input name=${name} maxlength="200" list=${`known-${name}`} autocomplete="off"/>
      <datalist id=${`known-${name}`}>${(state.site.filters[name] || []).map((value) => html`<option value=${value}/>`)}</datalist></label>`)}
    <button>Add the photo as a product</button></form>`;
}

function Hidden() {
  const [hidden, setHidden] = useState(null);
  const look = () => write("api/v1/hidden", {}).then((answer) => setHidden(answer.products), (error) => change({ said: sentence(error.message) }));
  useEffect(() => { if (!state.site.token || state.writing.token) look(); }, [state.site]);
  const back = async (one) => {
    if (await changed(() => write(`api/v1/products/${encodeURIComponent(one.id)}/restore`, { method: "POST" }), `${named(one)} was put back.`)) look();
  };
  return html`<section id="hidden"><h3>Taken away</h3>
    <p>${hidden === null ? "" : hidden.length ? `${hidden.length} of the catalogue's products:` : "Nothing of the catalogue is."} <button type="button" class="outline" onClick=${look}>Look again</button></p>
    <ul>${(hidden || []).map((one) => html`<li data-id=${one.id}>${named(one)} <button type="button" class="outline" aria-label=${`Put it back: ${named(one)}`} onClick=${() => back(one)}>Put it back</button></li>`)}</ul></section>`;
}

export function Owner() {
  const [open, setOpen] = useState(false);
  if (!state.site?.writable) return null;
  return html`<details id="owner" onToggle=${(event) => setOpen(event.target.open)}><summary>For whoever runs this site</summary>
    ${open && html`${state.site.token && html`<label>Token of this site <input id="token" type="password" autocomplete="off" value=${state.writing.token} onInput=${(event) => { state.writing.token = event.target.value; }}/></label>`}
      <${Add}/><${Hidden}/>`}</details>`;
}
