// The answer that is shown, as a file: CSV for a spreadsheet, JSON with the names that the API gives.
import { html } from "./vendor/preact.js";
import { change } from "./state.js";
import { save, table } from "./study.js";

export function Export({ found }) {
  if (!found?.answer || !found.products.length) return null;
  const { products } = found;
  const { results, milliseconds, ...said } = found.answer; // which are of the last page alone
  const kinds = {
    csv: ["text/csv", () => table(products, Object.keys(products[0]))],
    json: ["application/json", () => JSON.stringify({ asked: location.search, ...said, results: products }, null, 1)],
  };
  const saving = (kind) => () => {
    const [type, text] = kinds[kind];
    save(`answer.${kind}`, new Blob([text()], { type }));
    change({ said: products.length === 1 ? "One product is saved." : `${products.length} products are saved.` });
  };
  return html`<p class="export">${Object.keys(kinds).map((kind) => html`<button type="button" id=${`save-${kind}`} class="outline secondary" aria-label=${`Save this answer as ${kind.toUpperCase()}`} onClick=${saving(kind)}>${kind.toUpperCase()}</button>`)}</p>`;
}
