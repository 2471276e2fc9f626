// The page asks the same API that programs ask; it keeps what is chosen, and draws the answers.
"use strict";

const $ = (id) => document.getElementById(id);
const chosen = { photo: null, box: null, like: null, threshold: null };
let asking = null; // the search that is under way; a newer one ends it
let waiting = null; // a search that begins when the last change is a moment old

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function say(message, fault = false) {
  $("message").textContent = message;
  $("message").className = fault ? "empty fault" : "empty";
  $("message").hidden = !message;
}

async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The site does not answer. Is it still running?");
  }
  const reply = await answer.json().catch(() => ({ error: `the site answered ${answer.status}` }));
  if (!answer.ok) throw new Error(reply.error);
  return reply;
}

function options(select, names, first) {
  const kept = select.value;
  select.replaceChildren(...(first === undefined ? [] : [new Option(first, "")]), ...names.map((name) => new Option(name)));
  if (names.includes(kept)) select.value = kept;
  select.disabled = false;
}

// the site's state: asked again and again until it is ready

async function start() {
  let status;
  try {
    status = await call("api/status");
  } catch (error) {
    $("status").textContent = error.message;
    setTimeout(start, 2000);
    return;
  }
  if (status.phase === "failed") {
    $("status").textContent = `The site could not start: ${status.fault}`;
    $("status").className = "fault";
  } else if (status.phase !== "ready") {
    $("status").textContent = `Just a moment: ${status.phase} …`;
    setTimeout(start, 500);
  } else {
    opened(status);
    fromAddress();
  }
}

function opened(status) {
  $("status").textContent = `${status.products.toLocaleString("en")} products of ${status.data}, ${status.encoders.length} encoders`;
  $("facts").textContent = status.comparability;
  options($("encoder"), status.encoders);
  options($("other"), status.encoders, "nothing");
  options($("distance"), status.distances);
  options($("index"), status.indexes);
  $("filters").replaceChildren(...Object.keys(status.filters).map((name) => {
    const select = make("select", { id: `filter-${name}` });
    options(select, status.filters[name], "any");
    select.addEventListener("change", later);
    return make("label", {}, name, select);
  }));
  $("types").replaceChildren(...status.filters.articleType.map((name) => make("option", { value: name })));
  $("genders").replaceChildren(...status.filters.gender.map((name) => make("option", { value: name })));
  $("go").disabled = false;
}

// what is asked

function question(encoder, distance) {
  const asked = new URLSearchParams({ encoder, distance, count: $("count").value || "12" });
  if (distance === $("distance").value) asked.set("index", $("index").value);
  if (chosen.like) asked.set("like", chosen.like);
  if ($("text").value.trim()) {
    asked.set("text", $("text").value.trim());
    asked.set("image_weight", $("weight").value);
  }
  if (chosen.photo && chosen.box) asked.set("box", chosen.box.join(","));
  if (Number($("farthest").value) < Number($("farthest").max)) asked.set("farthest", $("farthest").value);
  for (const select of $("filters").querySelectorAll("select")) {
    if (select.value) asked.append(select.id.replace("filter-", ""), select.value);
  }
  return asked;
}

function ask(encoder, distance, signal) {
  const asked = question(encoder, distance);
  return chosen.photo
    ? call(`api/search?${asked}`, { method: "POST", body: chosen.photo, signal })
    : call(`api/search?${asked}`, { signal });
}

function later() {
  clearTimeout(waiting);
  waiting = setTimeout(search, 150);
}

async function search() {
  clearTimeout(waiting);
  $("mix").hidden = !($("text").value.trim() && (chosen.photo || chosen.like));
  if (!chosen.photo && !chosen.like && !$("text").value.trim()) {
    $("columns").replaceChildren();
    $("why").hidden = true;
    say("Choose a photo, type some words, or do both.");
    return;
  }
  asking?.abort();
  const mine = (asking = new AbortController());
  $("columns").classList.add("busy");
  try {
    const names = [...new Set([$("encoder").value, $("other").value].filter(Boolean))];
    const answers = [];
    for (const name of names) {
      const began = performance.now();
      answers.push(await ask(name, $("distance").value, mine.signal));
      if (mine !== asking) return;
      answers.at(-1).took = performance.now() - began;
      show(answers); // the first need not wait for a second that is being loaded
    }
    $("why").open && why(answers[0]);
  } catch (error) {
    if (error.name === "AbortError" || mine !== asking) return;
    $("columns").replaceChildren();
    $("why").hidden = true;
    say(error.message, true);
  } finally {
    if (mine === asking) $("columns").classList.remove("busy");
  }
}

