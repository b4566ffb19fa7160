"use strict";
// The second mode of explore.html: a bird's wings on a horse. Coordinates are pixels of the picture, and values are
// in [-1, 1] until they are drawn. Loaded only where data.placing is there.
const encoder = unpack(data.placing.encoder), wingClassifier = unpack(data.placing.classifier.steps);
const masks = read(data.placing.masks), [, SIDE] = data.placing.masks.shape, MIDDLE = (SIDE - 1) / 2;
const FIELDS = ["scale", "down", "right", "rotation", "mirror"];  // of a placement, in a link's order
const RANGES = {scale: [0.3, 3], down: [-SIDE, SIDE], right: [-SIDE, SIDE], rotation: [-180, 180]};
const placed = {...structuredClone(data.placing.examples[0]), moving: 1};
let example = 0;

// Arithmetic.
const limit = (x, low, high) => Math.min(Math.max(x, low), high);
function placeImage(image, {scale, down, right, rotation, mirror}, blurred) {  // as pegasus.placement.place; blurred: null for zeros
  const cosine = Math.cos(rotation * Math.PI / 180), sine = Math.sin(rotation * Math.PI / 180);
  const out = {...image, values: new Float32Array(image.values.length)};
  for (let y = 0, o = 0; y < SIDE; y++) for (let x = 0; x < SIDE; x++, o += image.c) {
    const below = (y - MIDDLE - down) / scale, beside = (x - MIDDLE - right) / scale, across = cosine * beside - sine * below;
    const row = MIDDLE + sine * beside + cosine * below, column = MIDDLE + (mirror ? -across : across);
    const inner = blurred ? [limit(row, 0, SIDE - 1), limit(column, 0, SIDE - 1)] : [row, column];
    const outside = Math.min(Math.max(Math.abs(row - inner[0]), Math.abs(column - inner[1])) / data.placing.blur_over, 1);
    addSample(out, o, image, inner, 1 - outside);
    if (outside) addSample(out, o, blurred, inner, outside);
  }
  return out;
}
function addSample(out, o, {values, c}, [row, column], share) {  // bilinear; beyond the edge is 0
  const top = Math.floor(row), left = Math.floor(column);
  for (const [i, shareDown] of [[top, 1 - row + top], [top + 1, row - top]]) {
    for (const [j, shareRight] of [[left, 1 - column + left], [left + 1, column - left]]) {
      if (i < 0 || j < 0 || i >= SIDE || j >= SIDE) continue;
      for (let n = 0; n < c; n++) out.values[o + n] += share * shareDown * shareRight * values[(i * SIDE + j) * c + n];
    }
  }
}
function blur(map) {  // as pegasus.foreground.smooth
  for (let i = 0; i < 2 * data.placing.blur_steps; i++) {
    const {values, c} = map, [down, right] = i % 2 ? [0, 1] : [1, 0];
    const at = (y, x, n) => values[(limit(y, 0, SIDE - 1) * SIDE + limit(x, 0, SIDE - 1)) * c + n];
    map = buildMap(SIDE, SIDE, c, (y, x, n) => (at(y - down, x - right, n) + 2 * at(y, x, n) + at(y + down, x + right, n)) / 4);
  }
  return map;
}
function target({scale, down, right, rotation, mirror}, row, column) {  // as pegasus.placement.Placement.target
  const cosine = Math.cos(rotation * Math.PI / 180), sine = Math.sin(rotation * Math.PI / 180);
  const y = row - MIDDLE, x = mirror ? MIDDLE - column : column - MIDDLE;
  return [MIDDLE + scale * (cosine * y - sine * x) + down, MIDDLE + scale * (sine * y + cosine * x) + right];
}
function outlineOf(mask) {  // first and last column, and the back's row in each column; as pegasus.foreground.outline
  const columns = Array.from({length: SIDE}, (_, x) => Array.from({length: SIDE}, (_, y) => mask.values[y * SIDE + x]));
  const back = columns.map((column) => (column.findIndex((value) => value > 0.5) + SIDE + 1) % (SIDE + 1));
  return {back, left: back.findIndex((row) => row < SIDE), right: back.findLastIndex((row) => row < SIDE)};
}
function interpolate(x, points, outside) {  // points: [row, column], columns increasing
  const next = points.findIndex(([, column]) => column >= x);
  if (next < 1) return points[next]?.[1] === x ? points[next][0] : outside ?? points.at(next)[0];
  const [[row, column], [nextRow, nextColumn]] = [points[next - 1], points[next]];
  return row + (nextRow - row) * (x - column) / (nextColumn - column);
}
function findBack(mask, placement, facesLeft) {  // as pegasus.candidates.find_back
  const {back, left, right} = outlineOf(mask), [head, rear] = facesLeft ? [left, right] : [right, left];
  const points = back.map((row, column) => [row, column]).slice(left, right + 1);
  const placedPoints = points.map((point) => target(placement, ...point)).sort((a, b) => a[1] - b[1]);
  const joint = target(placement, 0, head + data.placing.along * (rear - head))[1];
  return {
    back: back.map((_, x) => interpolate(x, placedPoints, 99)), joint: [interpolate(joint, placedPoints), joint],
    headEnd: target(placement, 0, head)[1],
  };
}
function wingsOf(bird, {back, joint, headEnd}) {  // the bird's mask above the horse's back and not at its head
  const share = (x) => limit(x, 0, 1), length = Math.abs(headEnd - joint[1]);
  const values = bird.values.map((value, i) => {
    const [y, x] = [Math.floor(i / SIDE), i % SIDE], ahead = Math.sign(headEnd - joint[1]) * (x - joint[1]);
    const above = share(Math.min(back[x], joint[0] + 2) + data.placing.overlap - y);
    return value * above * (1 - share((ahead - data.placing.head * length) / 2 + 0.5));
  });
  return {...bird, values};
}
function cellShares(wings) {  // of the bird in each cell of the latents
  const cell = SIDE / height, areas = new Float64Array(height * width);
  wings.values.forEach((value, i) => {
    areas[Math.floor(i / SIDE / cell) * width + Math.floor(i % SIDE / cell)] += value / cell / cell;
  });
  return areas.map((area) => Math.round(1000 * Math.min(1, data.placing.gain * area)) / 1000);
}
function blendCells(first, second, shares) {
  const out = new Float32Array(size);
  shares.forEach((share, i) => {
    const cell = [i * channels, (i + 1) * channels];
    out.set(slerp(first.subarray(...cell), second.subarray(...cell), share), cell[0]);
  });
  return out;
}

