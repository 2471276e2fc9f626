// Products as a grid: each a link to its page, a heart and a way on; and the grey places before they are there.
import { html, useEffect, useRef } from "./vendor/preact.js";
import { picture } from "./calls.js";
import { written } from "./address.js";
import { favour, isFavourite } from "./memory.js";
import { led, more, PAGE } from "./search.js";
import { change, settled, state } from "./state.js";

const SELF_LOADED = 120; // products that come by scrolling; further ones by a button, so that the page has an end

export const named = (product) => product.productDisplayName || product.id;
export const address = (patch) => written(settled(state.ask, patch));

export function Heart({ product }) {
  const kept = isFavourite(product.id);
  const turn = () => change({ said: favour(product) ? `${named(product)} was kept in this browser.` : `${named(product)} is no favourite any more.` });
  return html`<button type="button" class="heart" aria-pressed=${String(kept)} aria-label=${`Favourite: ${named(product)}`} onClick=${turn}>
    <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 20.5 4.3 12.9a5 5 0 0 1 7-7.1l.7.7.7-.7a5 5 0 0 1 7 7.1z"/></svg></button>`;
}

function Card({ product }) {
  const about = [product.articleType, product.baseColour].filter(Boolean).join(" · ");
  return html`<li class="card" data-id=${product.id}>
    <a href=${address({ product: product.id })} onClick=${led({ product: product.id })}>
      <span class="picture"><img src=${picture(product.id)} alt="" loading="lazy" decoding="async" width="240" height="320"/></span>
      <span class="name">${named(product)}</span>
      <span class="about">${about || " "}</span>
      ${product.distance === undefined ? "" : html`<span class="far about">distance ${product.distance.toFixed(3)}</span>`}
    </a>
    <${Heart} product=${product}/>
    <a class="like" href=${address({ like: product.id })} onClick=${led({ like: product.id })} aria-label=${`More like this: ${named(product)}`}>More like this</a>
  </li>`;
}

const Waiting = () => html`<li class="card waiting" aria-hidden="true"><span class="picture"></span><span class="name"> </span><span class="about"> </span></li>`;

export function Grid({ found }) {
  const end = useRef(null);
  useEffect(() => {
    let near = false;
    const load = () => {
      const footer = document.activeElement?.closest("footer"); // who is down there is not pushed away by what comes above
      const below = footer && footer.getBoundingClientRect().top < innerHeight; // and who has scrolled away from it is not down there
      if (near && !below && state.found?.products.length && state.found.products.length < SELF_LOADED) more();
    };
    const seen = new IntersectionObserver(([one]) => { near = one.isIntersecting; load(); }, { rootMargin: "600px" });
    seen.observe(end.current);
    addEventListener("scrollend", load);
    return () => { seen.disconnect(); removeEventListener("scrollend", load); };
  }, [found.products.length]);
  const waiting = found.busy ? Array(found.products.length ? 6 : PAGE / 2).fill(0) : [];
  return html`<ol class="grid" id="grid" aria-busy=${String(found.busy)}>
      ${found.products.map((product) => html`<${Card} key=${product.id} product=${product}/>`)}
      ${waiting.map((_, place) => html`<${Waiting} key=${`waiting ${place}`}/>`)}
    </ol>
    <p class="end" ref=${end}>${found.products.length > 0 && !found.done && html`<button type="button" id="more" class="outline" disabled=${found.busy} onClick=${more}>Show more</button>`}</p>`;
}
