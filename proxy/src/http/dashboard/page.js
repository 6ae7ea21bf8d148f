// Draws what /dashboard/events sends. Every text is set as text, never as HTML: some of it comes from prompts and tools.

const byId = (id) => document.getElementById(id);

/** An element with attributes and children; a child that is no element is text. */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') Object.entries(value).forEach(([event, listener]) => element.addEventListener(event, listener));
    else if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

const usd = (value) => {
  if (value === undefined || value === null) return '–';
  const sign = value < 0 ? '−' : '';
  const amount = Math.abs(value);
  return `${sign}$${amount.toFixed(amount === 0 || amount >= 1 ? 2 : 4)}`;
};
const count = (value) => Math.round(value).toLocaleString('en');
const bytes = (value) => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let amount = value;
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`;
};
const percent = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : '–');
const duration = (ms) => {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d`;
};
const time = (ms) => new Date(ms).toLocaleTimeString();
const day = (ms) => new Date(ms).toISOString().slice(0, 10);
// What is not clear from its name, in words; docs/operations.md says more.
const IN_WORDS = {
  deferring: 'left to a worker',
  deferred: 'left to a worker',
  dropped: 'no room for its job',
  landed_expired: 'landed: the cache was cold',
  landed_uncached: 'landed: nothing was cached',
  landed_invalidated: 'landed: the client changed its settings',
  landed_pays: 'landed: it pays',
  landed_tail: 'landed near the end: it pays',
  no_result: 'the worker is not done',
  store_late: 'the store was late',
  bound: 'thinking is bound to it',
  changed: 'the client changed it',
  warm: 'waits: the cache is warm',
  entry_budget: 'no time left',
  floor: 'saves too little',
  no_gain: 'no form is shorter',
  unsure: 'may have been sent before',
  references_off: 'may refer to nothing',
  fleet_late: 'the workers were late',
};
const words = (name) => IN_WORDS[name] ?? (name ?? '').replaceAll('_', ' ');

