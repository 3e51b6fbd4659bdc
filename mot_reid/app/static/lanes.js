// Swim lanes over time: of the tracks of this run, or of the people of all runs; a click goes there. What is
// scrolled out of sight is not drawn.
import { clock, colour, element } from './api.js';

const TALL = 16; // CSS pixels of a lane
const BAND = 6; // and of a camera in a lane of several: who is in two at once is seen in both
const FOOT = 16; // of the times below
const GAP = 64; // for labels
const MOST_KEYS = 40; // cameras in the legend

// As much of a name as there is room for: its end, too, where numbers are.
const short = (label) => (label.length > 10 ? `${label.slice(0, 5)}…${label.slice(-4)}` : label);

export class Lanes {
  constructor(canvas, state) {
    this.canvas = canvas;
    this.state = state;
    this.box = document.getElementById('lanes-box');
    this.space = document.getElementById('lanes-space');
    this.line = document.getElementById('lanes-mark');
    this.kind = document.getElementById('lanes-of');
    this.tracks = []; // of this run, those that are shown
    this.people = null; // of all runs
    this.lanes = [];
    this.bands = 1;
    this.wide = 1;
    canvas.addEventListener('click', (event) => this.click(event));
    this.box.addEventListener('scroll', () => this.draw());
    this.kind.addEventListener('change', () => this.build());
    new ResizeObserver(() => this.layout()).observe(this.box);
  }

  get all() {
    return this.kind.value === 'all' && this.people !== null;
  }

  show(tracks) {
    this.tracks = tracks;
    this.build();
  }

  showPeople(found) {
    this.people = found;
    this.build();
  }

  // What is drawn: lanes with a label and stretches of time, in seconds.
  build() {
    const { run } = this.state;
    const second = (frame) => (frame - 1) / run.fps;
    if (this.all) {
      const { cameras, people } = this.people;
      this.bands = Math.min(cameras.length, 8);
      this.end = Math.max(1, ...cameras.map((camera) => camera.offset + camera.frames / camera.fps));
      this.lanes = people.map((person) => ({
        label: person.label,
        spans: person.spans.map((span) => ({ from: span.from, to: span.to, hue: span.camera + 1, band: span.camera % this.bands, span })),
      }));
    } else {
      this.bands = 1;
      this.end = Math.max(1 / run.fps, run.frames / run.fps);
      this.lanes = this.tracks.map((track) => ({
        label: this.state.label(track.id),
        id: track.id,
        spans: track.spans.map(([first, last]) => ({ from: second(first), to: second(last + 1), hue: track.id, band: 0 })),
      }));
    }
    const legend = document.getElementById('lanes-legend');
    legend.hidden = !this.all;
    const cameras = this.all ? this.people.cameras : [];
    const rest = cameras.length - MOST_KEYS;
    legend.replaceChildren(...cameras.slice(0, MOST_KEYS).map((camera, place) => {
      const swatch = element('span', { className: 'swatch' });
      swatch.style.background = colour(place + 1);
      return element('span', { className: 'key' }, swatch, ` ${camera.name}`);
    }), ...(rest > 0 ? [`and ${rest} more`] : []));
    this.layout();
  }

  get step() {
    return this.bands > 1 ? BAND * this.bands + 4 : TALL;
  }