// Parents in their places; what has not changed is not computed again.
const parents = [{}, {}];
function parentOf(side) {  // -> {picture, mask, latents}, placed
  const parent = parents[side], row = placed.rows[side], key = JSON.stringify(placed.placements[side]);
  if (parent.row !== row) {
    const image = each(reconstruct(latentsOf(row)), (value) => limit(value, -1, 1));
    Object.assign(parent, {row, key: null, image, blurred: blur(image), foreground: maskOf(side, row)});
  }
  if (parent.key !== key) {
    const picture = placeImage(parent.image, placed.placements[side], parent.blurred);
    const mask = placeImage(parent.foreground, placed.placements[side], null);
    Object.assign(parent, {key, picture, mask, latents: run(encoder, picture).values});
  }
  return parent;
}
function horseBack() {
  const facesLeft = data.placing.faces_left[data.placing.sides[0].indexOf(placed.rows[0])];
  return findBack(parentOf(0).foreground, placed.placements[0], facesLeft);
}
function maskOf(side, row) {
  const index = data.placing.sides[side].indexOf(row) + (side && data.placing.sides[0].length), area = SIDE * SIDE;
  return {h: SIDE, w: SIDE, c: 1, values: Float32Array.from(masks.subarray(index * area, (index + 1) * area), (x) => x / 255)};
}
function fit(side) {  // a first placement like those that a search draws: the horse low, the wings upon its back
  const mask = maskOf(side, placed.rows[side]), {back, left, right} = outlineOf(mask);
  if (side === 0) {
    const scale = limit((2 * MIDDLE - 17) / Math.max(2 * MIDDLE - back[Math.round((left + right) / 2)], 1), 0.6, 1.1);
    return {scale, down: (1 - scale) * MIDDLE, right: -scale * ((left + right) / 2 - MIDDLE), rotation: 0, mirror: false};
  }
  const points = Array.from(mask.values, (value, i) => [Math.floor(i / SIDE), i % SIDE, value]).filter((point) => point[2] > 0.5);
  const mean = (list) => list.reduce((sum, x) => sum + x, 0) / list.length, rows = points.map((point) => point[0]);
  const row = (mean(rows) + Math.max(...rows)) / 2, [jointRow, jointColumn] = horseBack().joint;
  const column = mean(points.filter((point) => Math.abs(point[0] - row) <= 2).map((point) => point[1])) || MIDDLE;
  const scale = limit((jointRow - 2) / Math.max(row - Math.min(...rows), 3), 0.5, 2.6);
  return {scale, down: jointRow + 1 - MIDDLE - scale * (row - MIDDLE), right: jointColumn - MIDDLE - scale * (column - MIDDLE),
    rotation: 0, mirror: false};
}