// what is shown

function show(answers) {
  const empty = answers.every((answer) => !answer.results.length);
  say(empty ? "Nothing is that near. Allow a larger distance, or fewer filters." : "");
  $("columns").replaceChildren(...answers.map((answer) => make("section", {},
    make("h2", { textContent: `${answer.encoder}, ${answer.distance}${answer.index === "exact" ? "" : `, ${answer.index}`}: ${answer.results.length} products in ${Math.round(answer.took)} ms` }),
    make("ol", {}, ...answer.results.map(card)))));
  limit(answers[0]);
  $("why").hidden = empty;
  $("why").answer = answers[0];
}

function card(product) {
  const name = product.productDisplayName || product.id;
  const near = $("distance").value === "cosine"
    ? `similarity ${(1 - product.distance).toFixed(3)}` : `distance ${product.distance.toFixed(2)}`;
  const about = [product.articleType, product.gender, product.baseColour].filter(Boolean).join(" · ");
  const open = make("button", { type: "button", className: "card", title: "Products like this one" },
    make("img", { src: `api/products/${product.id}/picture`, alt: "", loading: "lazy" }),
    make("span", { className: "name", textContent: name }), make("span", { textContent: about }),
    make("span", { textContent: near }));
  open.addEventListener("click", () => like(product.id));
  const away = make("button", { type: "button", className: "away", textContent: "Take away" });
  away.setAttribute("aria-label", `Take ${name} away`);
  away.addEventListener("click", () => takeAway(product.id, name));
  const item = make("li", {}, open, away);
  item.dataset.id = product.id;
  return item;
}

function limit(answer) {
  const farthest = Math.max(1e-6, ...answer.results.map((product) => product.distance));
  const top = Math.max(2 * (answer.threshold || farthest), 1e-6);
  const slider = $("farthest");
  if (slider.dataset.of !== `${answer.encoder} ${answer.distance}`) {
    const any = Number(slider.value) >= Number(slider.max);
    const kept = slider.dataset.distance === answer.distance ? slider.value : top;
    Object.assign(slider, { max: top, step: top / 200, value: any ? top : kept });
    slider.dataset.of = `${answer.encoder} ${answer.distance}`;
    slider.dataset.distance = answer.distance;
  }
  chosen.threshold = answer.threshold;
  $("marks").replaceChildren(...(answer.threshold ? [make("option", { value: answer.threshold })] : []));
  $("best").hidden = !answer.threshold;
  $("best").textContent = answer.threshold ? `Best F1: ${answer.threshold.toPrecision(3)}` : "";
  far();
}

function far() {
  const any = Number($("farthest").value) >= Number($("farthest").max);
  $("far").textContent = any ? "any distance" : Number($("farthest").value).toPrecision(3);
}

async function why(answer) {
  const kind = answer.articleType;
  const parts = [make("p", { textContent: kind.predicted
    ? `${kind.votes} of the ${kind.of} nearest products are ${kind.predicted}: that is what the search takes this for.`
    : "The nearest products have no article type." })];
  $("reasons").replaceChildren(...parts);
  const curve = await call(`api/curve?${new URLSearchParams({ encoder: answer.encoder, distance: answer.distance })}`).catch(() => null);
  if (curve) parts.push(make("p", { textContent: "Of all pairs nearer than a distance: how many have one article type (precision), and how many of those that have one are found (recall). The marks are the products above." }), drawn(curve, answer));
  else parts.push(make("p", { textContent: "The study has no threshold curve for this encoder and distance." }));
  $("reasons").replaceChildren(...parts);
  if ($("text").value.trim()) return;
  for (const distance of [...$("distance").options].map((one) => one.value).filter((one) => one !== answer.distance)) {
    const found = await ask(answer.encoder, distance).catch(() => null);
    if (!found) continue;
    const shared = found.results.filter((one) => answer.results.some((other) => other.id === one.id)).length;
    parts.push(make("h2", { textContent: `By ${distance}: ${shared} of ${found.results.length} are the same` }),
      make("ol", {}, ...found.results.slice(0, 6).map((one) => make("li", {}, make("img", {
        src: `api/products/${one.id}/picture`, alt: one.productDisplayName || one.id, height: 90 })))));
    $("reasons").replaceChildren(...parts);
  }
}

