// The page: state, playing, tabs and keys. Panels lie in files of their own.
import { ask, clock, colour, counted, element, reach, Rows } from './api.js';
import { Correct } from './correct.js';
import { Count } from './count.js';
import { Lanes } from './lanes.js';
import { People } from './people.js';
import { Stage } from './stage.js';

const get = (id) => document.getElementById(id);
const MOST_LISTED = 200;
const TRAIL = 30; // frames behind that are drawn
const AHEAD = 60; // frames ahead that are fetched
const AGAIN = 250; // ms until a picture is asked for again that is not to be had yet

const state = {
  run: { key: '', width: 0, height: 0, frames: 1, stride: 1, phase: 0, fps: 25, tracks: [], names: {}, classes: {}, corrections: [] },
  rows: new Rows(''),
  frame: 1,
  playing: false,
  chosen: 0,
  only: null, // ids shown, or null for all
  show: { boxes: true, labels: true, trails: true, scene: true },
  scene: { lines: {}, zones: {} },
  heat: null,
  zoneVisitors: {},
  label: (id) => state.run.names[id] || `${(state.run.classes && many() && state.run.classes[classOf(id)]) || 'id'} ${id}`,
  shown: (id) => state.only === null || state.only.has(id),
  choose,
  go,
  say,
  take,
  visit,
};

let kinds = new Map();
let several = false; // classes
const many = () => several;
const classOf = (id) => kinds.get(id);

const stage = new Stage(get('picture'), state);
const lanes = new Lanes(get('lanes'), state);
const count = new Count(state, stage);
const correct = new Correct(state, stage);
new People(state, lanes);

export function say(text) {
  get('message').textContent = text;
}

function report(error) {
  say(error.message || String(error));
}

// A run that is not whole: one that goes on is shown up to where it was when it was read.
function unfinished(run) {
  if (run.complete !== false) return '';
  if (run.error) return ` · the run ended early: ${run.error}`;
  return ` · the run goes on, or was killed: what it had written by ${new Date(run.written * 1000).toLocaleString()}; come back to this window to see more`;
}

let over = true; // boxes are drawn over the pictures, unless these have them

function describe() {
  const { run } = state;
  const own = ' · the pictures are of the run\'s own video, its boxes drawn in as they were found: the one that was tracked is gone, damaged, or was live';
  const pictures = run.pictures ? (run.drawn ? own : '') : ` · no pictures: ${run.no_pictures}`;
  const sofar = run.read_to ? ' so far' : '';
  get('about').textContent = `${counted(run.frames, 'frame')}, ${counted(run.tracks.length, 'track')}${sofar}, ${run.width} × ${run.height}${pictures}${unfinished(run)}`;
  const draws = !run.drawn || run.held > 0; // corrections are not in the video
  if (draws === over) return;
  over = draws;
  for (const name of ['boxes', 'labels', 'trails']) get(`show-${name}`).checked = state.show[name] = draws;
}

// Everything that a run's summary says, after opening it or correcting it.
function take(run) {
  state.run = run;
  kinds = new Map(run.tracks.map((track) => [track.id, track.class]));
  several = new Set(kinds.values()).size > 1;
  state.rows = new Rows(run.key);
  looks.clear();
  get('seek').max = run.frames;
  describe();
  filter();
  correct.show();
  stage.fit();
  go(state.frame);
}

// The rest of a long run whose first frames are shown already.
async function readOn(key) {
  say(`The tracks are still being read: for now those of the first ${clock(state.run.read_to / state.run.fps)} are here.`);
  const run = await ask(`/api/runs/${key}?whole`);
  if (state.run.key !== key || !state.run.read_to) return; // another one is looked at, or a correction brought it
  say('');
  take(run);
  document.body.dataset.whole = 'yes';
}

let opened = 0; // how many runs were asked for: an answer for one before the last is late

