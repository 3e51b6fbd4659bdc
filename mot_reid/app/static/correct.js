// Corrections: each is an entry of a log on the server; nothing is overwritten.
import { ask, element } from './api.js';

const get = (id) => document.getElementById(id);

function told(entry) {
  const until = entry.until ? ` until ${entry.until}` : '';
  const from = entry.frame ? ` from frame ${entry.frame}${until}` : '';
  switch (entry.kind) {
    case 'merge': return `${entry.ids[1]} is ${entry.ids[0]}`;
    case 'split': return `${entry.id} is ${entry.new}${from}`;
    case 'swap': return `${entry.ids[0]} and ${entry.ids[1]} swapped${from}`;
    case 'rename': return entry.name ? `${entry.id} is called ${entry.name}` : `${entry.id} has no name`;
    case 'delete': return `${entry.id} deleted${from}`;
    default: return `box for ${entry.id} in frame ${entry.frame}`;
  }
}

export class Correct {
  constructor(state, stage) {
    this.state = state;
    this.stage = stage;
    const one = () => this.number('one', 'Track');
    const both = () => [one(), this.number('other', 'Other track')];
    const frame = () => state.frame;
    const acts = {
      rename: () => ({ kind: 'rename', id: one(), name: get('name').value }),
      merge: () => ({ kind: 'merge', ids: both() }),
      split: () => ({ kind: 'split', id: one(), frame: frame() }),
      swap: () => ({ kind: 'swap', ids: both(), frame: frame() }),
      move: () => ({ kind: 'swap', ids: both(), frame: frame(), until: this.number('until', 'Swap until frame') }),
      'delete-box': () => ({ kind: 'delete', id: one(), frame: frame(), until: frame() + 1 }),
      delete: () => ({ kind: 'delete', id: one() }),
      box: () => ({ kind: 'box', id: one(), frame: frame(), xyxy: get('box').value.trim().split(/[\s,]+/).map(Number), fill: get('fill').checked }),
      undo: () => ({ kind: 'undo', seen: this.state.run.logged }), // the last one that is shown here, no other
      redo: () => ({ kind: 'redo', seen: this.state.run.logged }),
    };
    for (const [name, make] of Object.entries(acts)) {
      get(`do-${name}`).addEventListener('click', () => this.send(make));
    }
    stage.canvas.addEventListener('tool', () => this.press());
    get('draw-box').addEventListener('click', () => this.draw());
    get('do-export').addEventListener('click', () => this.export());
    get('do-score').addEventListener('click', () => this.score().catch((error) => this.state.say(error.message)));
  }

  number(id, what) {
    const value = Number(get(id).value);
    if (!Number.isInteger(value) || value < 1) {
      get(id).focus();
      throw new Error(`${what}: which one?`);
    }
    return value;
  }

  choose(id) {
    const before = Number(get('one').value);
    if (before && before !== id) get('other').value = before; // the one before is the other
    get('one').value = id || '';
    get('name').value = this.state.run.names[id] || '';
  }

  show() {
    const { run } = this.state;
    get('do-undo').disabled = !run.held;
    get('do-undo').title = run.held ? told(run.corrections.at(-1)) : '';
    get('do-redo').disabled = !run.can_redo;
    get('do-score').hidden = !run.truth;
    get('score').replaceChildren();
    const last = run.corrections.slice(-50);
    get('log').replaceChildren(...last.map((entry) => element('li', { textContent: told(entry) })));
    get('log').start = Math.max(1, run.held - last.length + 1);
    if (run.refused && run.refused.length) this.state.say(`No longer fits: ${run.refused.join('; ')}`);
  }

  draw() {
    if (this.stage.tool) this.stage.stop();
    const id = Number(get('one').value) || this.state.run.next_id;
    if (!id) { // nobody knows which ids there are
      this.state.say('The tracks are still being read.');
      return;
    }
    this.stage.start('box', ([a, b]) => {
      const xyxy = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
      get('one').value = id;
      this.send(() => ({ kind: 'box', id, frame: this.state.frame, xyxy, fill: get('fill').checked }));
    });
    this.stage.canvas.focus();
  }

  press() {
    get('draw-box').setAttribute('aria-pressed', Boolean(this.stage.tool && this.stage.tool.kind === 'box'));
  }

  async send(make) {
    const before = this.state.run;
    const address = `/api/runs/${before.key}`;
    try {
      const entry = make();
      const run = await ask(`${address}/corrections`, 'POST', entry);
      const [undone, redone] = [before.corrections.at(-1), run.corrections.at(-1)];
      const what = { undo: undone && `Undone: ${told(undone)}.`, redo: redone && `Done again: ${told(redone)}.` };
      this.took(run, what[entry.kind] || '');
    } catch (error) {
      if (error.status !== 409) {
        this.state.say(error.message);
        return;
      }
      const run = await ask(address);
      const last = run.held ? `the last correction is now "${told(run.corrections.at(-1))}"` : 'no correction is left';
      this.took(run, `Nothing was done: ${error.message}, and ${last}.`);
    }
  }

  took(run, text) {
    if (run.key === this.state.run.key) { // else another one is shown by now
      this.state.say(text);
      this.state.take(run);
    }
    document.dispatchEvent(new CustomEvent('corrected'));
  }

  // How good the tracks are by the ground truth, as they were found and as they are now.
  async score() {
    get('score').textContent = 'Scoring …';
    try {
      const { measures, before, after } = await ask(`/api/runs/${this.state.run.key}/score`);
      const number = (value) => (value === null ? '–' : Number.isInteger(value) ? String(value) : value.toFixed(1));
      const row = (kind, cells) => element('tr', {}, ...cells.map((text, place) => element(kind, { textContent: text, className: place ? 'number' : '' })));
      get('score').replaceChildren(element('table', {},
        element('thead', {}, row('th', ['', 'before', 'after'])),
        element('tbody', {}, ...measures.map((name) => row('td', [name, number(before[name]), number(after[name])])))));
    } catch (error) {
      get('score').replaceChildren();
      throw error;
    }
  }

  // A long run takes a while, in which the page goes on; each file has its link when it is whole.
  async export() {
    const address = `/api/runs/${this.state.run.key}/export`;
    const format = get('formats').value;
    let told = await ask(address, 'POST', { formats: format ? [format] : [] });
    for (;;) {
      if (!address.includes(`/${this.state.run.key}/`)) return; // another run is shown
      const { files, folder, working, share, failed } = told;
      get('exporting').textContent = failed || (working && `${working}: ${Math.round(100 * share)} %`);
      get('exported').replaceChildren(...files.map((file) => element('li', {}, file.folder ? `${folder}/${file.name}`
        : element('a', { href: `${address}/${encodeURIComponent(file.name)}`, textContent: file.name, download: file.name }))));
      if (!working) return;
      await new Promise((resolve) => setTimeout(resolve, 300));
      told = await ask(address);
    }
  }
}
