// The picture with everything that is drawn over it, and drawing by hand with mouse, touch or keys.
import { colour } from './api.js';

const TRAIL = 30; // frames
const AROUND = '11rem'; // of a window's height, for what lies over and under the picture

export class Stage {
  constructor(canvas, state) {
    this.canvas = canvas;
    this.state = state;
    this.paper = canvas.getContext('2d');
    this.bitmap = null;
    this.bitmapFrame = 0;
    this.tool = null; // {kind, points, done}
    this.cursor = null; // for drawing with keys
    canvas.addEventListener('pointerdown', (event) => this.press(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    canvas.addEventListener('pointerup', (event) => this.release(event));
    canvas.addEventListener('dblclick', () => this.finish());
    canvas.addEventListener('keydown', (event) => this.key(event));
    new ResizeObserver(() => this.fit()).observe(canvas);
  }

  fit() {
    const { width, height } = this.state.run;
    if (width) this.canvas.style.maxWidth = `calc(max(100vh - ${AROUND}, 12rem) * ${width / height})`; // all of it is seen
    const wide = Math.max(1, Math.round(this.canvas.clientWidth * Math.min(devicePixelRatio || 1, 2)));
    const tall = Math.max(1, Math.round(wide * height / width));
    if (this.canvas.width !== wide || this.canvas.height !== tall) {
      this.canvas.width = wide;
      this.canvas.height = tall;
      this.canvas.style.aspectRatio = `${width} / ${height}`;
    }
    this.draw();
  }

  get scale() {
    return this.canvas.width / this.state.run.width;
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const { width, height } = this.state.run;
    const x = (event.clientX - box.left) / box.width * width;
    const y = (event.clientY - box.top) / box.height * height;
    return [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)].map((v) => Math.round(v * 10) / 10);
  }

  start(kind, done) {
    this.tool = { kind, points: [], done };
    this.cursor = null;
    this.canvas.classList.add('drawing');
    this.canvas.dispatchEvent(new Event('tool'));
    this.draw();
  }

  stop() {
    const told = this.tool;
    this.tool = null;
    this.cursor = null;
    this.canvas.classList.remove('drawing');
    this.canvas.dispatchEvent(new Event('tool'));
    this.draw();
    return told;
  }

  add(point) {
    const tool = this.tool;
    tool.points.push(point);
    if ((tool.kind === 'line' || tool.kind === 'box') && tool.points.length === 2) this.finish();
    else this.draw();
  }

  finish() {
    const tool = this.tool;
    if (!tool) return;
    const points = tool.points.filter((p, i) => !i || p[0] !== tool.points[i - 1][0] || p[1] !== tool.points[i - 1][1]);
    if (points.length < (tool.kind === 'zone' ? 3 : 2)) return;
    this.stop();
    tool.done(points);
  }

  press(event) {
    if (!this.tool) {
      const hit = this.hit(this.at(event));
      if (hit) this.state.choose(hit);
      return;
    }
    if (this.tool.kind === 'box') {
      this.canvas.setPointerCapture(event.pointerId);
      this.tool.points = [this.at(event)];
    }
  }

  move(event) {
    if (this.tool) {
      this.cursor = this.at(event);
      this.draw();
    }
  }

  release(event) {
    if (!this.tool) return;
    const point = this.at(event);
    if (this.tool.kind === 'box') {
      const [start] = this.tool.points;
      if (start && Math.abs(start[0] - point[0]) > 2 && Math.abs(start[1] - point[1]) > 2) this.add(point);
    } else this.add(point);
  }

  key(event) {
    if (!this.tool) return;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const { width, height } = this.state.run;
    const leaps = { PageUp: [0, -1 / 4], PageDown: [0, 1 / 4], Home: [-1, 0], End: [1, 0] };
    if (leaps[event.key]) {
      const [x, y] = this.cursor || [width / 2, height / 2];
      const [across, down] = leaps[event.key];
      this.cursor = [Math.min(Math.max(x + across * width, 0), width), Math.min(Math.max(y + down * height, 0), height)];
    } else if (steps[event.key]) {
      const far = (event.shiftKey ? 1 : 10) * width / 400;
      const [x, y] = this.cursor || [width / 2, height / 2];
      const [dx, dy] = steps[event.key];
      this.cursor = [Math.min(Math.max(x + dx * far, 0), width), Math.min(Math.max(y + dy * far, 0), height)];
    } else if (event.key === 'Enter') {
      this.cursor = this.cursor || [width / 2, height / 2];
      this.add(this.cursor.map((v) => Math.round(v * 10) / 10));
    } else if (event.key === 'e' || event.key === 'E') this.finish();
    else if (event.key === 'Escape') this.stop();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.draw();
  }

  hit([x, y]) {
    const found = this.state.rows.of(this.state.frame);
    if (!found) return 0;
    const { piece, from, to } = found;
    let best = 0;
    let lowest = -1;
    for (let row = from; row < to; row++) {
      const inside = x >= piece.x1[row] && x <= piece.x2[row] && y >= piece.y1[row] && y <= piece.y2[row];
      if (inside && piece.y2[row] > lowest && this.state.shown(piece.ids[row])) {
        best = piece.ids[row];
        lowest = piece.y2[row];
      }
    }
    return best;
  }

  draw() {
    const { paper, canvas, state, scale } = this;
    if (!state.run.width) return;
    paper.setTransform(1, 0, 0, 1, 0, 0);
    paper.fillStyle = '#22262b';
    paper.fillRect(0, 0, canvas.width, canvas.height);
    if (this.bitmap) {
      paper.globalAlpha = this.bitmapFrame === state.frame ? 1 : 0.35; // another frame's picture, until this one comes
      paper.drawImage(this.bitmap, 0, 0, canvas.width, canvas.height);
      paper.globalAlpha = 1;
    }
    if (state.heat) this.drawHeat();
    if (state.show.scene) this.drawScene();
    const found = state.rows.of(state.frame);
    canvas.dataset.frame = state.frame;
    canvas.dataset.boxes = found ? found.to - found.from : -1;
    if (found) {
      if (state.show.trails) this.drawTrails(found);
      if (state.show.boxes || state.show.labels) this.drawBoxes(found, scale);
    }
    if (this.tool) this.drawTool();
  }

  drawBoxes({ piece, from, to }, scale) {
    const { paper, state } = this;
    const line = Math.max(1.5, this.canvas.width / 600);
    paper.font = `${Math.max(12, Math.round(this.canvas.width / 70))}px system-ui, sans-serif`;
    paper.textBaseline = 'bottom';
    for (let row = from; row < to; row++) {
      const id = piece.ids[row];
      if (!state.shown(id)) continue;
      const [x, y] = [piece.x1[row] * scale, piece.y1[row] * scale];
      paper.strokeStyle = colour(id);
      paper.lineWidth = id === state.chosen ? 2.5 * line : line;
      paper.setLineDash(piece.predicted[row] ? [6, 4] : []);
      if (state.show.boxes) paper.strokeRect(x, y, piece.x2[row] * scale - x, piece.y2[row] * scale - y);
      paper.setLineDash([]);
      if (!state.show.labels) continue;
      const text = state.label(id);
      const tall = parseInt(paper.font, 10) + 4;
      const [left, top, wide] = this.inside(text, x, y >= tall ? y - tall : y, tall);
      paper.fillStyle = 'rgb(0 0 0 / 72%)';
      paper.fillRect(left, top, wide, tall);
      paper.fillStyle = '#fff';
      paper.fillText(text, left + 3, top + tall - 2);
      paper.fillStyle = colour(id);
      paper.fillRect(left, top, 3, tall);
    }
  }

  // Where a text is written that would be cut off at an edge: its left, its top, and how wide it is.
  inside(text, left, top, tall) {
    const wide = this.paper.measureText(text).width + 6;
    const within = (at, most) => Math.max(Math.min(at, most), 0);
    return [within(left, this.canvas.width - wide), within(top, this.canvas.height - tall), wide];
  }

  drawTrails() {
    const { paper, state, scale } = this;
    const paths = new Map();
    for (let frame = Math.max(1, state.frame - TRAIL); frame <= state.frame; frame++) {
      const found = state.rows.of(frame);
      if (!found) continue;
      const { piece, from, to } = found;
      for (let row = from; row < to; row++) {
        const id = piece.ids[row];
        if (!state.shown(id)) continue;
        if (!paths.has(id)) paths.set(id, []);
        paths.get(id).push([(piece.x1[row] + piece.x2[row]) / 2 * scale, piece.y2[row] * scale]);
      }
    }
    paper.lineWidth = Math.max(1.5, this.canvas.width / 500);
    for (const [id, path] of paths) {
      paper.strokeStyle = colour(id);
      paper.beginPath();
      path.forEach(([x, y], place) => (place ? paper.lineTo(x, y) : paper.moveTo(x, y)));
      paper.stroke();
    }
  }

  drawScene() {
    const { paper, state, scale } = this;
    paper.font = `600 ${Math.max(12, Math.round(this.canvas.width / 65))}px system-ui, sans-serif`;
    paper.textBaseline = 'bottom';
    for (const [name, zone] of Object.entries(state.scene.zones)) {
      this.shape(zone.polygon, true, '#ffd166', 'rgb(255 209 102 / 18%)');
      this.word(name, zone.polygon[0], scale);
    }
    for (const [name, line] of Object.entries(state.scene.lines)) {
      this.shape([line.from, line.to], false, '#ff5d8f', null);
      const [ax, ay] = line.from;
      const [bx, by] = line.to;
      const length = Math.hypot(bx - ax, by - ay) || 1;
      const [mx, my] = [(ax + bx) / 2, (ay + by) / 2];
      const reach = state.run.width / 40; // to the side of the first direction, which has its name there
      const tip = [mx - (by - ay) / length * reach, my + (bx - ax) / length * reach];
      this.shape([[mx, my], tip], false, '#ff5d8f', null);
      this.word((line.directions || ['in'])[0], tip, scale);
      this.word(name, line.from, scale);
    }
  }

  shape(points, closed, stroke, fill) {
    const { paper, scale } = this;
    paper.beginPath();
    points.forEach(([x, y], place) => (place ? paper.lineTo(x * scale, y * scale) : paper.moveTo(x * scale, y * scale)));
    if (closed) paper.closePath();
    if (fill) {
      paper.fillStyle = fill;
      paper.fill();
    }
    paper.strokeStyle = stroke;
    paper.lineWidth = Math.max(2, this.canvas.width / 400);
    paper.stroke();
  }

  word(text, [x, y], scale) {
    const tall = parseInt(this.paper.font.split(' ')[1], 10) + 4;
    const [left, top] = this.inside(text, x * scale + 1, y * scale - tall, tall);
    this.paper.lineWidth = 3;
    this.paper.strokeStyle = '#000';
    this.paper.fillStyle = '#fff';
    this.paper.strokeText(text, left + 3, top + tall - 2);
    this.paper.fillText(text, left + 3, top + tall - 2);
  }

  drawHeat() {
    const { paper, state, scale } = this;
    const { cell, values } = state.heat;
    const flat = values.flat().filter((value) => value > 0).sort((a, b) => a - b);
    const top = flat.length ? flat[Math.floor(0.99 * (flat.length - 1))] : 1;
    values.forEach((line, row) => line.forEach((value, column) => {
      if (!value) return;
      const share = Math.sqrt(Math.min(value / top, 1));
      paper.fillStyle = `hsl(${Math.round(240 - 240 * share)} 90% 50% / ${Math.round(25 + 45 * share)}%)`;
      paper.fillRect(column * cell * scale, row * cell * scale, cell * scale + 0.5, cell * scale + 0.5);
    }));
  }

  drawTool() {
    const { paper, scale, tool } = this;
    const points = this.cursor ? [...tool.points, this.cursor] : tool.points;
    if (tool.kind === 'box' && points.length === 2) {
      const [[x1, y1], [x2, y2]] = points;
      this.shape([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], true, '#fff', 'rgb(255 255 255 / 15%)');
    } else if (points.length > 1) this.shape(points, false, '#fff', null);
    if (this.cursor) {
      const [x, y] = [this.cursor[0] * scale, this.cursor[1] * scale];
      paper.strokeStyle = '#fff';
      paper.lineWidth = 1.5;
      paper.beginPath();
      paper.moveTo(x - 12, y);
      paper.lineTo(x + 12, y);
      paper.moveTo(x, y - 12);
      paper.lineTo(x, y + 12);
      paper.stroke();
    }
    for (const [x, y] of tool.points) {
      paper.fillStyle = '#fff';
      paper.fillRect(x * scale - 3, y * scale - 3, 6, 6);
    }
  }
}