async function open(key) {
  const asked = ++opened;
  say('');
  pause();
  const slow = setTimeout(() => say('Reading the tracks …'), 300);
  let wrong = ''; // with its scene: the run is shown all the same
  const [run, scene] = await Promise.all([ask(`/api/runs/${key}`),
    ask(`/api/runs/${key}/scene`).catch((error) => { wrong = error.message; return {}; })]).finally(() => clearTimeout(slow));
  if (asked !== opened) return;
  stage.bitmap = null;
  state.frame = run.first; // of a run that began later, frames before it have no boxes
  state.chosen = 0;
  state.zoneVisitors = {};
  say(wrong);
  state.kept = JSON.stringify(scene);
  state.scene = { ...scene, lines: scene.lines || {}, zones: scene.zones || {} };
  get('filter').value = '';
  if (get('view').hidden) showView(true);
  take(run);
  document.body.dataset.whole = run.read_to ? 'no' : 'yes';
  if (run.read_to) readOn(key).catch(report);
  count.show();
  if (get('tab-data').getAttribute('aria-selected') === 'true') showKept();
}

// What was corrected in another window, or came of a run that goes on, is seen when one comes back to this one.
async function returned() {
  const before = state.run;
  const { key, read_to: reading } = before;
  if (document.visibilityState !== 'visible' || !key || reading) return;
  const run = await ask(`/api/runs/${key}`);
  if (before !== state.run) return; // another one is shown, or a newer answer came
  const told = ({ held, corrections, tracks, frames, complete, error }) => JSON.stringify([held, corrections, tracks, frames, complete, error]);
  const same = told(run) === told(before);
  if (!same) take(run);
  document.dispatchEvent(new CustomEvent(same ? 'returned' : 'corrected'));
}

// A window beside the other one was seen all the time. What is pressed to come back is of what it showed until then.
let returning = 0;
for (const [whose, event, wait] of [[document, 'visibilitychange', 0], [window, 'focus', 300]]) {
  whose.addEventListener(event, () => {
    clearTimeout(returning);
    returning = setTimeout(() => returned().catch(report), wait);
  });
}

const SLOW = 'mot-reid serve has not answered for ten seconds; the page waits for it.';
document.addEventListener('slow', (event) => {
  if (event.detail) say(SLOW);
  else if (get('message').textContent === SLOW) say('');
});

// The server was gone, and is there again: perhaps another one.
document.addEventListener('back', async ({ detail }) => {
  const told = (list) => JSON.stringify(list);
  const shown = [...get('run').options].map((option) => [option.value, option.textContent]);
  if (!detail || told(detail.runs.map((run) => [run.key, run.name])) !== told(shown)) {
    say(`mot-reid serve answers again, but ${detail ? 'shows other runs: load this page again' : 'asks for its token: open the address that it has printed'}.`);
    return;
  }
  state.session = detail.session;
  const { key } = state.run;
  if (key) {
    const run = await ask(`/api/runs/${key}`);
    if (key !== state.run.key) return;
    take(run);
    if (run.read_to) readOn(key).catch(report);
  }
  count.show();
  if (get('tab-data').getAttribute('aria-selected') === 'true') showKept();
  document.dispatchEvent(new CustomEvent('corrected'));
  say('mot-reid serve answers again. What it was asked to do meanwhile was not done.');
});

// Goes to a frame of any run, and chooses a track there.
async function visit(run, track, frame) {
  history.replaceState(null, '', address());
  history.pushState(null, '', address()); // back leads here
  if (run !== state.run.key) {
    get('run').value = run;
    await open(run);
  }
  choose(track);
  get('picture').scrollIntoView({ block: 'nearest' }); // on a narrow page it is above what was pressed
  await go(frame);
}

const address = () => `#${new URLSearchParams({ run: state.run.key, frame: state.frame, tab: tabs.find((tab) => tab.tabIndex === 0).id.slice(4), ...(state.chosen && { track: state.chosen }) })}`;
let keeping = 0;

// What is looked at stands in the address: a page that is loaded again, or opened by a link, shows it.
function keepAddress() {
  clearTimeout(keeping);
  keeping = setTimeout(() => history.replaceState(null, '', address()), 300);
}

