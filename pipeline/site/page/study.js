// What a student asks of a search: two encoders side by side, right and wrong, where a likeness lies, the map, thresholds,
// and two rankings compared blind. It hangs in any page:
//
//   const panel = study(element, { call, like, cut });   // once
//   panel.opened(status);                                // what /api/v1/status says, once it is ready
//   panel.searched({ photo, mark, box, like, encoder, distance, narrowed, status });  // after each search; without photo and like: words alone
//
// `call(path, options)` answers as JSON and waits where the site says 503; `like(id)` and `cut(distance, encoder)` are
// done by the page. `narrowed`: the search also has words, filters or another limit, of which the panel knows nothing. Nothing is asked of the site until the panel is unfolded,
// nor where only more of the same answer is shown: `status`, which is another object after a change of the products, says so.

const SHOWN = 12;
const VOTES = "study-votes";
const COLOURS = ["#1b6f8a", "#b5532a", "#5f7a1f", "#7d4aa0", "#8a6d00", "#a83258", "#4b5b6b"];

export function make(name, properties = {}, ...children) {
  const { aria = {}, ...rest } = properties;
  const element = Object.assign(document.createElement(name), rest);
  for (const [key, value] of Object.entries(aria)) element.setAttribute(key === "role" ? key : `aria-${key}`, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function drawn(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

const picture = (id) => `api/v1/products/${encodeURIComponent(id)}/picture`;
const named = (product) => product.productDisplayName || product.id;
const three = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

export function study(place, { call, like, cut }) {
  const state = { status: null, query: null, encoders: [], distance: "cosine", type: "", of: null, map: null, asked: null };
  let turn = 0; // of drawing: what an outdated one was still waiting for is not shown

  const parts = {};
  const part = (key, title, ...content) => {
    parts[key] = make("div", { className: "study-body" });
    return make("section", { className: "study-part" }, make("h2", { textContent: title }), ...content, parts[key]);
  };
  const first = make("select"), second = make("select"), distance = make("select");
  const type = make("input", { type: "search", maxLength: 200, autocomplete: "off" });
  type.setAttribute("list", "study-types");
  const said = make("p", { className: "study-said", aria: { role: "status" } });
  const alone = make("p", { className: "study-picture", hidden: true, textContent: "All of this is of the picture alone, over all products: words, filters, a largest distance and the index do not count here." });
  const typed = make("label", {}, "The photo shows ", type, make("datalist", { id: "study-types" }));
  place.classList.add("study");
  place.replaceChildren(
    make("div", { className: "study-choices" }, make("label", {}, "Encoder ", first), make("label", {}, "beside ", second),
      make("label", {}, "Distance ", distance), typed), said, alone,
    part("judged", "How right are they?"), part("sides", "Side by side"), part("regions", "Where does the likeness lie?"),
    part("map", "The map"), part("curves", "Thresholds"), part("blind", "Blind comparison"));

  const open = () => place.closest("details")?.open ?? true;
  let outdated = true; // what is drawn; folding and unfolding leaves it as it is, a running ballot too
  place.closest("details")?.addEventListener("toggle", () => { if (outdated) draw(); });
  for (const select of [first, second]) select.addEventListener("change", () => {
    state.encoders = [first.value, second.value];
    state.map = null;
    draw();
  });
  distance.addEventListener("change", () => { state.distance = distance.value; draw(); });
  type.addEventListener("change", () => { state.type = type.value.trim(); draw(); });

  function ask(path, given = {}, query = state.query) {
    const asked = new URLSearchParams(Object.entries(given).filter(([, value]) => value !== "" && value !== null));
    if (!query) return call(`api/v1/${path}?${asked}`);
    if (query.like) asked.set("like", query.like);
    if (query.photo && query.box) asked.set("box", query.box.join(","));
    return query.photo ? shown(call, path, asked, query) : call(`api/v1/${path}?${asked}`);
  }

  function opened(status) {
    state.status = status;
    const fill = (select, names) => select.replaceChildren(...names.map((name) => new Option(name)));
    fill(first, status.encoders);
    fill(second, status.encoders);
    fill(distance, status.distances);
    typed.querySelector("datalist").replaceChildren(...status.filters.articleType.map((name) => new Option(name)));
    state.encoders = [status.encoders[0], status.encoders[1] || status.encoders[0]];
    [first.value, second.value] = state.encoders;
    draw();
  }

  function searched({ photo = null, mark = null, box = null, like: id = null, encoder, distance: by, narrowed = false, status = state.status }) {
    alone.hidden = !narrowed || !(photo || id);
    const question = [mark || photo, String(box), id, encoder, by, status];
    if (state.asked && question.every((one, place) => one === state.asked[place])) return; // a running ballot stays
    Object.assign(state, { asked: question, status });
    if (photo !== state.query?.photo || id !== state.query?.like) Object.assign(state, { type: "", of: null });
    type.value = state.type;
    state.query = photo || id ? { photo, mark, box, like: photo ? null : id } : null;
    if (encoder && encoder !== state.encoders[0]) {
      state.encoders = [encoder, state.encoders[1] === encoder ? state.encoders[0] : state.encoders[1]];
      [first.value, second.value] = state.encoders;
      state.map = null;
    }
    if (by) distance.value = state.distance = by;
    draw();
  }

  async function draw() {
    outdated = true;
    if (!state.status || !open()) return;
    outdated = false;
    const mine = ++turn;
    typed.hidden = !state.query?.photo;
    const fresh = () => mine === turn;
    blind();
    if (!state.query) {
      said.textContent = "Search with a photo or like a product: then this shows how each encoder answers.";
      for (const key of ["judged", "sides", "regions"]) parts[key].parentElement.hidden = true;
      await Promise.all([guarded("map", map, fresh, []), guarded("curves", curves, fresh, [])]);
      return;
    }
    said.textContent = "Asking both encoders …";
    try {
      const answers = [];
      for (const encoder of state.encoders) {
        const given = { encoder, distance: state.distance };
        const found = await ask("search", { ...given, count: SHOWN });
        const judged = await ask("study", { ...given, articleType: state.type });
        if (!fresh()) return;
        answers.push({ ...found, study: judged });
      }
      said.textContent = "";
      for (const key of ["judged", "sides", "regions"]) parts[key].parentElement.hidden = false;
      judgement(answers);
      sides(answers);
      await guarded("regions", regions, fresh, answers);
      await guarded("map", map, fresh, answers);
      await guarded("curves", curves, fresh, answers);
    } catch (error) {
      if (fresh()) [said.textContent, state.asked, outdated] = [error.message, null, true]; // the same question may be asked once more
    }
  }

  // a part that fails says so in its own place
  async function guarded(key, work, fresh, answers) {
    try {
      await work(answers, fresh);
    } catch (error) {
      if (fresh()) parts[key].replaceChildren(make("p", { textContent: error.message }));
    }
  }

  function judgement(answers) {
    const kind = answers[0].study.articleType;
    const cuts = Object.keys(answers[0].study.judged?.precision || answers[0].study.measured?.precision || {});
    const row = (head, cells) => make("tr", {}, make("th", { scope: "row", textContent: head }), ...cells.map((cell) => make("td", { textContent: cell })));
    const rows = answers.flatMap(({ encoder, study: { judged, measured } }) => [
      row(`${encoder}, this search`, [three(judged?.AP), ...cuts.map((k) => three(judged?.precision[k]))]),
      row(`${encoder}, ${measured ? `mean of ${measured.queries} test queries` : "not measured"}`,
        [measured ? `${three(measured.mAP)} [${three(measured.low)}, ${three(measured.high)}]` : "–", ...cuts.map((k) => three(measured?.precision[k]))])]);
    const judged = answers[0].study.judged;
    parts.judged.replaceChildren(
      make("p", { textContent: kind
        ? `Right means ${kind}: ${judged.relevant} of ${judged.among} products are. A random ranking would have an AP of ${three(judged.chance)}.`
        : "Say above what the photo shows, and the search is judged." }),
      make("div", { className: "study-scroll", tabIndex: 0, aria: { role: "region", label: "Scores" } }, make("table", {},
        make("thead", {}, make("tr", {}, make("th", { scope: "col", textContent: `by ${state.distance}` }), make("th", { scope: "col", textContent: "AP / mAP [95 %]" }),
          ...cuts.map((k) => make("th", { scope: "col", textContent: `precision@${k}` })))), make("tbody", {}, ...rows))));
  }

  function sides(answers) {
    const ids = answers.map((answer) => new Set(answer.results.map((one) => one.id)));
    const shared = [...ids[0]].filter((id) => ids[1].has(id)).length;
    parts.sides.replaceChildren(
      make("p", { textContent: `${shared} of the first ${answers[0].results.length} are in both. Choose one to see where the likeness lies.` }),
      make("div", { className: "study-two" }, ...answers.map((answer, side) => make("section", {},
        make("h3", { textContent: answer.encoder }),
        make("ol", { className: "study-row" }, ...answer.results.map((one) => tile(one, answer, ids[1 - side])))))));
  }

  function tile(one, answer, others) {
    const kind = answer.study.articleType;
    const right = kind && one.articleType === kind;
    const marks = [others.has(one.id) ? "in both" : "here alone", ...(kind ? [right ? "✓ right" : `✗ ${one.articleType || "no type"}`] : [])];
    const button = make("button", { type: "button", title: named(one) }, make("img", { src: picture(one.id), alt: "", loading: "lazy" }),
      make("span", { className: "study-name", textContent: named(one) }),
      ...marks.map((mark, place) => make("span", { className: place ? (right ? "study-right" : "study-wrong") : "study-mark", textContent: mark })),
      make("span", { textContent: `distance ${one.distance.toFixed(3)}` }));
    button.addEventListener("click", () => {
      state.of = { id: one.id, encoder: answer.encoder };
      guarded("regions", regions, () => true, [answer]).then(() => parts.regions.parentElement.scrollIntoView({ block: "nearest" }));
    });
    return make("li", { className: others.has(one.id) ? "study-shared" : "study-alone" }, button);
  }

  // where the likeness lies

  async function regions(answers, fresh) {
    if (!answers[0]?.results.length) return;
    if (!state.of) state.of = { id: answers[0].results[0].id, encoder: answers[0].encoder };
    const wanted = state.of;
    parts.regions.replaceChildren(make("p", { textContent: `Asking ${wanted.encoder} …` }));
    const found = await ask("regions", { of: wanted.id, encoder: wanted.encoder });
    if (!fresh() || state.of !== wanted) return;
    const asked = state.query.photo || picture(state.query.like);
    const shown = await Promise.all([heat(asked, found.box, found.asked, "what is searched with"), heat(picture(wanted.id), null, found.found, "the product")]);
    if (!fresh() || state.of !== wanted) return;
    const similar = make("button", { type: "button", textContent: "Search with this product" });
    similar.addEventListener("click", () => like(wanted.id));
    parts.regions.replaceChildren(
      make("p", { textContent: `${found.encoder}: cosine similarity ${three(found.similarity)}. ${found.said}` }),
      make("div", { className: "study-heats" }, ...shown), similar);
  }

  async function heat(source, box, side, what) {
    const blob = source instanceof Blob ? source : await (await fetch(source)).blob();
    const image = await createImageBitmap(blob, ...(box || []));
    const scale = Math.min(1, 320 / Math.max(image.width, image.height)) * (Math.max(image.width, image.height) < 160 ? 3 : 1);
    const canvas = make("canvas", { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
    const paint = canvas.getContext("2d");
    paint.filter = "grayscale(1)";
    paint.drawImage(image, 0, 0, canvas.width, canvas.height);
    paint.filter = "none";
    const rows = side.cells.length, columns = side.cells[0].length;
    const most = Math.max(...side.cells.flat().map(Math.abs)) || 1;
    const grid = make("canvas", { width: columns, height: rows });
    const pixels = new ImageData(columns, rows);
    side.cells.flat().forEach((share, cell) => pixels.data.set([...(share > 0 ? [255, 120, 0] : [0, 90, 255]), Math.round(190 * Math.abs(share) / most)], 4 * cell));
    grid.getContext("2d").putImageData(pixels, 0, 0);
    const [x, y, width, height] = side.frame;
    paint.drawImage(grid, x * columns, y * rows, width * columns, height * rows, 0, 0, canvas.width, canvas.height);
    const best = side.cells.flat().indexOf(Math.max(...side.cells.flat()));
    const total = side.cells.flat().reduce((sum, share) => sum + share, 0);
    const words = `${what}: the strongest of ${rows}×${columns} cells is in row ${Math.floor(best / columns) + 1}, column ${best % columns + 1} and adds ${three(side.cells.flat()[best])}; all cells add ${three(total)}, the rest ${three(side.rest)}`;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", words);
    return make("figure", {}, canvas, make("figcaption", { textContent: `${words[0].toUpperCase()}${words.slice(1)}. Orange adds, blue takes away.` }));
  }

  // the map

  async function map(answers, fresh) {
    const encoder = state.encoders[0];
    if (!state.map) state.map = { ...(await call(`api/v1/map?encoder=${encodeURIComponent(encoder)}`)), at: -1 };
    if (!fresh()) return;
    const drawnMap = state.map, kinds = Object.keys(drawnMap.maps);
    drawnMap.kind = kinds.includes(drawnMap.kind) ? drawnMap.kind : kinds[0];
    const groups = [...new Set(drawnMap.products.map((one) => one.masterCategory || "no category"))];
    const points = drawnMap.maps[drawnMap.kind];
    const bounds = [0, 1].map((axis) => [Math.min(...points.map((one) => one[axis])), Math.max(...points.map((one) => one[axis]))]);
    const at = ([x, y]) => [20 + 600 * (x - bounds[0][0]) / (bounds[0][1] - bounds[0][0] || 1), 420 - 400 * (y - bounds[1][0]) / (bounds[1][1] - bounds[1][0] || 1)];
    const svg = drawn("svg", { viewBox: "0 0 640 440", role: "application", tabindex: 0, "aria-label": `${points.length} products by ${drawnMap.kind}: arrow keys walk from one to the next, Enter searches with it` });
    points.forEach((point, place) => {
      const [cx, cy] = at(point);
      svg.append(drawn("circle", { cx, cy, r: 5, fill: COLOURS[groups.indexOf(drawnMap.products[place].masterCategory || "no category") % COLOURS.length], "data-place": place }));
    });
    const near = (answers[0]?.study?.near || []).map((id) => drawnMap.products.findIndex((one) => one.id === id)).filter((place) => place >= 0);
    if (near.length) {
      const own = drawnMap.products[near[0]].id === state.query?.like ? near.slice(0, 1) : near;
      const [cx, cy] = at([0, 1].map((axis) => own.reduce((sum, place) => sum + points[place][axis], 0) / own.length));
      svg.append(drawn("circle", { cx, cy, r: 13, class: "study-query" }));
      drawnMap.own = own.length === 1;
    }
    const ring = drawn("circle", { r: 9, class: "study-here", visibility: "hidden" });
    svg.append(ring);
    const about = make("p", { className: "study-about", aria: { role: "status" } }, near.length
      ? (drawnMap.own ? "The ring is what you searched with." : "The ring lies between the three products of the map that are nearest to what you searched with; the map itself does not know it.") : "Walk through the map: choose a point.");
    const go = (place) => {
      drawnMap.at = place;
      const [cx, cy] = at(points[place]);
      for (const [key, value] of Object.entries({ cx, cy, visibility: "visible" })) ring.setAttribute(key, value);
      const one = drawnMap.products[place];
      const search = make("button", { type: "button", textContent: "Search with it" });
      search.addEventListener("click", () => like(one.id));
      about.replaceChildren(make("img", { src: picture(one.id), alt: "" }), ` ${named(one)} (${one.articleType || "no type"}) `, search);
    };
    svg.addEventListener("click", (event) => { if (event.target.dataset.place) go(Number(event.target.dataset.place)); });
    svg.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (event.key === "Enter" && drawnMap.at >= 0) like(drawnMap.products[drawnMap.at].id);
      if (!way) return;
      event.preventDefault();
      if (drawnMap.at < 0) return go(near[0] ?? 0);
      const [x, y] = at(points[drawnMap.at]);
      const cost = points.map((point, place) => {
        const [u, v] = at(point), along = (u - x) * way[0] + (v - y) * way[1], aside = Math.abs((u - x) * way[1]) + Math.abs((v - y) * way[0]);
        return place === drawnMap.at || along <= 0 ? Infinity : along + 2 * aside;
      });
      const next = cost.indexOf(Math.min(...cost));
      if (cost[next] < Infinity) go(next);
    });
    const choice = make("select");
    choice.replaceChildren(...kinds.map((kind) => new Option({ umap: "UMAP", tsne: "t-SNE" }[kind] || kind, kind)));
    choice.value = drawnMap.kind;
    choice.addEventListener("change", async () => {
      drawnMap.kind = choice.value;
      await map(answers, () => true);
      parts.map.querySelector("select").focus();
    });
    parts.map.replaceChildren(
      make("p", { textContent: `${points.length} test pictures as ${encoder} sees them. Neighbours mean something here; how large a cluster is and how far two lie apart do not.` }),
      make("label", {}, "Drawn by ", choice), svg,
      make("ul", { className: "study-legend" }, ...groups.map((name, place) => {
        const dot = make("span", { className: "study-dot", textContent: "●", aria: { hidden: "true" } });
        dot.style.color = COLOURS[place % COLOURS.length];
        return make("li", {}, dot, ` ${name}`);
      })), about);
  }

  // thresholds

  async function curves(answers, fresh) {
    const shown = [];
    for (const [side, encoder] of [...new Set(state.encoders)].entries()) {
      const curve = await call(`api/v1/curve?${new URLSearchParams({ encoder, distance: state.distance })}`).catch(() => null);
      if (!fresh()) return;
      const head = make("h3", { textContent: encoder });
      if (!curve) { shown.push(make("section", {}, head, make("p", { textContent: "The study has no threshold curve for it by this distance." }))); continue; }
      const within = answers[side]?.results.filter((one) => one.distance <= curve.best).length;
      const use = state.query && make("button", { type: "button", textContent: `Leave out what is farther than ${three(curve.best)}` });
      use?.addEventListener("click", () => cut(curve.best, encoder, state.distance));
      shown.push(make("section", {}, head, line(curve, answers[side]?.results || []),
        make("p", { textContent: `Best F1 on the train part at ${three(curve.best)}.${within === undefined ? "" : ` Of the products above ${within} are nearer.`}` }), use));
    }
    parts.curves.replaceChildren(make("p", { textContent: "Of all pairs nearer than a distance: how many have one article type (precision), and how many of those that have one are found (recall)." }), make("div", { className: "study-two" }, ...shown));
  }

  function line(curve, results) {
    const top = curve.best * 2 || 1;
    const x = (value) => 40 + 480 * Math.min(value / top, 1), y = (value) => 190 - 170 * value;
    const svg = drawn("svg", { viewBox: "0 0 640 225", role: "img", "aria-label": `precision, recall and F1 by distance; best F1 at ${three(curve.best)}` });
    for (const [name, dash] of [["precision", ""], ["recall", "8 4"], ["F1", "2 4"]]) {
      const points = curve.threshold.map((value, place) => [value, curve[name][place]]).filter(([value]) => value <= top);
      svg.append(drawn("polyline", { points: points.map(([a, b]) => `${x(a)},${y(b)}`).join(" "), "stroke-dasharray": dash, class: "study-line" }));
      if (points.length) svg.append(drawn("text", { x: x(points.at(-1)[0]) + 6, y: y(points.at(-1)[1]) + 5 }, name));
    }
    svg.append(drawn("line", { x1: x(curve.best), x2: x(curve.best), y1: 20, y2: 190, class: "study-axis" }), drawn("line", { x1: 40, x2: 520, y1: 190, y2: 190, class: "study-axis" }));
    for (const one of results) svg.append(drawn("line", { x1: x(one.distance), x2: x(one.distance), y1: 190, y2: 202, class: "study-axis" }));
    svg.append(drawn("text", { x: 40, y: 220 }, "0"), drawn("text", { x: 470, y: 220 }, three(top)), drawn("text", { x: 220, y: 220 }, `${state.distance} distance`));
    return svg;
  }

  // two rankings, not knowing whose

  const votes = () => { try { return JSON.parse(localStorage.getItem(VOTES)) || []; } catch { return []; } };

  function blind() {
    const begin = make("button", { type: "button", textContent: "Show two rankings of a product" });
    begin.addEventListener("click", () => guarded("blind", ballot, () => true, []));
    parts.blind.replaceChildren(
      make("p", { textContent: "Which ranking would you rather be shown? The sides are drawn at random, and whose they are is said after the vote." }), begin, ...counted());
  }

  const pairOf = (vote) => [vote.left, vote.right].sort().join(" and ");

  function counted() {
    const kept = votes();
    if (!kept.length) return [];
    const pairs = [...new Set(kept.map(pairOf))].map((pair) => [pair, kept.filter((vote) => pairOf(vote) === pair)]);
    const lines = pairs.map(([pair, some]) => {
      const wins = Object.entries(some.reduce((sum, vote) => ({ ...sum, [vote.preferred || "neither"]: (sum[vote.preferred || "neither"] || 0) + 1 }), {}));
      return make("li", { textContent: `${pair}: ${some.length} ${some.length === 1 ? "vote" : "votes"}; ${wins.map(([name, count]) => `${name} ${count}`).join(", ")}` });
    });
    const clear = make("button", { type: "button", textContent: "Forget the votes" });
    clear.addEventListener("click", () => { localStorage.removeItem(VOTES); blind(); parts.blind.querySelector("button").focus(); });
    return [make("ul", {}, ...lines), make("div", { className: "study-choices" }, saving("votes.json", "application/json", () => JSON.stringify(kept, null, 1)), saving("votes.csv", "text/csv", () => table(kept)), clear)];
  }

  function saving(name, kind, text) {
    const button = make("button", { type: "button", textContent: `Save ${name}` });
    button.addEventListener("click", () => {
      save(name, new Blob([text()], { type: kind }));
    });
    return button;
  }

  async function ballot() {
    const [one, other] = state.encoders;
    if (one === other) throw new Error("Choose two encoders to compare.");
    const all = state.status.products;
    const { products: [product] } = await call(`api/v1/products?count=1&offset=${Math.floor(Math.random() * all)}`);
    const order = Math.random() < 0.5 ? [one, other] : [other, one];
    const query = { photo: null, box: null, like: product.id };
    const found = [];
    for (const encoder of order) found.push(await ask("search", { encoder, distance: state.distance, count: 8 }, query));
    const outcome = make("p", { aria: { role: "status" } });
    const vote = (choice, word) => {
      const button = make("button", { type: "button", textContent: word });
      button.addEventListener("click", () => {
        const preferred = choice === null ? null : order[choice];
        localStorage.setItem(VOTES, JSON.stringify([...votes(), { time: new Date().toISOString(), query: product.id, distance: state.distance, left: order[0], right: order[1], preferred }]));
        blind();
        parts.blind.append(make("p", { aria: { role: "status" }, textContent: `Left was ${order[0]}, right ${order[1]}.` }));
        parts.blind.querySelector("button").focus();
      });
      return button;
    };
    const ranking = (answer, side) => make("section", {}, make("h3", { textContent: side }),
      make("ol", { className: "study-row" }, ...answer.results.map((item) => make("li", {}, make("img", { src: picture(item.id), alt: named(item) })))));
    parts.blind.replaceChildren(
      make("p", { tabIndex: -1 }, "Like this one: ", make("img", { className: "study-asked", src: picture(product.id), alt: named(product) })),
      make("div", { className: "study-two" }, ranking(found[0], "Left"), ranking(found[1], "Right")),
      make("div", { className: "study-choices" }, vote(0, "Left is better"), vote(null, "Neither"), vote(1, "Right is better")), outcome);
    parts.blind.querySelector("p").focus(); // not lost with the button that was pressed
  }

  return { opened, searched };
}

// Rows as CSV: votes, or whatever has these columns.
export function table(rows, names = ["time", "query", "distance", "left", "right", "preferred"]) {
  const cell = (value) => {
    const text = String(value ?? "");
    return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`; // no formula
  };
  return [names.join(","), ...rows.map((row) => names.map((name) => cell(row[name])).join(","))].join("\r\n") + "\r\n";
}

// Has the browser save a file.
export function save(name, blob) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// Asks about a photo: by the hash that the site gave it, if it did and has it still; else the photo is sent.
export async function shown(call, path, asked, { photo, mark }) {
  if (mark) {
    try {
      return await call(`api/v1/${path}?${new URLSearchParams([...asked, ["photo", mark]])}`);
    } catch (error) {
      if (error.status !== 404 || !photo) throw error;
    }
  }
  return call(`api/v1/${path}?${asked}`, { method: "POST", body: photo });
}

// Which of the boxes is searched with; another part, or the whole photo, is none of them.
export function pressed(place, box) {
  for (const one of place.querySelectorAll(".several")) one.setAttribute("aria-pressed", String(one.dataset.box === String(box)));
}

// Several products in one photo: its boxes, each a button. `choose(box)` searches with one.
export async function several(place, photo, { call, choose, mark = null, still = () => true }) {
  const { boxes } = await shown(call, "boxes", new URLSearchParams(), { photo, mark });
  const image = await createImageBitmap(photo);
  if (!still()) return 0;
  for (const old of place.querySelectorAll(".several")) old.remove();
  boxes.forEach(({ box }, number) => {
    const [x, y, width, height] = box;
    const button = make("button", { type: "button", className: "several", title: `Search with product ${number + 1}`, aria: { label: `Search with product ${number + 1} of ${boxes.length}`, pressed: "false" } });
    const sides = { left: x / image.width, top: y / image.height, width: width / image.width, height: height / image.height };
    for (const [name, share] of Object.entries(sides)) button.style[name] = `${100 * share}%`;
    button.dataset.box = box;
    button.addEventListener("click", () => {
      pressed(place, box);
      choose(box);
    });
    button.addEventListener("pointerdown", (event) => event.stopPropagation()); // it is not the start of a drawn box
    place.append(button);
  });
  return boxes.length;
}