// The page.
const placedPanels = makePanels("#place-mode", data.placing.sides, placed, (side, row) => {
  placed.rows[side] = row;
  fitFrom(side);
});
function fitFrom(side) {  // a horse that changes takes the bird with it
  for (let i = side; i < 2; i++) placed.placements[i] = limited(fit(i), i);
  updatePlaced();
}
function limited(placement, side) {  // within RANGES and rounded, so that a link holds it exactly; horses do not turn
  const turned = {...placement, rotation: side && ((placement.rotation + 180) % 360 + 360) % 360 - 180};
  const round = ([name, [low, high]]) => [name, Math.round(1000 * limit(turned[name], low, high)) / 1000];
  return {...Object.fromEntries(Object.entries(RANGES).map(round)), mirror: Boolean(turned.mirror)};
}
function move(change) {
  const {moving, placements} = placed;
  placements[moving] = limited({...placements[moving], ...change(placements[moving])}, moving);
  refreshPlaced();
}
function updatePlaced() {  // after a change of parents
  placedPanels.forEach((show) => show());
  refreshPlaced();
}
async function refreshPlaced() {
  const current = ++turn, wanted = () => current === turn;
  await new Promise(requestAnimationFrame);
  if (!wanted()) return;
  const [horse, bird] = [0, 1].map(parentOf), wings = wingsOf(bird.mask, horseBack());
  const picture = decode(blendCells(horse.latents, bird.latents, cellShares(wings)));
  draw($("#winged"), picture);
  drawBoard(horse, bird, wings);
  showControls(wings);
  const hash = placedHash();
  $("#wings-link").href = hash;
  $("#wing-scores").classList.add("stale");
  await new Promise((done) => setTimeout(done, 60));
  if (!wanted()) return;
  if (location.hash !== hash) history.replaceState(null, "", hash);
  const logits = await meanLogits(wingClassifier, picture, wanted), {scale, offset, classes} = data.placing.classifier;
  if (!logits) return;
  drawBars($("#wing-scores"), classes.map(
    (name, i) => [name, 1 / (1 + Math.exp(-logits[i] * scale[i] - offset[i])), ["first", "second"][i]]));
  document.body.dataset.settled = hash;  // the picture that the numbers on the page belong to
}
function drawBoard(horse, bird, wings) {  // both pictures as they lie; the bird is faint where it is not wings
  const values = horse.picture.values.map((value, i) => {
    const pixel = Math.floor(i / horse.picture.c), share = (bird.mask.values[pixel] + 3 * wings.values[pixel]) / 4;
    return value + share * (bird.picture.values[i] - value);
  });
  draw($("#board canvas"), toGrey({...horse.picture, values}));
}
function showControls(wings) {
  const {moving} = placed, {scale, down, right, rotation, mirror} = placed.placements[moving], name = data.classes[moving];
  const percent = (pixels) => `${100 * pixels / SIDE}%`;
  $("#board-side").className = ["first", "second"][moving];
  $("#frame").style.transform = `translate(${percent(right)},${percent(down)}) rotate(${-rotation}deg) scale(${scale})`;
  $("#frame").style.borderWidth = `${2 / scale}px`;
  $("#board-side figcaption").textContent = `Drag the ${name}`;
  $("#board").ariaLabel = `${name}: arrow keys move, plus and minus scale, brackets turn, m mirrors`;
  for (const button of $("#moving").querySelectorAll("button")) button.ariaPressed = String(Number(button.value) === moving);
  $("#mirror").ariaPressed = String(mirror);
  for (const [id, value, text] of [["scale", scale, `${Math.round(100 * scale)}%`], ["rotation", rotation, `${Math.round(rotation)}°`]]) {
    $(`#${id}`).value = value;
    $(`#${id} + output`).textContent = text;
  }
  $("#rotation").disabled = moving === 0;
  $("#note").textContent = wings.values.some((value) => value > 0.5) ? "" : "No part of the bird is above the horse's back.";
}
function nextExample() {
  example = (example + 1) % data.placing.examples.length;
  Object.assign(placed, structuredClone(data.placing.examples[example]));
  updatePlaced();
}
function placedHash() {
  const text = (side) => [placed.rows[side], ...FIELDS.map((name) => Number(placed.placements[side][name]))].join(",");
  return `#horse=${text(0)}&bird=${text(1)}`;
}
function placeFrom(values) {  // of a link; what is missing or invalid is placed anew
  data.classes.forEach((name, side) => {
    const [row, ...numbers] = (values.get(name) || "").split(",").map(Number);
    if (!data.placing.sides[side].includes(row)) return;
    placed.rows[side] = row;
    const linked = Object.fromEntries(FIELDS.map((field, i) => [field, numbers[i]]));
    placed.placements[side] = limited(numbers.length === 5 && numbers.every(Number.isFinite) ? linked : fit(side), side);
  });
  setMode("place");
}