async function restore(at = new URLSearchParams(location.hash.slice(1))) {
  clearTimeout(keeping);
  const tab = tabs.find((one) => one.id === `tab-${at.get('tab')}` && !one.hidden);
  if (tab) openTab(tab);
  const known = [...get('run').options].some((option) => option.value === at.get('run'));
  if (known && at.get('run') !== state.run.key) {
    pause();
    get('run').value = at.get('run');
    await open(at.get('run'));
  }
  const track = Number(at.get('track'));
  if (known && state.run.tracks.some(({ id }) => id === track)) choose(track);
  if (known && Number(at.get('frame'))) await go(Number(at.get('frame')));
}
window.addEventListener('popstate', () => restore().catch(report));

let wanted = 0;
let fetching = false;
let reading = false;

// The frame that was looked at when this one is shown: of a run with a stride those between have no boxes.
function looked(frame) {
  const { frames, stride = 1, phase = 0 } = state.run;
  const whole = Math.min(Math.max(Math.round(frame), 1), frames);
  return Math.max(whole - (whole - phase + stride) % stride, 1);
}

async function go(frame) {
  state.frame = looked(frame);
  keepAddress();
  get('seek').value = state.frame;
  get('where').textContent = `${state.frame} · ${clock((state.frame - 1) / state.run.fps)}`;
  lanes.mark();
  if (!state.rows.of(state.frame)) {
    const asked = state.frame;
    await state.rows.load(asked).catch(report);
    if (asked !== state.frame) return;
  }
  stage.draw();
  const near = [state.frame - TRAIL, state.frame + AHEAD].map((other) => Math.min(Math.max(other, 1), state.run.frames));
  if (!state.rows.of(near[0])) state.rows.load(near[0]).then(() => stage.draw()).catch(() => {});
  state.rows.load(near[1]).catch(() => {});
  wanted = state.frame;
  await picture();
}

// One picture at a time is fetched, and always the newest that is wanted.
async function picture() {
  if (!state.run.pictures || fetching) return;
  fetching = true;
  try {
    while (stage.bitmapFrame !== wanted || !stage.bitmap) {
      const frame = wanted;
      const { key } = state.run;
      const width = Math.min(state.run.width, Math.ceil(stage.canvas.width / 160) * 160);
      const answer = await reach(`/api/runs/${key}/frames/${frame}?width=${width}&of=${state.session}${state.run.drawn ? '-drawn' : ''}`);
      if (answer.status === 202) { // a long video is still read through: what was asked for comes in a while
        reading = true;
        say((await answer.json()).told);
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
        continue;
      }
      if (reading) say('');
      reading = false;
      if (key !== state.run.key) continue; // another run is shown by now
      if (!answer.ok) {
        stage.bitmap = null;
        const { error } = await answer.json().catch(() => ({}));
        reading = Boolean(error && error !== 'no such frame'); // told until a picture comes
        if (reading) say(error);
        stage.draw();
        if (frame === wanted) break;
        continue;
      }
      const bitmap = await createImageBitmap(await answer.blob());
      if (key !== state.run.key) continue;
      const drawn = answer.headers.has('x-drawn'); // its source is damaged, which is found out only now
      if (drawn !== state.run.drawn) {
        state.run.drawn = drawn;
        describe();
      }
      stage.bitmap = bitmap;
      stage.bitmapFrame = frame;
      stage.draw();
    }
  } finally {
    fetching = false;
  }
}

async function play() {
  state.playing = true;
  get('play').textContent = 'Pause';
  const from = state.frame >= state.run.frames ? 1 : state.frame;
  const start = performance.now();
  try {
    while (state.playing) {
      const frame = from + Math.floor((performance.now() - start) / 1000 * state.run.fps);
      if (frame >= state.run.frames) {
        await go(state.run.frames);
        break;
      }
      if (looked(frame) !== state.frame) await go(frame); // as fast as pictures come; those in between are left out
      await new Promise(requestAnimationFrame);
    }
  } finally {
    pause();
  }
}

function pause() {
  state.playing = false;
  get('play').textContent = 'Play';
}

