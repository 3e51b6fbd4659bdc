// Live cameras: the newest picture of each, counts, events and people seen; start, stop.
import { ask, counted, element } from './api.js';

const EVERY = 250; // ms

export function begin(state) {
  const panel = document.getElementById('panel-live');
  const cards = new Map();
  const today = element('details', { className: 'place' }, element('summary', { textContent: 'Seen today, by all cameras' }));
  const told = element('p', { role: 'status' });
  const everybody = element('div', { className: 'cards' });
  today.append(told, everybody);
  let asked = 0;
  if (state.features.includes('today')) panel.append(today);

  // People, not tracks: the gallery joins what one and the same person was seen as.
  async function showToday() {
    if (!today.open || Date.now() - asked < 3000) return;
    asked = Date.now();
    const { people, in_all: all } = await ask('/api/live/today');
    told.textContent = `${counted(all, 'person', 'people')}${people.length < all ? `, the last ${people.length}` : ''}; who is in view comes when he has left.`;
    const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString();
    const forget = (person) => {
      const button = element('button', { type: 'button', textContent: 'Forget', 'aria-label': `Forget person ${person.number}` });
      button.addEventListener('click', async () => {
        if (await state.forget({ records: person.records }, `person ${person.number}`, '/api/live/today/forget')) asked = 0;
      });
      return button;
    };
    everybody.replaceChildren(...people.slice(0, 60).map((person) => element('figure', {},
      element('img', { src: `/api/live/today/${person.row}`, alt: `Person ${person.number}`, loading: 'lazy' }), forget(person),
      element('figcaption', {}, element('strong', { textContent: `person ${person.number}` }),
        element('ul', {}, ...person.places.slice(-6).map((place) => element('li', { textContent: `${place.camera} ${time(place.from)} to ${time(place.to)}` })))))));
  }
  let shown = false;
  document.addEventListener('tab', (event) => {
    shown = event.detail === 'tab-live';
    if (shown) loop();
  });

  function card(camera, number) {
    const picture = element('img', { alt: `Newest picture of ${camera.name}` });
    const status = element('p', { className: 'state' });
    const counts = element('p');
    const happened = element('ol');
    const people = element('div', { className: 'cards' });
    const act = (name, method, path, label) => {
      const button = element('button', { type: 'button', textContent: name, 'aria-label': `${name} ${label || camera.name}` });
      button.addEventListener('click', () => ask(`/api/live/${number}/${path}`, method).catch((error) => state.say(error.message)));
      return button;
    };
    const details = element('details', {}, element('summary', { textContent: `Seen by ${camera.name}` }), people,
      act('Forget them', 'DELETE', 'people', `who was seen by ${camera.name}`));
    details.addEventListener('toggle', () => details.open && showPeople(number, people));
    const node = element('section', { className: 'place', 'aria-label': camera.name },
      element('h2', { textContent: camera.name }), picture, status, counts,
      element('p', {}, act('Start', 'POST', 'start'), ' ', act('Stop', 'POST', 'stop')),
      element('details', {}, element('summary', { textContent: `What happened at ${camera.name}` }), happened), details);
    panel.append(node);
    return { picture, status, counts, happened, people, details, number: -1, seen: -1, address: '' };
  }

  async function showPeople(number, people) {
    const seen = await ask(`/api/live/${number}/people`);
    people.replaceChildren(...seen.slice(0, 60).map((one) => element('figure', {},
      element('img', { src: `/api/live/${number}/people/${one.id}`, alt: `Track ${one.id}` }),
      element('figcaption', { textContent: `id ${one.id}, ${new Date(one.first * 1000).toLocaleTimeString()} to ${new Date(one.last * 1000).toLocaleTimeString()}` }))));
  }

  async function update(camera, number) {
    if (!cards.has(number)) cards.set(number, card(camera, number));
    const held = cards.get(number);
    const late = camera.age !== null && camera.age > 3 && camera.state === 'live' ? `, no picture for ${Math.round(camera.age)} s` : '';
    held.status.textContent = `${camera.state}${camera.told ? `: ${camera.told}` : ''}${late} · ${camera.rate.toFixed(1)} pictures/s · ${camera.in_view} in view · ${camera.people} seen, kept in memory for ${camera.keep_hours} h`;
    const lines = Object.entries(camera.lines).flatMap(([name, entry]) => Object.keys(entry.objects).map((way) => `${name} ${way} ${entry[way]}`));
    const zones = Object.entries(camera.zones).map(([name, entry]) => `${name}: ${entry.inside_now} inside, ${counted(entry.visits, 'visit')}`);
    held.counts.textContent = [...lines, ...zones].join(' · ');
    held.happened.replaceChildren(...camera.events.slice().reverse().map((event) => element('li', {
      textContent: `${new Date(event.wall_clock * 1000).toLocaleTimeString()} ${event.place} ${event.direction || event.kind}, id ${event.track}` })));
    if (held.details.open && camera.people !== held.seen) showPeople(number, held.people).catch(() => {});
    held.seen = camera.people;
    if (camera.number === held.number || !camera.number) return;
    held.number = camera.number;
    const answer = await fetch(`/api/live/${number}/picture`);
    if (!answer.ok) return;
    const address = URL.createObjectURL(await answer.blob());
    held.picture.src = address;
    if (held.address) URL.revokeObjectURL(held.address);
    held.address = address;
  }

  async function loop() {
    while (shown) {
      try {
        const cameras = await ask('/api/live');
        await Promise.all([...cameras.map(update), showToday()]);
      } catch (error) {
        state.say(error.message);
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
  }
}
