// A product's page: its picture large, what is known of it, and what is like it.
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { picture } from "./calls.js";
import { Export } from "./export.js";
import { address, Heart, named } from "./grid.js";
import { TakeAway } from "./owner.js";
import { led } from "./search.js";
import { change, state } from "./state.js";

const CALLED = { articleType: "Type", subCategory: "Group", masterCategory: "Category", gender: "For", baseColour: "Colour", season: "Season", usage: "Use", year: "Year" };

// The page's address, copied; where the browser lets no page copy (over http:, say) it is shown, selected.
function Link() {
  const [shown, setShown] = useState(false), field = useRef(null);
  useEffect(() => { if (shown) field.current.select(); }, [shown]);
  const instead = () => {
    setShown(true);
    field.current?.select();
    change({ said: "The browser lets no page copy here. The link is selected: copy it yourself." });
  };
  const copy = async () => {
    if (!navigator.clipboard) return instead();
    await navigator.clipboard.writeText(location.href).then(() => change({ said: "The link was copied." }), instead);
  };
  return html`<button type="button" class="outline" onClick=${copy}>Copy the link</button>
    ${shown && html`<input id="link" readonly aria-label="Link to this product" ref=${field} value=${location.href}/>`}`;
}

export function Product({ facts, found }) {
  const zoom = useRef(null);
  if (!facts) return html`<section class="product"><span class="picture waiting"></span><div><h1 id="heading" tabindex="-1">${state.fault ? "No such product" : "One moment …"}</h1></div></section>`;
  return html`<section class="product" data-id=${facts.id}>
    <button type="button" class="picture zoom" aria-label=${`Zoom: ${named(facts)}`} onClick=${() => zoom.current.showModal()}>
      <img src=${picture(facts.id)} alt=${named(facts)} width="480" height="640"/></button>
    <div>
      <h1 id="heading" tabindex="-1">${named(facts)}</h1>
      <dl>${Object.entries(CALLED).filter(([name]) => facts[name]).map(([name, called]) => html`<dt>${called}</dt><dd>${facts[name]}</dd>`)}<dt>Number</dt><dd>${facts.id}</dd></dl>
      <p class="buttons"><a role="button" href=${address({ like: facts.id })} onClick=${led({ like: facts.id })}>More like this</a>
        <${Heart} product=${facts}/>
        <${Link} key=${facts.id}/>
        <${TakeAway} product=${facts}/></p>
    </div>
    <dialog class="large" ref=${zoom} aria-label=${named(facts)} onClick=${() => zoom.current.close()}>
      <img src=${picture(facts.id)} alt=${named(facts)}/><button type="button" class="close" aria-label="Close">×</button></dialog>
  </section>
  <div class="headed"><h2>Similar products</h2><${Export} found=${found}/></div>`;
}