function drawn(curve, answer) {
  const name = (tag, attributes, text = "") => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  };
  const top = curve.best * 2;
  const x = (value) => 40 + 540 * Math.min(value / top, 1);
  const y = (value) => 190 - 170 * value;
  const svg = name("svg", { viewBox: "0 0 640 225", role: "img", "aria-label": `precision and recall by distance; best F1 at ${curve.best}` });
  for (const [series, colour, dash] of [["precision", "#1d6f5c", ""], ["recall", "#b1542a", "6 3"], ["F1", "#666", "2 3"]]) {
    const points = curve.threshold.map((value, place) => [value, curve[series][place]]).filter(([value]) => value <= top);
    svg.append(name("polyline", { points: points.map(([a, b]) => `${x(a)},${y(b)}`).join(" "), fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash }));
    if (points.length) svg.append(name("text", { x: x(points.at(-1)[0]) + 4, y: y(points.at(-1)[1]) + 4 }, series));
  }
  svg.append(name("line", { x1: x(curve.best), x2: x(curve.best), y1: 20, y2: 190, stroke: "currentColor", "stroke-dasharray": "1 3" }));
  svg.append(name("text", { x: x(curve.best) - 24, y: 14 }, "best F1"));
  for (const one of answer.results) svg.append(name("line", { x1: x(one.distance), x2: x(one.distance), y1: 190, y2: 200, stroke: "currentColor" }));
  svg.append(name("line", { x1: 40, x2: 580, y1: 190, y2: 190, stroke: "currentColor" }), name("text", { x: 40, y: 218 }, "0"),
    name("text", { x: 550, y: 218 }, top.toPrecision(3)), name("text", { x: 270, y: 218 }, `${answer.distance} distance`));
  return svg;
}

// a photo, its box

function take(file) {
  if (!file) return;
  if (!/^image\//.test(file.type)) return say(`${file.type || "This file"} is no picture. JPEG, PNG and WebP are searched.`, true);
  Object.assign(chosen, { photo: file, like: null });
  $("like-id").value = "";
  URL.revokeObjectURL($("preview").src);
  $("preview").src = URL.createObjectURL(file);
  $("preview").onerror = () => { $("photo").hidden = $("boxing").hidden = true; };
  for (const id of ["photo", "boxing", "clear"]) $(id).hidden = false;
  $("asked").hidden = true;
  history.pushState(null, "", location.pathname);
  boxed(null);
  search();
}

function boxed(box) {
  chosen.box = box;
  const image = $("preview");
  const scale = image.clientWidth / (image.naturalWidth || 1);
  $("box").hidden = !box;
  ["x", "y", "w", "h"].forEach((side, place) => { $(side).value = box ? box[place] : ""; });
  if (box) Object.assign($("box").style, { left: `${box[0] * scale}px`, top: `${box[1] * scale}px`, width: `${box[2] * scale}px`, height: `${box[3] * scale}px` });
}

function drawing(event) {
  const image = $("preview");
  const scale = image.naturalWidth / image.clientWidth;
  const at = (one) => {
    const area = image.getBoundingClientRect();
    return [Math.min(Math.max(one.clientX - area.left, 0), area.width) * scale, Math.min(Math.max(one.clientY - area.top, 0), area.height) * scale];
  };
  const [x, y] = at(event);
  const move = (one) => {
    const [u, v] = at(one);
    boxed([Math.min(x, u), Math.min(y, v), Math.abs(u - x), Math.abs(v - y)].map(Math.round));
  };
  const end = () => {
    removeEventListener("pointermove", move);
    if (chosen.box && (chosen.box[2] < 4 || chosen.box[3] < 4)) boxed(null);
    search();
  };
  event.preventDefault();
  addEventListener("pointermove", move);
  addEventListener("pointerup", end, { once: true });
}

function typedBox() {
  const sides = ["x", "y", "w", "h"].map((side) => $(side).value);
  if (sides.every((side) => side !== "")) boxed(sides.map(Number)), later();
}

async function findProduct() {
  try {
    const found = await call("api/box", { method: "POST", body: chosen.photo });
    boxed(found.box);
    if (!found.box) say("Nothing stands out from the photo's border.");
    else search();
  } catch (error) { say(error.message, true); }
}

async function camera() {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    Object.assign($("video"), { srcObject: stream, hidden: false });
    await $("video").play();
    $("shot").hidden = false;
  } catch (error) { say(`There is no camera to use (${error.name}).`, true); }
}

