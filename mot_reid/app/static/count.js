// Lines and zones: drawn, edited as text, counted at once.
import { ask, clock, element } from './api.js';

const get = (id) => document.getElementById(id);
const MOST_EVENTS = 300; // in the list
const MOST_ROWS = 600; // of the counts over time
const text = (points) => points.map(([x, y]) => `${x},${y}`).join(' ');

function parsed(value, least) {
  const points = value.trim().split(/\s+/).map((pair) => pair.split(',').map(Number));
  const fine = points.length >= least && points.every((p) => p.length === 2 && p.every(Number.isFinite));
  if (!fine) throw new Error(`expected at least ${least} points such as 100,200 300,200`);
  return points;
}

export class Count {
  constructor(state, stage) {
    this.state = state;
    this.stage = stage;
    this.asked = 0;
    this.unfolded = false; // the counts over time
    for (const kind of ['line', 'zone']) {
      get(`draw-${kind}`).addEventListener('click', () => this.begin(kind));
    }
    stage.canvas.addEventListener('tool', () => this.press());
    get('keep-scene').addEventListener('click', () => this.keep());
    get('heat').addEventListener('change', () => this.heat());
  }

  begin(kind) {
    if (this.stage.tool) this.stage.stop();
    this.stage.start(kind, (points) => {
      const group = kind === 'line' ? this.state.scene.lines : this.state.scene.zones;
      let number = 1;
      while (this.state.scene.lines[`${kind} ${number}`] || this.state.scene.zones[`${kind} ${number}`]) number++;
      group[`${kind} ${number}`] = kind === 'line' ? { from: points[0], to: points[1] } : { polygon: points };
      this.show();
    });
    this.stage.canvas.focus();
  }

  press() {
    for (const kind of ['line', 'zone']) {
      const on = this.stage.tool !== null && this.stage.tool.kind === kind;
      get(`draw-${kind}`).setAttribute('aria-pressed', on);
    }
  }

  show() {
    this.press();
    const { lines, zones } = this.state.scene;
    get('scene-list').replaceChildren(
      ...Object.keys(lines).map((name) => this.place(name, lines, 'line')),
      ...Object.keys(zones).map((name) => this.place(name, zones, 'zone')),
    );
    this.stage.draw();
    this.count();
  }

  place(name, group, kind) {
    const entry = group[name];
    const points = kind === 'line' ? [entry.from, entry.to] : entry.polygon;
    const title = element('input', { type: 'text', value: name, maxLength: 40 });
    const corners = element('input', { type: 'text', value: text(points) });
    const gone = element('button', { type: 'button', textContent: 'Remove', 'aria-label': `Remove ${name}` });
    title.addEventListener('change', () => {
      const wanted = title.value.trim();
      if (!wanted || this.state.scene.lines[wanted] || this.state.scene.zones[wanted]) {
        title.value = name;
        return;
      }
      delete group[name];
      group[wanted] = entry;
      this.show();
    });
    corners.addEventListener('change', () => {
      try {
        const moved = parsed(corners.value, kind === 'line' ? 2 : 3);
        if (kind === 'line') [entry.from, entry.to] = moved;
        else entry.polygon = moved;
        this.state.say('');
        this.show();
      } catch (error) {
        this.state.say(error.message);
      }
    });
    gone.addEventListener('click', () => { delete group[name]; this.show(); get(`draw-${kind}`).focus(); });
    return element('div', { className: 'place' },
      element('label', { className: 'wide' }, kind === 'line' ? 'Line ' : 'Zone ', title),
      element('label', { className: 'wide' }, 'Points ', corners), gone);
  }

  async count() {
    const { lines, zones } = this.state.scene;
    const asked = ++this.asked;
    this.last = null;
    if (!Object.keys(lines).length && !Object.keys(zones).length && !get('heat').value) {
      get('counts').replaceChildren();
      get('events').replaceChildren();
      get('events-told').textContent = '';
      this.state.zoneVisitors = {};
      return;
    }
    const slow = setTimeout(() => { if (asked === this.asked) get('counts').textContent = 'Counting …'; }, 400);
    const found = await ask(`/api/runs/${this.state.run.key}/count`, 'POST', this.state.scene).finally(() => clearTimeout(slow));
    if (asked !== this.asked) return; // something newer was asked meanwhile
    this.last = found;
    this.state.zoneVisitors = Object.fromEntries(Object.entries(found.visitors).map(([zone, tracks]) => [zone, new Set(tracks)]));
    this.table(found);
    this.heat();
  }