function choose(id) {
  state.chosen = id;
  keepAddress();
  correct.choose(id);
  lanes.layout();
  stage.draw();
  for (const button of get('track-list').querySelectorAll('button')) {
    if (Number(button.dataset.id) === id) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
}

const looks = new Map(); // ids that fit a description, by run and text
let filtering = 0;

// Ids of tracks that look as somebody says; the gallery knows.
async function fitting(text) {
  const key = `${state.run.key} ${text}`;
  if (!looks.has(key)) {
    const { tracks } = await ask('/api/people/fits', 'POST', { describe: text });
    looks.set(key, new Set(tracks.filter((entry) => entry.run === state.run.key && entry.probability >= 0.5).map((entry) => entry.track)));
  }
  return looks.get(key);
}

function filter() {
  const asked = ++filtering;
  const text = get('filter').value.trim().toLowerCase();
  const zone = Object.keys(state.zoneVisitors).find((name) => name.toLowerCase() === text);
  const fits = (track) => !text || String(track.id) === text || (zone && state.zoneVisitors[zone].has(track.id))
    || (state.run.names[track.id] || '').toLowerCase().includes(text)
    || (state.run.classes[track.class] || '').toLowerCase() === text;
  let found = state.run.tracks.filter(fits);
  if (!found.length && /[a-z]/.test(text) && state.gallery) {
    const known = looks.get(`${state.run.key} ${text}`);
    if (known) found = state.run.tracks.filter((track) => known.has(track.id));
    else setTimeout(() => asked === filtering && fitting(text).then(() => asked === filtering && filter(), (error) => { if (asked === filtering) get('track-count').textContent = error.message; }), 300);
  }
  state.only = text ? new Set(found.map((track) => track.id)) : null;
  lanes.show(found);
  stage.draw();
  const more = found.length > MOST_LISTED ? `; the first ${MOST_LISTED} are listed` : '';
  get('track-count').textContent = `${found.length} of ${counted(state.run.tracks.length, 'track')}${more}`;
  get('track-list').replaceChildren(...found.slice(0, MOST_LISTED).map((track) => {
    const swatch = element('span', { className: 'swatch' });
    swatch.style.background = colour(track.id);
    const [first, last] = [track.spans[0][0], track.spans.at(-1)[1]];
    const when = `${clock((first - 1) / state.run.fps)} to ${clock((last - 1) / state.run.fps)}`;
    const button = element('button', { type: 'button', 'data-id': track.id }, swatch, `${state.label(track.id)}: ${when}`);
    button.addEventListener('click', () => { choose(track.id); go(first); });
    return element('li', {}, button);
  }));
}

async function showGallery() {
  if (!state.gallery) return;
  const kept = await ask('/api/gallery');
  get('gallery-kept').hidden = false;
  const oldest = kept.oldest_days === null ? '' : `, the oldest of ${kept.oldest_days < 1 ? 'today' : `${counted(Math.floor(kept.oldest_days), 'day')} ago`}`;
  get('gallery-told').textContent = `${kept.place}: ${counted(kept.tracklets, 'tracklet')} with pictures${oldest}. They stay until they are forgotten.${kept.damaged.map((line) => ` ${line}`).join('')}`;
}

get('forget-now').addEventListener('click', async () => {
  const days = get('forget-days').valueAsNumber;
  if (!(days >= 0)) { // an empty field is no 0
    get('forget-days').focus();
    return;
  }
  if (await forget({ days }, `who was seen more than ${counted(days, 'day')} ago`)) showGallery().catch(report);
});

// Removes from the gallery for good, if that is meant; says whether it did. Of people who were found by what
// is shown, records are named: their numbers may be others' by now.
async function forget(which, who, address = '/api/gallery/forget') {
  if (!await sure(`Forget ${who} for good? Pictures and embeddings leave the gallery. Videos, the boxes in them, and names given to tracks (in corrections.jsonl) stay until these files are deleted: see the tab Data.`, 'Forget')) return false;
  const { forgotten } = await ask(address, 'POST', which);
  say(`${counted(forgotten, 'tracklet')} forgotten.`);
  document.dispatchEvent(new CustomEvent('corrected'));
  return true;
}
state.forget = forget;

async function showKept() {
  showGallery().catch(report);
  if (!state.run.key) return;
  const { key } = state.run;
  const kept = await ask(`/api/runs/${key}/kept`);
  get('folder').textContent = `Folder: ${kept.folder}`;
  get('kept').replaceChildren(...kept.files.map((file) => {
    const days = file.days < 1 ? 'today' : `${counted(Math.floor(file.days), 'day')} ago`;
    const button = element('button', { type: 'button', textContent: 'Delete', 'aria-label': `Delete ${file.name}` });
    button.addEventListener('click', async () => {
      if (!await sure(`Delete ${file.name} for good?`)) return;
      await ask(`/api/runs/${key}/kept/${encodeURIComponent(file.name)}`, 'DELETE').catch(report);
      showKept().catch(report);
      if (file.name !== 'corrections.jsonl' || key !== state.run.key) return;
      take(await ask(`/api/runs/${key}`)); // the tracks are again as they were found
      document.dispatchEvent(new CustomEvent('corrected'));
    });
    return element('li', {}, element('span', { textContent: `${file.name}: ${(file.bytes / 1e6).toFixed(2)} MB, written ${days}` }), button);
  }));
}

function sure(question, yes = 'Delete', no = 'Keep') {
  const dialog = get('confirm');
  get('confirm-yes').textContent = yes;
  get('confirm-no').textContent = no;
  get('confirm-text').textContent = question;
  dialog.showModal();
  get('confirm-no').focus();
  return new Promise((resolve) => {
    const end = (answer) => { dialog.close(); resolve(answer); };
    get('confirm-yes').onclick = () => end(true);
    get('confirm-no').onclick = () => end(false);
    dialog.oncancel = () => resolve(false);
  });
}
state.sure = sure;

const tabs = [...document.querySelectorAll('[role=tab]')];

function openTab(tab) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute('aria-selected', chosen);
    other.tabIndex = chosen ? 0 : -1;
    get(other.getAttribute('aria-controls')).hidden = !chosen;
  }
  keepAddress();
  if (tab.id === 'tab-data') showKept().catch(report);
  document.dispatchEvent(new CustomEvent('tab', { detail: tab.id }));
}

