// Looking for somebody: a picture that is dropped, a box in the video, a track of the gallery, a description.
import { ask, clock, counted, element, reach } from './api.js';

export function begin(state, stage) {
  const panel = document.getElementById('panel-search');
  const file = element('input', { type: 'file', accept: 'image/*' });
  const drop = element('div', { className: 'drop' },
    element('label', { className: 'wide' }, 'A picture: choose it, or drop it here ', file));
  const drawn = element('button', { type: 'button', textContent: 'Draw a box in the video', 'aria-pressed': 'false' });
  const chosen = element('button', { type: 'button', textContent: 'The chosen track' });
  const words = element('input', { type: 'text', autocomplete: 'off' });
  const look = element('button', { type: 'button', textContent: 'Look' });
  const told = element('p', { role: 'status' });
  const hits = element('div', { className: 'cards' });
  panel.append(drop, element('p', { hidden: state.alone }, drawn, ' ', chosen),
    element('label', { className: 'wide' }, 'A description, or a track of the gallery such as door:17 ', words),
    look, told, hits);

  async function run(work) {
    told.textContent = 'Looking …';
    hits.replaceChildren();
    try {
      show(await work());
    } catch (error) {
      told.textContent = error.message;
    }
  }

  const byPicture = (picture, box) => run(async () => {
    const answer = await reach(`/api/search/picture${box ? `?box=${box}` : ''}`, { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: picture });
    const found = await answer.json().catch(() => ({}));
    if (found.people) await offer(picture, found.people);
    if (!answer.ok) throw new Error(found.error || (answer.status === 413 ? 'the picture is too large' : `the server answered ${answer.status}`));
    return found;
  });

  // Several people are in a picture, or nobody that was found: who is meant is chosen from what is shown.
  async function offer(picture, people) {
    const image = await createImageBitmap(picture);
    const boxes = people.length ? people : [[0, 0, image.width, image.height]];
    hits.replaceChildren(...boxes.map(([x1, y1, x2, y2], place) => {
      const part = element('canvas', { width: x2 - x1, height: y2 - y1 });
      part.getContext('2d').drawImage(image, -x1, -y1);
      const name = people.length ? `This one: ${place + 1}` : 'All of it is one person';
      const choice = element('button', { type: 'button', textContent: name });
      choice.addEventListener('click', () => byPicture(picture, [x1, y1, x2, y2].join()));
      return element('figure', {}, part, choice);
    }));
  }
  const byBox = (box, frame) => run(() => ask('/api/search', 'POST', { run: state.run.key, frame, box }));

  file.addEventListener('change', () => file.files[0] && byPicture(file.files[0]));
  drop.addEventListener('dragover', (event) => event.preventDefault());
  drop.addEventListener('drop', (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) byPicture(event.dataTransfer.files[0]);
  });
  stage.canvas.addEventListener('tool', () => drawn.setAttribute('aria-pressed', Boolean(stage.tool && stage.tool.search)));
  drawn.addEventListener('click', () => {
    if (stage.tool) stage.stop();
    stage.start('box', ([a, b]) => byBox([Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])], state.frame));
    stage.tool.search = true;
    drawn.setAttribute('aria-pressed', 'true');
    stage.canvas.focus();
  });
  chosen.addEventListener('click', () => {
    const found = state.rows.of(state.frame);
    if (found) {
      for (let row = found.from; row < found.to; row++) {
        if (found.piece.ids[row] === state.chosen) {
          byBox(['x1', 'y1', 'x2', 'y2'].map((side) => found.piece[side][row]), state.frame);
          return;
        }
      }
    }
    told.textContent = 'Choose a track that is in this frame.';
  });
  const text = () => {
    const value = words.value.trim();
    if (value) run(() => ask('/api/search', 'POST', /^\S.*:\d+(\.\d+)?(@[^:@]+)?$/.test(value) ? { track: value } : { describe: value }));
  };
  look.addEventListener('click', text);
  words.addEventListener('keydown', (event) => event.key === 'Enter' && text());

  function show(found) {
    const nobody = Math.round(100 * found.absent);
    told.textContent = `${found.hits.length} of ${counted(found.searched, 'tracklet')}, the likeliest first. Not among them: ${nobody} %.`;
    hits.replaceChildren(...found.hits.map((hit) => {
      const picture = element('img', { src: `/api/search/crops/${encodeURIComponent(hit.record)}`, alt: `Picture of ${hit.track}`, loading: 'lazy' });
      const time = (seconds) => (hit.epoch === null ? clock(seconds) : new Date((hit.epoch + seconds) * 1000).toLocaleString());
      const when = `${time(hit.start)} to ${time(hit.end)}`;
      const label = element('figcaption', { textContent: `${hit.track}: ${Math.round(100 * hit.probability)} %, ${when}` });
      const figure = element('figure', {}, picture, label);
      if (hit.run) {
        const go = element('button', { type: 'button', textContent: 'Go there', 'aria-label': `Go there: ${hit.track}` });
        go.addEventListener('click', () => state.visit(hit.run, hit.track_id, hit.first_frame));
        figure.append(go);
      }
      const forget = element('button', { type: 'button', textContent: 'Forget', 'aria-label': `Forget ${hit.track}` });
      forget.addEventListener('click', async () => {
        if (await state.forget({ records: [hit.record] }, `${hit.track}, ${when}`)) figure.remove();
      });
      figure.append(' ', forget);
      return figure;
    }));
  }
}