  table(found) {
    const tables = [];
    const table = (titles, rows) => {
      const head = element('tr', {}, ...titles.map((title, place) => element('th', { textContent: title, scope: 'col', className: place ? 'number' : '' })));
      const body = rows.map((row) => element('tr', {}, ...row.map((cell, place) => element('td', { textContent: cell ?? '–', className: place ? 'number' : '' }))));
      tables.push(element('table', {}, element('thead', {}, head), element('tbody', {}, ...body)));
    };
    const lines = Object.entries(found.lines);
    if (lines.length) {
      table(['line', 'crossings', 'people'], lines.flatMap(([name, entry]) => Object.keys(entry.objects).map(
        (way) => [`${name}: ${way}`, entry[way], entry.objects[way]])));
    }
    const zones = Object.entries(found.zones);
    if (zones.length) {
      table(['zone', 'visits', 'people', 'mean s', 'longest s'], zones.map(([name, entry]) => [
        name, entry.visits, entry.objects, entry.mean_dwell, entry.longest_dwell]));
    }
    const queues = Object.entries(found.queues);
    if (queues.length) {
      table(['queue', 'served', 'gave up', 'mean s', 'longest s'], queues.map(([name, entry]) => [
        name, entry.served, entry.given_up, entry.mean_wait, entry.longest_wait]));
    }
    const shown = tables.splice(0);
    const { median, unit } = found.speed;
    shown.push(element('p', { textContent: `At most ${found.most_at_once} at once${median === null ? '' : `; speed ${median} ${unit} (median)`}.` }));
    const series = [...new Set(found.series.flatMap(Object.keys))].filter((name) => name !== 'start').sort();
    if (series.length) {
      table(['from', ...series], found.series.slice(0, MOST_ROWS).map((row) => [clock(row.start), ...series.map((name) => row[name] ?? 0)]));
      const box = element('div', { className: 'over-time', tabIndex: 0, role: 'group', 'aria-label': 'Counts over time' }, ...tables);
      shown.push(element('details', { open: this.unfolded }, element('summary', { textContent: 'Over time' }), box));
      shown.at(-1).addEventListener('toggle', (event) => { this.unfolded = event.target.open; });
    }
    get('counts').replaceChildren(...shown);
    const listed = found.events.slice(0, MOST_EVENTS);
    get('events-told').textContent = found.events_in_all > listed.length ? `The first ${listed.length} of ${found.events_in_all}.` : '';
    get('events').replaceChildren(...listed.map((event) => {
      const what = event.direction ? `${event.place}: ${event.direction}` : `${event.place}: ${event.kind}`;
      const button = element('button', { type: 'button', textContent: `${clock(event.time)} ${what}, ${this.state.label(event.track)}` });
      button.addEventListener('click', () => this.state.visit(this.state.run.key, event.track, event.frame));
      return element('li', {}, button);
    }));
  }

  heat() {
    const kind = get('heat').value;
    if (kind && !this.last) {
      this.count().catch((error) => this.state.say(error.message));
      return;
    }
    this.state.heat = kind && this.last.heat ? { cell: this.last.heat.cell, values: this.last.heat[kind] } : null;
    this.stage.draw();
  }

  async keep() {
    const { width, height } = this.state.run;
    const scene = { ...this.state.scene, size: [width, height] };
    const address = `/api/runs/${this.state.run.key}/scene`;
    const there = await ask(address).catch(() => ({})); // one that is damaged was told of when the run was opened
    if (JSON.stringify(there) !== this.state.kept) {
      const places = [...Object.keys(there.lines || {}), ...Object.keys(there.zones || {})].join(', ');
      const meanwhile = `scene.yaml was changed elsewhere meanwhile, and has ${places || 'no line and no zone'}. Write over it?`;
      if (!await this.state.sure(meanwhile, 'Write over', 'Leave it')) return;
    }
    const kept = await ask(address, 'PUT', scene);
    this.state.kept = JSON.stringify(kept);
    this.state.scene = kept;
    this.state.say('Kept in scene.yaml, which --analytics and mot-reid count read.');
  }
}