function shoot() {
  const video = $("video");
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  video.srcObject.getTracks().forEach((track) => track.stop());
  video.hidden = $("shot").hidden = true;
  canvas.toBlob(take, "image/jpeg", 0.92);
}

function clear() {
  Object.assign(chosen, { photo: null, box: null, like: null });
  $("file").value = $("like-id").value = "";
  for (const id of ["photo", "boxing", "clear", "asked"]) $(id).hidden = true;
  search();
}

// products

function like(id, remember = true) {
  Object.assign(chosen, { photo: null, box: null, like: id });
  $("like-id").value = id;
  for (const part of ["photo", "boxing"]) $(part).hidden = true;
  $("asked").hidden = $("clear").hidden = false;
  $("asked").replaceChildren("Like this one: ", make("img", { src: `api/products/${id}/picture`, alt: "", height: 60 }), ` ${id}`);
  if (remember) history.pushState(null, "", `?${new URLSearchParams({ like: id, encoder: $("encoder").value })}`);
  search();
}

async function takeAway(id, name) {
  try {
    await call(`api/products/${id}`, { method: "DELETE" });
    await search();
    const back = make("button", { type: "button", textContent: "Put it back" });
    back.addEventListener("click", () => call(`api/products/${id}/restore`, { method: "POST" }).then(search, (error) => say(error.message, true)));
    say("");
    $("message").hidden = false;
    $("message").replaceChildren(`${name} was taken away. `, back);
  } catch (error) { say(error.message, true); }
}

async function addProduct() {
  const facts = { productDisplayName: $("new-name").value, articleType: $("new-type").value, gender: $("new-gender").value };
  const id = $("new-id").value.trim();
  if (!chosen.photo || !id) return say("A new product needs a photo and an id.", true);
  const said = new URLSearchParams(Object.entries(facts).filter(([, value]) => value.trim()));
  try {
    await call(`api/products/${encodeURIComponent(id)}?${said}`, { method: "PUT", body: chosen.photo, headers: { "content-type": chosen.photo.type } });
    opened(await call("api/status"));
    await search();
    say(`${id} was added.`);
  } catch (error) { say(error.message, true); }
}

function fromAddress() {
  const address = new URLSearchParams(location.search);
  if ([...$("encoder").options].some((one) => one.value === address.get("encoder"))) $("encoder").value = address.get("encoder");
  if (address.get("like")) like(address.get("like"), false);
  else if (!chosen.photo) clear();
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); search(); });
$("file").addEventListener("change", (event) => take(event.target.files[0]));
$("drop").addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
$("drop").addEventListener("dragleave", () => $("drop").classList.remove("over"));
$("drop").addEventListener("drop", (event) => { event.preventDefault(); $("drop").classList.remove("over"); take(event.dataTransfer.files[0]); });
addEventListener("paste", (event) => take([...(event.clipboardData?.files || [])][0]));
addEventListener("popstate", fromAddress);
addEventListener("resize", () => boxed(chosen.box));
$("photo").addEventListener("pointerdown", drawing);
for (const side of ["x", "y", "w", "h"]) $(side).addEventListener("change", typedBox);
for (const id of ["encoder", "other", "distance", "index", "count", "farthest", "weight"]) $(id).addEventListener("change", later);
$("text").addEventListener("input", later);
$("like-id").addEventListener("change", (event) => { event.target.value.trim() ? like(event.target.value.trim()) : clear(); });
$("farthest").addEventListener("input", far);
$("weight").addEventListener("input", () => { $("mixed").textContent = `${Math.round(100 * $("weight").value)} %`; });
$("best").addEventListener("click", () => { $("farthest").value = chosen.threshold; far(); search(); });
$("find").addEventListener("click", findProduct);
$("whole").addEventListener("click", () => { boxed(null); search(); });
$("clear").addEventListener("click", clear);
$("camera").addEventListener("click", camera);
$("shot").addEventListener("click", shoot);
$("add").addEventListener("click", addProduct);
$("why").addEventListener("toggle", () => { if ($("why").open && $("why").answer) why($("why").answer); });
start();
