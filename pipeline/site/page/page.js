// The page: drawn anew from one state whenever that changes.
import { html, render, useEffect, useState } from "./vendor/preact.js";
import { call } from "./calls.js";
import { Asked, Filters, Form } from "./asked.js";
import { Export } from "./export.js";
import { Grid, named } from "./grid.js";
import { Kept } from "./kept.js";
import { Owner } from "./owner.js";
import { listen, take } from "./photo.js";
import { Product } from "./product.js";
import { follow, led } from "./search.js";
import { linked, Settings } from "./settings.js";
import { BLANK, change, drawnBy, kind, state } from "./state.js";

function Examples() {
  const [names, setNames] = useState(null);
  useEffect(() => { call("api/v1/examples").then((answer) => setNames(answer.examples), () => setNames([])); }, []);
  const at = (name) => `api/v1/examples/${encodeURIComponent(name)}`;
  const searched = async (name) => take(await (await fetch(at(name))).blob());
  if (names?.length === 0) return null;
  return html`<p class="try">Or try one of these</p><ul class="examples">${(names || Array(8).fill(null)).map((name, place) => html`<li>${name !== null && html`<button type="button" aria-label=${`Search with example photo ${place + 1}`} onClick=${() => searched(name)}><img src=${at(name)} alt="" width="96" height="128"/></button>`}</li>`)}</ul>`;
}

const Welcome = () => html`<section class="welcome"><div><h1 id="heading" tabindex="-1">Seen something you like?</h1>
  <p>Show a photo of it, and find what comes nearest.</p>
  <p class="buttons"><button type="button" class="big" id="drop" onClick=${() => document.querySelector("#file").click()}>Choose a photo</button> <span class="hint">or drop one here, or paste it</span></p></div>
  <div><${Examples}/></div></section>`;

function heading(asked) {
  const with_ = asked.photo ? (asked.box ? "the part of your photo" : "your photo") : asked.like ? "this product" : "";
  if (with_ && asked.words) return `Like ${with_}, and “${asked.words}”`;
  return with_ ? `Like ${with_}` : `“${asked.words}”`;
}

function Answer({ asked, found, fault, site }) {
  const what = kind(asked);
  return html`${what === "shop" ? html`<${Welcome}/>` : html`<${Asked} asked=${asked}/>`}
    <section id="answer" aria-label="Products">
      ${what === "answer" ? html`<div class="headed"><h1 id="heading" tabindex="-1">${heading(asked)}</h1><${Export} found=${found}/></div>` : html`<h2>The shop</h2>`}
      <${Filters} asked=${asked} site=${site}/>
      ${fault && html`<${Fault} fault=${fault} asked=${asked}/>`}
      ${found && html`<${Grid} found=${found}/>`}
    </section>`;
}

function Fault({ fault, asked }) {
  return html`<div id="fault" role="alert"><p>${fault}</p>${kind(asked) !== "shop" && html`<p><a href="." onClick=${led({ ...BLANK, encoder: asked.encoder })}>See all products</a></p>`}</div>`;
}

function Page({ asked, site, found, facts, said, refused, fault: failed }) {
  const fault = [refused, failed].filter(Boolean).join(" ");
  const views = { product: html`<${Product} facts=${facts} found=${found}/>${fault && html`<${Fault} fault=${fault} asked=${asked}/>`}${found && html`<${Grid} found=${found}/>`}`, favourites: html`<${Kept}/>` };
  return html`<header><a class="brand" href="." onClick=${led(BLANK)}>Lookalike</a>
      <${Form} asked=${asked}/><nav aria-label="More"><a href="?view=favourites" onClick=${led({ view: "favourites" })}>Favourites</a> ${site && html`<a href="#settings">For the study</a>`}</nav></header>
    <p id="status" role="status" class=${found?.busy ? "busy" : ""}>${said || " "}</p>
    <main id="main">${site ? views[kind(asked)] || html`<${Answer} asked=${asked} found=${found} fault=${fault} site=${site}/>` : html`<h1>Fashion, found by a photo</h1>${fault && html`<p role="alert">${fault}</p>`}<${Grid} found=${{ products: [], busy: true, done: true }}/>`}</main>
    <footer>${site && html`<${Settings} asked=${asked} site=${site} found=${found}/><${Owner}/><p id="facts"><small>${site.products.toLocaleString("en")} products of ${site.data}.</small></p>`}</footer>`;
}

function draw({ ask: asked, ...shown }) {
  const title = { product: shown.facts && named(shown.facts), favourites: "Favourites", answer: heading(asked) }[kind(asked)];
  document.title = title ? `${title} · Lookalike` : "Lookalike: fashion by a photo";
  render(html`<${Page} asked=${asked} ...${shown}/>`, document.querySelector("#page"));
}

// The site's state: asked again and again until it is ready.
async function start() {
  try {
    const site = await call("api/v1/status");
    if (site.phase === "failed") {
      change({ fault: `The site could not start: ${site.fault}`, said: "" });
      return setTimeout(start, 5000); // who asks again has it tried again
    }
    if (site.phase === "ready") {
      change({ site, fault: "", said: "" });
      return follow();
    }
    change({ said: `Just a moment: ${site.phase} …` });
    setTimeout(start, 500);
  } catch (error) {
    change({ said: error.message });
    setTimeout(start, 2000);
  }
}

document.querySelector("#page").replaceChildren();
drawnBy(draw);
draw(state);
listen();
linked();
history.scrollRestoration = "manual";
addEventListener("popstate", () => state.site && follow());
start();

