// What this browser keeps: favourites, and the way back to earlier searches.
import { html } from "./vendor/preact.js";
import { Grid } from "./grid.js";
import { clear, favourites, searches } from "./memory.js";
import { change } from "./state.js";

export function Kept() {
  const products = favourites(), before = searches();
  const forget = (name, said) => () => { clear(name); change({ said }); };
  return html`<section><h1 id="heading" tabindex="-1">Favourites</h1>
    ${products.length ? html`<${Grid} found=${{ products, busy: false, done: true }}/><p><button type="button" id="clear-favourites" class="outline" onClick=${forget("favourites", "The favourites were cleared.")}>Clear favourites</button></p>`
      : html`<p>Press the heart of a product to keep it here.</p>`}
    <h2>Searches</h2>
    ${before.length ? html`<ul class="searches">${before.map((one) => html`<li><a href=${one.address}>${one.label}</a> <small>${new Date(one.time).toLocaleString()}</small></li>`)}</ul>
      <p><button type="button" id="clear-searches" class="outline" onClick=${forget("searches", "The searches were cleared.")}>Clear searches</button></p>` : html`<p>None yet.</p>`}
    <p><small>Kept in this browser alone: at most 200 favourites and 30 searches.</small></p></section>`;
}