tabs.forEach((tab) => {
  tab.addEventListener('click', () => openTab(tab));
  tab.addEventListener('keydown', (event) => {
    const shown = tabs.filter((other) => !other.hidden);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const next = shown[(shown.indexOf(tab) + step + shown.length) % shown.length];
    openTab(next);
    next.focus();
  });
});

get('play').addEventListener('click', () => (state.playing ? pause() : play().catch(report)));
const step = (event) => (event.shiftKey ? Math.max(Math.round(state.run.fps), state.run.stride) : state.run.stride);
get('previous').addEventListener('click', () => go(state.frame - state.run.stride));
get('next').addEventListener('click', () => go(state.frame + state.run.stride));
get('seek').addEventListener('input', () => { pause(); go(Number(get('seek').value)); });
get('go-to').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter') return;
  pause();
  go(Number(get('go-to').value) || state.frame);
  get('picture').focus();
});
get('filter').addEventListener('input', filter);
get('run').addEventListener('change', () => open(get('run').value).catch((error) => {
  get('run').value = state.run.key; // which is the one that is still shown
  report(error);
}));
get('help-open').addEventListener('click', () => get('help').showModal());
get('help-close').addEventListener('click', () => get('help').close());
for (const name of ['boxes', 'labels', 'trails', 'scene']) {
  get(`show-${name}`).addEventListener('change', (event) => { state.show[name] = event.target.checked; stage.draw(); });
}

function nextTrack(step) {
  const list = lanes.tracks;
  if (!list.length) return;
  const place = list.findIndex((track) => track.id === state.chosen);
  const track = list[(place + step + list.length) % list.length];
  choose(track.id);
  go(track.spans[0][0]);
}

// What is corrected with a key is seen, too.
function correcting(id) {
  if (get('panel-correct').hidden) openTab(get('tab-correct'));
  get(id).click();
}