/** Puts children in place of those of an element, and keeps the focus where it was. */
function replace(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  element.replaceChildren(...children);
  if (focused) element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function figures(element, list) {
  replace(element, ...list.map(([name, value, kind]) => el('div', {}, el('dt', {}, name), el('dd', { class: kind }, value))));
}

/** A table. Each column is [title, cell of a row, class]. */
function table(columns, rows, empty) {
  if (rows.length === 0) return el('p', { class: 'quiet' }, empty);
  const head = el('tr', {}, columns.map(([title, , kind]) => el('th', { scope: 'col', class: kind }, title)));
  const body = rows.map((row) => el('tr', {}, columns.map(([, cell, kind]) => el('td', { class: kind }, cell(row)))));
  return el('table', {}, el('thead', {}, head), el('tbody', {}, body));
}

const saved = (cost) => el('span', { class: cost.saved_usd < 0 ? 'bad' : 'good' }, `${usd(cost.saved_usd)} (${percent(cost.saved_usd, cost.shadow_usd)})`);

function drawMoney({ counts }) {
  const { cost } = counts;
  figures(byId('money'), [
    ['Cost', usd(cost.usd)],
    ['Would have cost direct', usd(cost.shadow_usd)],
    ['Saved', `${usd(cost.saved_usd)} (${percent(cost.saved_usd, cost.shadow_usd)})`, cost.saved_usd < 0 ? 'bad' : 'good'],
    ['Billed requests', count(cost.requests)],
  ]);
  byId('money-note').textContent = cost.requests === 0
    ? 'No response has stated its usage yet.'
    : 'Input and output at list prices, by the usage that the provider stated.' + (cost.guessed_prices ? ' Some models have no known price: those of a like model are taken.' : '');
  const columns = (title, name) => [
    [title, name],
    ['Requests', (row) => count(row.requests), 'number'],
    ['Cost', (row) => usd(row.usd), 'number'],
    ['Direct', (row) => usd(row.shadow_usd), 'number'],
    ['Saved', saved, 'number'],
  ];
  const models = Object.entries(cost.models).map(([name, sums]) => ({ name, ...sums }));
  replace(byId('models'), table(columns('Model', (row) => row.name + (row.guessed_prices ? ' (price guessed)' : '')), models, ''));
  replace(byId('days'), table(columns('Day (UTC), all proxies', (row) => day(row.beginning_ms)), cost.days.toReversed(), ''));
}

function drawRequests({ counts, turns }) {
  const { requests, text_bytes: text } = counts;
  figures(byId('requests'), [
    ['Requests', count(requests.total)],
    ['Compressed', count(requests.compressed)],
    ['Left to a worker', count(requests.deferred + requests.deferring)],
    ['Landed', count(counts.prefixes.landed)],
    ['Text saved', `${bytes(text.saved)} of ${bytes(text.in)}`],
  ]);
  const reasons = Object.entries(counts.blocks_uncompressed).filter(([, blocks]) => blocks > 0);
  replace(byId('reasons').querySelector('div'), table([
    ['Reason', ([name]) => words(name)],
    ['Texts', ([, blocks]) => count(blocks), 'number'],
  ], reasons, 'None did.'));
  replace(byId('turns'), table([
    ['Time', (turn) => time(turn.at_ms)],
    ['Model', (turn) => turn.model ?? turn.dialect],
    ['Decision', (turn) => words(turn.decision)],
    ['Reason', (turn) => words(turn.reason)],
    ['Status', (turn) => el('span', { class: turn.status >= 400 ? 'bad' : undefined }, String(turn.status ?? ''))],
    ['Text', (turn) => bytes(turn.bytes_in), 'number'],
    ['Saved', (turn) => (turn.bytes_saved ? `${bytes(turn.bytes_saved)} (${percent(turn.bytes_saved, turn.bytes_in)})` : ''), 'number'],
    ['Held', (turn) => `${turn.added_ms.toFixed(1)} ms`, 'number'],
    ['Cost', (turn) => usd(turn.usd), 'number'],
    ['Direct', (turn) => usd(turn.shadow_usd), 'number'],
  ], turns, 'No request yet. Point a client at this address: headroom-proxy prints how when it starts.'));
}

// What is open: conversations with their documents, and the texts of blocks.
const openConversations = new Map();
const openBlocks = new Map();
const LONG_PAUSE_MS = 5 * 60 * 1000;

async function fetchJson(path, options) {
  const response = await fetch(path, options);
  const answer = await response.json().catch(() => ({ error: `status ${response.status}` }));
  if (!response.ok) throw new Error(answer.error ?? `status ${response.status}`);
  return answer;
}

function timeline(turns) {
  const items = [];
  let before;
  for (const turn of turns.toReversed()) {
    const pause = before === undefined ? 0 : turn.at_ms - before;
    if (pause > LONG_PAUSE_MS) items.push(el('li', { class: 'pause' }, `idle for ${duration(pause)}`));
    before = turn.at_ms;
    const parts = [time(turn.at_ms), words(turn.decision), words(turn.reason)];
    if (turn.bytes_saved) parts.push(`${bytes(turn.bytes_saved)} of ${bytes(turn.bytes_in)} saved`);
    if (turn.usd !== null) parts.push(`${usd(turn.usd)}, direct ${usd(turn.shadow_usd)}`);
    items.push(el('li', { class: turn.reason?.startsWith('landed') ? 'good' : undefined }, parts.filter(Boolean).join(' · ')));
  }
  return el('ol', { class: 'timeline' }, items);
}

function blockList(id, blocks) {
  if (blocks === null) {
    return el('p', { class: 'quiet' }, 'What its texts look like is shown where HEADROOM_SHOW_TEXT is on: they are prompts.');
  }
  return blocks.map((block, index) => {
    const key = `${id}/${index}`;
    const texts = openBlocks.get(key);
    const size = block.form_bytes === null
      ? `${bytes(block.bytes)}, as it came`
      : `${bytes(block.bytes)} → ${bytes(block.form_bytes)} (${percent(block.bytes - block.form_bytes, block.bytes)} saved)`;
    const details = el('details', { open: texts ? '' : undefined },
      el('summary', { 'data-key': key }, `#${index + 1} ${block.tool ?? 'text'}`, el('span', { class: 'quiet' }, size)),
      texts && el('div', { class: 'texts' },
        el('div', {}, el('h4', {}, 'As the client sent it'), el('pre', { tabindex: '0' }, texts.original ?? texts.error)),
        texts.form && el('div', {}, el('h4', {}, 'As it went out'), el('pre', { tabindex: '0' }, texts.form))));
    details.addEventListener('toggle', async () => {
      if (details.open === openBlocks.has(key)) return;
      if (!details.open) openBlocks.delete(key);
      else openBlocks.set(key, await fetchJson(`/dashboard/conversations/${id}/blocks/${index}`).catch((error) => ({ error: error.message })));
      draw();
    });
    return details;
  });
}

async function loadConversation({ id, requests, usd: cost }) {
  const document = await fetchJson(`/dashboard/conversations/${id}`).catch((error) => ({ error: error.message, turns: [], blocks: null }));
  openConversations.set(id, { ...document, state: `${requests} ${cost}` });
  draw();
}

function drawConversations({ conversations, conversation_count: all }) {
  const list = conversations.map((conversation) => {
    const { id } = conversation;
    const opened = openConversations.get(id);
    const name = conversation.session ? `${conversation.session.slice(0, 8)}` : id.slice(0, 8);
    const details = el('details', { open: opened ? '' : undefined },
      el('summary', { 'data-key': id },
        el('span', { class: 'grow' }, `${name} · ${conversation.model}`),
        el('span', {}, `${count(conversation.requests)} requests`),
        el('span', {}, `${usd(conversation.usd)}, direct ${usd(conversation.shadow_usd)}`),
        el('span', { class: 'quiet' }, `${words(conversation.reason ?? conversation.decision)}, ${time(conversation.last_ms)}`)),
      opened && [opened.error && el('p', { class: 'bad' }, opened.error), timeline(opened.turns), blockList(id, opened.blocks)].flat());
    if (opened && opened.state !== `${conversation.requests} ${conversation.usd}`) {
      opened.state = `${conversation.requests} ${conversation.usd}`;
      loadConversation(conversation);
    }
    details.addEventListener('toggle', () => {
      if (details.open === openConversations.has(id)) return;
      if (details.open) loadConversation(conversation);
      else openConversations.delete(id);
    });
    return details;
  });
  const more = all - conversations.length;
  if (more > 0) list.push(el('p', { class: 'quiet' }, `and ${more} more`));
  replace(byId('conversations'), ...(list.length ? list : [el('p', { class: 'quiet' }, 'None yet.')]));
}

async function act(action, id) {
  const answer = byId('queue-answer');
  if (action === 'drop' && !window.confirm(`Drop job ${id}? Its prefix stays uncompressed until a later turn offers it again.`)) return;
  try {
    await fetchJson(`/dashboard/queue/${action}/${encodeURIComponent(id)}`, { method: 'POST', headers: { 'x-headroom-token': byId('token').value } });
    answer.textContent = action === 'drop' ? `Job ${id} is dropped.` : `Job ${id} waits in the queue again.`;
    answer.className = 'good';
  } catch (error) {
    answer.textContent = error.message;
    answer.className = 'bad';
  }
}

const button = (action, label, id) => el('button', { type: 'button', 'data-key': `${action} ${id}`, 'aria-label': `${label} job ${id}`, on: { click: () => act(action, id) } }, label);
const jobColumns = [
  ['Job', (job) => job.id?.slice(-12) ?? job.unreadable],
  ['Model', (job) => job.model ?? ''],
  ['Tokens', (job) => (job.tokens === undefined ? '' : count(job.tokens)), 'number'],
];

function drawQueue({ queue, store }) {
  const problem = byId('queue-problem');
  problem.hidden = !queue.error;
  problem.textContent = queue.error ? `The queue can't be read: ${queue.error}` : '';
  if (queue.error) return;
  const { status, jobs, dead_letters: letters } = queue;
  figures(byId('queue'), [
    ['Waiting', count(status.waiting)],
    ['Waiting refreshes', count(status.waiting_refresh)],
    ['In work', count(status.active)],
    ['Delayed', count(status.delayed)],
    ['Dead', count(status.dead), status.dead ? 'bad' : undefined],
    ['Done', count(status.totals.done)],
    ['Dropped', count(status.totals.dropped_full), status.totals.dropped_full ? 'bad' : undefined],
  ]);
  if (status.paused) {
    problem.hidden = false;
    problem.textContent = `The queue is paused${status.paused.by ? ` by ${status.paused.by}` : ''}: workers claim no jobs.`;
  }
  replace(byId('workers'), table([
    ['Worker', (worker) => worker.id.slice(0, 12)],
    ['Where', (worker) => (worker.host ? `${worker.host}, process ${worker.pid}` : '')],
    ['Threads', (worker) => worker.threads ?? '', 'number'],
    ['Jobs', (worker) => count(worker.holds), 'number'],
    ['Heartbeat', (worker) => el('span', { class: worker.alive ? 'good' : 'bad' }, worker.alive ? `alive, ${duration(worker.heartbeat_ms)} ago` : `dead, ${duration(worker.heartbeat_ms)} ago`)],
  ], status.workers, store === 'redis' ? 'No worker: start headroom-worker with the same HEADROOM_REDIS_URL, or cold starts stay uncompressed.' : ''));
  replace(byId('jobs'), table([
    ...jobColumns,
    ['State', (job) => words(job.state)],
    ['Age', (job) => (job.age_ms === null ? '' : duration(job.age_ms)), 'number'],
    ['', (job) => (job.id && job.state !== 'active' ? button('drop', 'Drop', job.id) : '')],
  ], jobs.jobs, 'None waits and none is in work.'), ...(jobs.more ? [el('p', { class: 'quiet' }, `and ${jobs.more} more`)] : []));
  replace(byId('dead'), table([
    ...jobColumns,
    ['Reason', (job) => job.reason, 'long'],
    ['Age', (job) => (job.at ? duration(job.age_ms) : ''), 'number'],
    ['', (job) => (job.id ? [button('replay', 'Replay', job.id), button('drop', 'Drop', job.id)] : '')],
  ], letters.dead, 'None.'), ...(letters.more ? [el('p', { class: 'quiet' }, `and ${letters.more} more`)] : []));
}

let overview;

function draw() {
  if (!overview) return;
  byId('setup').textContent = `${overview.version} · ${overview.store} store · ${overview.compresses ? `${overview.tier} tier` : 'compression is off'}`;
  drawMoney(overview);
  drawRequests(overview);
  drawConversations(overview);
  drawQueue(overview);
}

function connect() {
  const connection = byId('connection');
  const events = new EventSource('/dashboard/events');
  events.addEventListener('overview', (event) => {
    overview = JSON.parse(event.data);
    draw();
  });
  events.addEventListener('open', () => {
    connection.textContent = 'live';
    connection.className = 'good';
  });
  events.addEventListener('error', () => {
    connection.textContent = 'the proxy does not answer: trying again';
    connection.className = 'bad';
  });
}

// The address that the proxy prints has the token behind #, where no server sees it; it is not left in the history.
const token = new URLSearchParams(location.hash.slice(1)).get('token');
if (token) {
  sessionStorage.setItem('token', token);
  history.replaceState(null, '', location.pathname);
}
byId('token').value = sessionStorage.getItem('token') ?? '';
byId('token').addEventListener('input', (event) => sessionStorage.setItem('token', event.target.value));
byId('token-form').addEventListener('submit', (event) => event.preventDefault());
connect();