  layout() {
    this.wide = Math.max(1, this.box.clientWidth);
    const whole = this.step * Math.max(1, this.lanes.length) + FOOT;
    this.space.style.height = `${whole}px`;
    this.tall = Math.min(whole, parseFloat(getComputedStyle(this.box).maxHeight) || 288);
    this.ratio = Math.min(devicePixelRatio || 1, 2);
    const [wide, tall] = [Math.round(this.wide * this.ratio), Math.round(this.tall * this.ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== tall) {
      this.canvas.width = wide;
      this.canvas.height = tall;
      this.canvas.style.height = `${this.tall}px`;
    }
    this.line.style.height = `${whole}px`;
    this.draw();
    this.mark();
  }

  get per() {
    return (this.wide - GAP - 2) / this.end;
  }

  draw() {
    const paper = this.canvas.getContext('2d');
    const style = getComputedStyle(document.documentElement);
    const top = this.box.scrollTop;
    paper.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    paper.fillStyle = style.getPropertyValue('--ground');
    paper.fillRect(0, 0, this.wide, this.tall);
    paper.font = '11px system-ui, sans-serif';
    paper.textBaseline = 'middle';
    const { per } = this;
    const { step } = this;
    const band = this.bands > 1 ? BAND : TALL - 6;
    const first = Math.floor(top / step);
    const last = Math.min(this.lanes.length, Math.ceil((top + this.tall - FOOT) / step));
    for (let place = first; place < last; place++) {
      const lane = this.lanes[place];
      const y = place * step - top;
      if (this.chosen(lane)) {
        paper.fillStyle = style.getPropertyValue('--raised');
        paper.fillRect(0, y, this.wide, step);
      }
      paper.fillStyle = style.getPropertyValue('--ink');
      paper.fillText(short(lane.label), 4, y + step / 2, GAP - 8);
      for (const span of lane.spans) {
        paper.fillStyle = colour(span.hue);
        const at = y + (this.bands > 1 ? 2 + band * span.band : 3);
        paper.fillRect(GAP + span.from * per, at, Math.max(1.5, (span.to - span.from) * per), this.bands > 1 ? band - 1 : band);
      }
    }
    const foot = this.tall - FOOT;
    paper.fillStyle = style.getPropertyValue('--ground');
    paper.fillRect(0, foot, this.wide, FOOT);
    paper.fillStyle = style.getPropertyValue('--soft');
    const ticks = this.wide > 500 ? 4 : 2;
    for (let tick = 0; tick <= ticks; tick++) {
      const text = clock(this.end * tick / ticks);
      const x = GAP + this.end * tick / ticks * per;
      paper.fillText(text, Math.min(x, this.wide - paper.measureText(text).width - 4), foot + FOOT / 2);
    }
  }

  chosen(lane) {
    if (!this.state.chosen) return false;
    if (!this.all) return lane.id === this.state.chosen;
    return lane.spans.some(({ span }) => span.run === this.state.run.key && span.track === this.state.chosen);
  }

  // The line at the frame that is shown: an element of its own, for lanes are dearer to draw.
  mark() {
    const camera = this.all && this.people.cameras.find((entry) => entry.run === this.state.run.key);
    const now = (this.state.frame - 1) / this.state.run.fps + (camera ? camera.offset : 0);
    this.line.style.transform = `translateX(${GAP + now * this.per - 1}px)`;
  }

  click(event) {
    const box = this.canvas.getBoundingClientRect();
    const lane = this.lanes[Math.floor((event.clientY - box.top + this.box.scrollTop) / this.step)];
    if (event.clientY - box.top > this.tall - FOOT && this.lanes.length * this.step > this.tall) return;
    const when = (event.clientX - box.left - GAP) / this.per;
    if (this.all) {
      if (!lane) return;
      const inside = event.clientY - box.top + this.box.scrollTop - this.lanes.indexOf(lane) * this.step - 2;
      const own = Math.floor(inside / BAND); // at one time in two cameras: the one that was clicked
      const away = ({ from, to, band }) => Math.max(from - when, when - to, 0) + (band === own ? 0 : 1e-6);
      const { span, from, to } = lane.spans.reduce((best, next) => (away(next) < away(best) ? next : best));
      const share = Math.min(Math.max((when - from) / Math.max(to - from, 1e-9), 0), 1);
      this.state.visit(span.run, span.track, Math.round(span.first + share * (span.last - span.first)));
      return;
    }
    const frame = Math.round(when * this.state.run.fps) + 1;
    if (lane) this.state.choose(lane.id);
    if (frame >= 1) this.state.go(frame);
    else if (lane) this.state.go(this.tracks.find((track) => track.id === lane.id).spans[0][0]);
  }
}
