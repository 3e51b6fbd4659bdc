// Everybody, over all runs: best pictures, where and when, what they look like; who is who.
import { ask, clock, counted, element } from './api.js';

const get = (id) => document.getElementById(id);
const AT_ONCE = 60; // cards
const PICTURES = 6; // of a person
const LIKELY = 0.5;

// A picture that did not come: there is none, or its video is still read through.
async function again(image) {
  const answer = await fetch(image.src).catch(() => ({ ok: false }));
  if (!answer.ok) image.remove();
  else setTimeout(() => { if (image.isConnected) image.src = `${image.src}&`; }, answer.status === 202 ? 1000 : 0);
}

export class People {
  constructor(state, lanes) {
    this.state = state;
    this.lanes = lanes;
    this.found = null;
    this.fitting = null; // probability by run and track, while somebody is described
    this.stale = true;
    this.many = AT_ONCE;
    this.version = 0;
    get('who').addEventListener('input', () => this.show());
    get('people-camera').addEventListener('change', () => this.show());
    get('looks').addEventListener('change', () => this.describe().catch((error) => state.say(error.message)));
    get('looks').addEventListener('keydown', (event) => event.key === 'Enter' && this.describe().catch((error) => state.say(error.message)));
    get('people-more').addEventListener('click', () => { this.many += AT_ONCE; this.show(); });
    get('identify').addEventListener('click', () => this.identify());
    get('naming-no').addEventListener('click', () => get('naming').close());
    get('naming-name').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault(); // it would press the button that asked for the name, too, and ask again
      get('naming-yes').click();
    });
    get('lanes-of').addEventListener('change', () => this.load().catch((error) => state.say(error.message)));
    document.addEventListener('tab', (event) => event.detail === 'tab-people' && this.load().catch((error) => state.say(error.message)));
    document.addEventListener('returned', () => this.found && this.renew().catch((error) => state.say(error.message)));
    document.addEventListener('corrected', () => {
      this.stale = true;
      this.version++;
      if (!get('panel-people').hidden || this.lanes.all) this.load().catch((error) => state.say(error.message));
    });
  }

  // People may be others by what was done in another window; their pictures stay where they are not.
  async renew() {
    if (get('panel-people').hidden && !this.lanes.all) {
      this.stale = true;
      return;
    }
    const found = await ask('/api/people');
    if (JSON.stringify(found) === JSON.stringify(this.found)) return;
    this.version++;
    this.take(found);
  }

  async load() {
    if (!this.stale) return;
    this.stale = false;
    if (!this.found) get('people-count').textContent = 'Reading …';
    try {
      this.take(await ask('/api/people'));
    } catch (error) {
      this.stale = true;
      if (!this.found) get('people-count').textContent = ''; // it reads no longer
      throw error;
    }
  }

  take(found) {
    this.found = found;
    const before = get('people-camera').value;
    get('people-camera').replaceChildren(element('option', { value: '', textContent: 'all' }),
      ...found.cameras.map((camera) => element('option', { value: camera.run, textContent: camera.name })));
    get('people-camera').value = before;
    this.lanes.showPeople(found);
    this.show();
  }

  async describe() {
    const text = get('looks').value.trim();
    if (text === this.described) return;
    this.described = text;
    this.fitting = null;
    if (text) {
      try {
        const { tracks } = await ask('/api/people/fits', 'POST', { describe: text });
        this.fitting = new Map(tracks.map((entry) => [`${entry.run}:${entry.track}`, entry.probability]));
        this.state.say('');
      } catch (error) {
        this.described = null;
        throw error;
      }
    }
    this.show();
  }

  async identify() {
    get('identify').disabled = true;
    get('people-count').textContent = 'Looking who is who …';
    try {
      this.take(await ask('/api/people/identify', 'POST', {}));
      this.state.say(`${this.found.people_in_all} people; corrections are obeyed.`);
    } catch (error) {
      this.show();
      this.state.say(error.message);
    } finally {
      get('identify').disabled = false;
    }
  }

  // One name joins people, and two part them: of all tracks of somebody at once.
  ask(person) {
    const named = this.found.people.filter((one) => one.named).map((one) => one.label);
    get('naming-title').textContent = `Who is ${person.label}?`;
    get('naming-name').value = person.named ? person.label : '';
    get('naming-known').replaceChildren(...named.map((value) => element('option', { value })));
    get('naming-yes').onclick = () => {
      get('naming').close();
      this.name(person, get('naming-name').value.trim()).catch((error) => this.state.say(error.message));
    };
    get('naming').showModal();
  }

  async name(person, name) {
    const tracks = new Map(person.spans.map((span) => [`${span.run}:${span.track}`, span]));
    try {
      for (const { run, track } of tracks.values()) {
        const summary = await ask(`/api/runs/${run}/corrections`, 'POST', { kind: 'rename', id: track, name });
        if (run === this.state.run.key) this.state.take(summary);
      }
      this.state.say('');
    } finally {
      document.dispatchEvent(new CustomEvent('corrected'));
    }
  }

  fit(person) {
    return Math.max(...person.spans.map((span) => this.fitting.get(`${span.run}:${span.track}`) || 0));
  }

  show() {
    if (!this.found) return;
    const text = get('who').value.trim().toLowerCase();
    const camera = get('people-camera').value;
    let people = this.found.people.filter((person) => (!camera || person.spans.some((span) => span.run === camera))
      && (!text || person.label.toLowerCase().includes(text) || person.spans.some((span) => String(span.track) === text)));
    let told = '';
    if (this.fitting) {
      people = people.map((person) => [this.fit(person), person]).sort((a, b) => b[0] - a[0]);
      const sure = people.filter(([fit]) => fit >= LIKELY);
      told = sure.length ? ', the likeliest first' : '; nobody fits well, these come nearest';
      people = (sure.length ? sure : people.slice(0, 6)).map(([fit, person]) => ({ ...person, fit }));
    }
    told += this.found.left_out.map((problem) => `; left out: ${problem}`).join('');
    const shown = people.slice(0, this.many);
    get('people-count').textContent = `${people.length} of ${this.found.people_in_all}${told}${people.length > shown.length ? `; the first ${shown.length} are shown` : ''}`;
    get('people-more').hidden = people.length <= shown.length;
    get('people-list').replaceChildren(...shown.map((person) => this.card(person, camera)));
  }

  card(person, camera) {
    const spans = camera ? person.spans.filter((span) => span.run === camera) : person.spans;
    const tracks = [...new Map(spans.map((span) => [`${span.run}:${span.track}`, span])).values()];
    const pictures = tracks.slice(0, PICTURES).map((span) => {
      const image = element('img', { alt: `${person.label} in ${this.found.cameras[span.camera].name}`, loading: 'lazy', src: `/api/runs/${span.run}/crops/${span.track}?v=${this.version}` });
      image.addEventListener('error', () => again(image));
      return image;
    });
    const fit = person.fit === undefined ? '' : ` · ${Math.round(100 * person.fit)} %`;
    const several = this.found.cameras.length > 1;
    const places = spans.slice(0, 20).map((span) => {
      const where = several ? `${this.found.cameras[span.camera].name} ` : '';
      const when = `${clock((span.first - 1) / this.found.cameras[span.camera].fps)} to ${clock((span.last - 1) / this.found.cameras[span.camera].fps)}`;
      const button = element('button', { type: 'button', textContent: `${where}${when}`, 'aria-label': `Go to ${person.label}: ${where}${when}` });
      button.addEventListener('click', () => this.state.visit(span.run, span.track, span.first));
      return element('li', {}, button);
    });
    const more = spans.length > places.length ? [element('li', { textContent: `and ${spans.length - places.length} more` })] : [];
    const words = person.attributes.length ? [element('p', { className: 'hint', textContent: person.attributes.join(', ') })] : [];
    const forget = element('button', { type: 'button', textContent: 'Forget', 'aria-label': `Forget ${person.label}` });
    const name = element('button', { type: 'button', textContent: 'Name', 'aria-label': `Name ${person.label}` });
    name.addEventListener('click', () => this.ask(person));
    const known = counted(person.records.length, 'tracklet');
    forget.addEventListener('click', () => this.state.forget({ records: person.records }, `${person.label} (${known})`));
    return element('li', {}, element('div', { className: 'pictures' }, ...pictures),
      element('strong', { textContent: `${person.label}${fit}` }), ...words, element('ul', {}, ...places, ...more),
      name, ...(person.records.length ? [' ', forget] : []));
  }
}
