// Talking to the server; rows of boxes are fetched in pieces and kept, the oldest go.

const SLOW = 10000; // ms after which it is told that nothing has come
const AGAIN = 1000; // ms until a server that is gone is asked whether it is back
let gone = false;
let waiting = 0; // requests that have taken so long

const tell = (event, detail) => document.dispatchEvent(new CustomEvent(event, { detail }));

// A server that was stopped is told as such; browsers have words of their own for it.
export async function reach(path, options = {}) {
  let late = false;
  const slow = setTimeout(() => { late = true; waiting += 1; tell('slow', true); }, SLOW);
  try {
    return await fetch(path, options);
  } catch {
    if (!gone) setTimeout(lookOut, AGAIN);
    gone = true;
    throw new Error('The server does not answer; is mot-reid serve still running?');
  } finally {
    clearTimeout(slow);
    if (late && --waiting === 0) tell('slow', false);
  }
}

// Asks until the server is back; the event has its runs, or nothing where it lets nobody in.
async function lookOut() {
  try {
    const answer = await fetch('/api/runs');
    const content = answer.ok ? await answer.json() : null;
    gone = false;
    tell('back', content);
  } catch {
    setTimeout(lookOut, AGAIN);
  }
}

export async function ask(path, method = 'GET', body = undefined) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { 'content-type': 'application/json' };
    options.body = JSON.stringify(body);
  }
  const answer = await reach(path, options);
  const content = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  if (!answer.ok) throw Object.assign(new Error(content.error || `the server answered ${answer.status}`), { status: answer.status });
  return content;
}

const PIECE = 64; // frames
const KEPT = 125; // pieces

export class Rows {
  constructor(run) {
    this.run = run;
    this.pieces = new Map();
  }

  // The boxes of a frame, or null where they are still to come.
  of(frame) {
    const piece = this.pieces.get(Math.floor(frame / PIECE));
    if (!piece || !piece.frames) return null;
    return { piece, from: piece.starts[frame % PIECE], to: piece.starts[frame % PIECE + 1] };
  }

  async load(frame) {
    const number = Math.floor(frame / PIECE);
    const held = this.pieces.get(number);
    if (held) {
      this.pieces.delete(number);
      this.pieces.set(number, held);
      return held.coming;
    }
    const piece = {};
    piece.coming = this.fetch(number, piece).catch((error) => { this.pieces.delete(number); throw error; });
    this.pieces.set(number, piece);
    while (this.pieces.size > KEPT) this.pieces.delete(this.pieces.keys().next().value);
    return piece.coming;
  }

  async fetch(number, piece) {
    const first = number * PIECE;
    const answer = await reach(`/api/runs/${this.run}/rows?from=${first}&to=${first + PIECE - 1}`);
    if (!answer.ok) throw new Error('the boxes cannot be read');
    const data = await answer.arrayBuffer();
    const n = new DataView(data).getUint32(0, true);
    let at = 4;
    const take = (kind, bytes) => {
      const column = new kind(data.slice(at, at + n * bytes));
      at += n * bytes;
      return column;
    };
    const frames = take(Int32Array, 4);
    Object.assign(piece, { ids: take(Int32Array, 4) });
    for (const side of ['x1', 'y1', 'x2', 'y2']) piece[side] = take(Float32Array, 4);
    piece.classes = take(Int16Array, 2);
    piece.predicted = take(Uint8Array, 1);
    piece.starts = new Uint32Array(PIECE + 1);
    for (let row = 0; row < n; row++) piece.starts[frames[row] - first + 1]++;
    for (let place = 0; place < PIECE; place++) piece.starts[place + 1] += piece.starts[place];
    piece.frames = frames;
  }

  forget() {
    this.pieces.clear();
  }
}

const GOLDEN = 0.618033988749895;

export function colour(id) {
  const hue = Math.round(360 * ((id * GOLDEN) % 1));
  return `hsl(${hue} ${[85, 60, 100][id % 3]}% 55%)`;
}

export function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6); // 2.3 % 1 is a little less than 0.3
  const whole = Math.floor(tenths / 10);
  const two = (value) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}.${tenths % 10}`;
  return hours ? `${hours}:${rest}` : rest;
}

// How many there are of something: `1 track`, `2 tracks`, `2 people`.
export function counted(number, one, more = `${one}s`) {
  return `${number} ${number === 1 ? one : more}`;
}

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith('aria-') || key.startsWith('data-')) made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}