const flip = (name) => get(`show-${name}`).click();
const keys = {
  ' ': () => get('play').click(), ArrowLeft: (event) => go(state.frame - step(event)),
  ArrowRight: (event) => go(state.frame + step(event)),
  Home: () => go(1), End: () => go(state.run.frames), n: () => nextTrack(1), p: () => nextTrack(-1),
  b: () => flip('boxes'), l: () => flip('labels'), t: () => flip('trails'), z: () => flip('scene'),
  '/': () => { openTab(get('tab-tracks')); get('filter').focus(); }, '?': () => get('help').showModal(),
  g: () => { get('go-to').focus(); get('go-to').select(); },
  x: () => correcting('do-swap'), m: () => correcting('do-merge'), s: () => correcting('do-split'), e: () => correcting('do-export'),
  u: () => get('do-undo').click(), r: () => get('do-redo').click(),
};

document.addEventListener('keydown', (event) => {
  const inside = event.target;
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector('dialog[open]')) return;
  if (event.key === 'Escape' && stage.tool) { stage.stop(); return; }
  const writes = inside.matches('input:not([type=checkbox]):not([type=range]), select, textarea');
  if (writes || (inside.matches('input[type=range]') && event.key !== ' ')) return;
  if (event.key === ' ' && inside.matches('button, input, summary, a')) return;
  const shown = tabs.filter((tab) => !tab.hidden);
  if (/^[1-9]$/.test(event.key) && shown[event.key - 1]) { openTab(shown[event.key - 1]); shown[event.key - 1].focus(); return; }
  if (!state.run.key && event.key !== '?') return; // there is nothing to play or to correct
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || (inside.id === 'lanes-box' && event.key.startsWith('Arrow') && event.key.length > 8)) return;
  event.preventDefault();
  act(event);
});

window.addEventListener('unhandledrejection', (event) => { event.preventDefault(); report(event.reason); });

async function begin() {
  const { runs, features, formats, session } = await ask('/api/runs');
  state.session = session; // pictures that the browser keeps are not those of another server's run
  get('formats').append(...Object.entries(formats).map(([value, textContent]) => element('option', { value, textContent })));
  state.gallery = features.includes('search');
  for (const id of ['looks-label', 'identify']) get(id).hidden = !state.gallery;
  get('lanes-choice').hidden = runs.length < 2;
  state.features = features;
  state.alone = !runs.length; // cameras alone: there is nothing to play
  for (const feature of features.filter((name) => get(`tab-${name}`))) {
    get(`tab-${feature}`).hidden = false;
    const module = await import(`./${feature}.js`);
    module.begin(state, stage);
  }
  get('run').replaceChildren(...runs.map((run) => element('option', { value: run.key, textContent: run.name })));
  const asked = new URLSearchParams(location.hash.slice(1));
  let wrong = '';
  if (runs.length) wrong = await openFirst(runs, asked);
  else get('run').parentElement.hidden = true;
  if (!state.run.key) showView(false);
  get('run').value = state.run.key;
  await restore(asked);
  if (wrong) say(wrong);
  document.body.dataset.ready = 'yes';
}

// The picture and what is known of a run; without one there are cameras and a gallery alone, or nothing.
function showView(there) {
  get('view').hidden = !there;
  document.querySelector('main').classList.toggle('alone', !there);
  for (const name of ['tracks', 'count', 'correct', 'people', 'data']) get(`tab-${name}`).hidden = !there && !(name === 'data' && state.gallery);
  const shown = [get('tab-live'), ...tabs].filter((tab) => !tab.hidden);
  get('side').hidden = !shown.length;
  if (shown.length) openTab(there ? get('tab-tracks') : shown[0]);
}

// Opens the run that the address asks for, or the first; one that cannot be read keeps nobody from the others.
async function openFirst(runs, asked) {
  const first = runs.find((run) => run.key === asked.get('run')) || runs[0];
  let wrong = '';
  for (const run of new Set([first, ...runs])) {
    try {
      await open(run.key);
      break;
    } catch (error) {
      if (!error.status) throw error; // the server is gone
      wrong = wrong || error.message;
    }
  }
  if (wrong) asked.delete('run');
  return wrong;
}

begin().catch(report);
