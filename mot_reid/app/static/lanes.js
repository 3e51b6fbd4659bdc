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
    this.wide = 1;
    this.line = document.getElementById('lanes-mark');
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
    const paper = this.canvas.getContext('2d');
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

  // The line at the frame that is shown: an element of its own, for the lanes are many and dear to draw.
  mark() {
    const per = (this.wide - GAP) / Math.max(1, this.state.run.frames);
    this.line.style.transform = `translateX(${GAP + (this.state.frame - 1) * per - 1}px)`;
    this.line.style.height = this.canvas.style.height;
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