const pointers = new Map(), board = $("#board");
board.addEventListener("pointerdown", (event) => {
  board.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event);
});
board.addEventListener("pointermove", (event) => {
  const last = pointers.get(event.pointerId), other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
  if (!last) return;
  pointers.set(event.pointerId, event);
  const between = (one) => [one.clientX - other.clientX, one.clientY - other.clientY], pixels = SIDE / board.clientWidth;
  if (!other) {
    return move(({down, right}) => ({
      down: down + pixels * (event.clientY - last.clientY), right: right + pixels * (event.clientX - last.clientX)}));
  }
  const [x, y] = between(event), [lastX, lastY] = between(last), turned = Math.atan2(y, x) - Math.atan2(lastY, lastX);
  move(({scale, rotation}) => ({
    scale: scale * Math.hypot(x, y) / Math.hypot(lastX, lastY), rotation: rotation - turned * 180 / Math.PI}));
});
for (const name of ["pointerup", "pointercancel"]) board.addEventListener(name, (event) => pointers.delete(event.pointerId));
board.addEventListener("wheel", (event) => {
  event.preventDefault();
  move(({scale, rotation}) => event.shiftKey
    ? {rotation: rotation + (event.deltaX + event.deltaY) / 20} : {scale: scale * 2 ** (-event.deltaY / 500)});
}, {passive: false});
const KEYS = {
  ArrowUp: ({down}) => ({down: down - 1}), ArrowDown: ({down}) => ({down: down + 1}),
  ArrowLeft: ({right}) => ({right: right - 1}), ArrowRight: ({right}) => ({right: right + 1}),
  "+": ({scale}) => ({scale: scale * 1.05}), "-": ({scale}) => ({scale: scale / 1.05}),
  "[": ({rotation}) => ({rotation: rotation + 5}), "]": ({rotation}) => ({rotation: rotation - 5}),
  m: ({mirror}) => ({mirror: !mirror}),
};
board.addEventListener("keydown", (event) => {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  move(KEYS[event.key]);
});
for (const id of ["scale", "rotation"]) $(`#${id}`).addEventListener("input", ({target}) => move(() => ({[id]: Number(target.value)})));
for (const button of $("#moving").querySelectorAll("button")) {
  button.addEventListener("click", () => { placed.moving = Number(button.value); refreshPlaced(); });
}
$("#mirror").addEventListener("click", () => move(KEYS.m));
$("#again").addEventListener("click", () => fitFrom(0));
$("#example").addEventListener("click", nextExample);
