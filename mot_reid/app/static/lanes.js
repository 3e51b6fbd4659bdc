// Swim lanes: one line for each track over time; a click goes there.
import { colour } from './api.js';

const TALL = 16; // CSS pixels of a lane
const MOST = 1500; // lanes drawn; filter to see others
const GAP = 64; // CSS pixels for labels

export class Lanes {
  constructor(canvas, state) {
    this.canvas = canvas;
    this.state = state;
    this.tracks = [];
    this.base = null;
    canvas.addEventListener('click', (event) => this.click(event));
    new ResizeObserver(() => this.layout()).observe(canvas.parentElement);
  }

  show(tracks) {
    this.tracks = tracks.slice(0, MOST);
    this.layout();
  }

  layout() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const wide = Math.max(1, this.canvas.parentElement.clientWidth);
    const tall = Math.max(TALL, TALL * this.tracks.length);
    this.ratio = Math.min(ratio, 16000 / tall); // browsers limit a canvas's height
    this.canvas.width = Math.round(wide * this.ratio);
    this.canvas.height = Math.round(tall * this.ratio);
    this.canvas.style.height = `${tall}px`;
    this.base = document.createElement('canvas');
    [this.base.width, this.base.height] = [this.canvas.width, this.canvas.height];
    const paper = this.base.getContext('2d');
    paper.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const style = getComputedStyle(document.documentElement);
    paper.fillStyle = style.getPropertyValue('--ground');
    paper.fillRect(0, 0, wide, tall);
    paper.font = '11px system-ui, sans-serif';
    paper.textBaseline = 'middle';
    this.wide = wide;
    const per = (wide - GAP) / Math.max(1, this.state.run.frames);
    this.tracks.forEach((track, place) => {
      const y = place * TALL;
      if (track.id === this.state.chosen) {
        paper.fillStyle = style.getPropertyValue('--raised');
        paper.fillRect(0, y, wide, TALL);
      }
      paper.fillStyle = style.getPropertyValue('--ink');
      paper.fillText(this.state.label(track.id).slice(0, 10), 4, y + TALL / 2);
      paper.fillStyle = colour(track.id);
      for (const [first, last] of track.spans) {
        paper.fillRect(GAP + (first - 1) * per, y + 3, Math.max(1.5, (last - first + 1) * per), TALL - 6);
      }
    });
    this.mark();
  }

  mark() {
    if (!this.base) return;
    const paper = this.canvas.getContext('2d');
    paper.setTransform(1, 0, 0, 1, 0, 0);
    paper.drawImage(this.base, 0, 0);
    paper.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const per = (this.wide - GAP) / Math.max(1, this.state.run.frames);
    paper.fillStyle = '#e63946';
    paper.fillRect(GAP + (this.state.frame - 1) * per - 1, 0, 2, this.canvas.height);
  }

  click(event) {
    const box = this.canvas.getBoundingClientRect();
    const track = this.tracks[Math.floor((event.clientY - box.top) / TALL)];
    const per = (this.wide - GAP) / Math.max(1, this.state.run.frames);
    const frame = Math.round((event.clientX - box.left - GAP) / per) + 1;
    if (track) this.state.choose(track.id);
    if (frame >= 1) this.state.go(frame);
    else if (track) this.state.go(track.spans[0][0]);
  }
}
