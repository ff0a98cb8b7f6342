// The upload page: each file goes in pieces (tus 1.0), and goes on where it stopped, after a cut or a reload.
(() => {
  'use strict';
  const words = JSON.parse(document.getElementById('words').textContent);
  const form = document.getElementById('upload');
  const picker = document.getElementById('files');
  const list = document.getElementById('list');
  const summary = document.getElementById('summary');
  const problem = document.getElementById('problem');
  const uploads = location.pathname.replace(/\/$/, '') + '/files';
  const KiB = 1024, LEAST = 256 * KiB, MOST = 8192 * KiB;
  const STALL_MS = 60000, STORING_MS = 600000, DAY_MS = 86400000, KEPT_DAYS = 7;
  const items = [];
  let running = false, pieceBytes = 1024 * KiB, screenLock = null;

  class Refused extends Error {}

  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
  const percent = (item, loaded) => (item.size ? Math.floor((100 * Math.min(item.offset + loaded, item.size)) / item.size) : 100);

  // --- what is remembered over a reload: which upload a file is, never its content ---
  const prefix = `vetrelay ${words.place} `;
  const keyOf = (file) => `${prefix}${file.size} ${file.lastModified} ${file.name}`;
  function remembered(key) {
    try {
      const kept = JSON.parse(localStorage.getItem(key));
      return kept && Date.now() - kept.at < KEPT_DAYS * DAY_MS ? kept.id : null;
    } catch { return null; }
  }
  function remember(key, id) {
    try { if (key) localStorage.setItem(key, JSON.stringify({ id, at: Date.now() })); } catch { /* a browser that keeps nothing */ }
  }
  function forget(key) {
    try { if (key) localStorage.removeItem(key); } catch { /* the same */ }
  }
  function unfinished() {
    const names = [];
    try {
      for (const key of Object.keys(localStorage).filter((one) => one.startsWith(prefix))) {
        if (remembered(key)) names.push(key.slice(prefix.length).split(' ').slice(2).join(' '));
        else localStorage.removeItem(key);
      }
    } catch { /* the same */ }
    return names;
  }

  // --- one request ---
  function ask(item, method, url, { body = null, headers = {}, onProgress = () => {} } = {}) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      let clock = 0;
      const end = (settle, value) => { clearTimeout(clock); item.request = null; settle(value); };
      const wind = (ms) => { clearTimeout(clock); clock = setTimeout(() => request.abort(), ms); };
      request.open(method, url);
      request.setRequestHeader('Tus-Resumable', '1.0.0');
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = (event) => { wind(STALL_MS); onProgress(event.loaded); };
      request.upload.onload = () => wind(STORING_MS); // all is sent: a large file takes its time to be stored
      request.onload = () => end(resolve, request);
      request.onerror = request.onabort = () => end(reject, new Error('cut'));
      item.request = request;
      wind(STALL_MS);
      request.send(body);
    });
  }
  // What passes by itself is thrown as an Error, and tried again; what does not, as Refused.
  function checked(request) {
    if (request.status < 300) return request;
    if (request.status === 507 || (request.status >= 400 && request.status < 500 && ![408, 409, 423, 429].includes(request.status))) {
      throw new Refused(request.responseText.slice(0, 300));
    }
    throw new Error('later');
  }
  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

  // --- one file ---
  async function locate(item) {
    const kept = item.id || remembered(item.key);
    if (kept) {
      const request = await ask(item, 'HEAD', `${uploads}/${kept}`);
      if (request.status !== 404 && request.status !== 410) {
        checked(request);
        item.id = kept;
        item.offset = Number(request.getResponseHeader('Upload-Offset'));
        item.number = request.getResponseHeader('Upload-Number');
        return;
      }
      forget(item.key);
      item.id = null;
    }
    const headers = { 'Upload-Length': String(item.size), 'Upload-Metadata': `filename ${base64(item.name)}` };
    const request = checked(await ask(item, 'POST', uploads, { headers }));
    item.id = request.getResponseHeader('Location').split('/').pop();
    item.offset = 0;
    item.number = null;
    remember(item.key, item.id);
  }

  async function push(item) {
    const end = Math.min(item.offset + pieceBytes, item.size);
    const began = performance.now();
    const request = checked(await ask(item, 'PATCH', `${uploads}/${item.id}`, {
      body: item.blob.slice(item.offset, end),
      headers: { 'Upload-Offset': String(item.offset), 'Content-Type': 'application/offset+octet-stream' },
      onProgress: (loaded) => {
        const all = item.offset + loaded >= item.size;
        show(item, all ? words.storing : say(words.sending, { percent: percent(item, loaded) }), percent(item, loaded));
      },
    }));
    item.offset = Number(request.getResponseHeader('Upload-Offset'));
    item.number = request.getResponseHeader('Upload-Number');
    const tookMs = performance.now() - began;
    pieceBytes = Math.max(LEAST, Math.min(MOST, tookMs < 2000 ? pieceBytes * 2 : tookMs > 10000 ? pieceBytes / 2 : pieceBytes));
  }

  async function send(item) {
    item.state = 'sending';
    let failures = 0;
    let sure = false;
    while (item.state === 'sending') {
      try {
        if (!sure) { await locate(item); sure = true; }
        show(item, say(words.sending, { percent: percent(item, 0) }), percent(item, 0));
        while (!item.number && item.state === 'sending') { await push(item); failures = 0; }
        if (item.state === 'sending') finish(item);
      } catch (error) {
        if (item.state !== 'sending') return;
        sure = false;
        if (error instanceof Refused) { refuse(item, error.message); return; }
        try { await item.blob.slice(0, 1).arrayBuffer(); } catch { refuse(item, words.changed); return; }
        failures += 1;
        pieceBytes = Math.max(LEAST, pieceBytes / 2);
        await pause(item, failures);
      }
    }
  }

  function pause(item, failures) {
    const seconds = Math.ceil(Math.min(30, 2 ** (failures - 1)) * (0.75 + Math.random() / 2));
    show(item, navigator.onLine ? say(words.again, { percent: percent(item, 0), seconds }) : words.offline, percent(item, 0));
    return new Promise((resolve) => {
      const end = () => { clearTimeout(clock); removeEventListener('online', end); item.wake = null; resolve(); };
      const clock = setTimeout(end, seconds * 1000);
      item.wake = end;
      addEventListener('online', end);
    });
  }

  function finish(item) {
    item.state = 'done';
    forget(item.key);
    item.remove.remove();
    item.status.className = 'good';
    show(item, say(words.done, { number: item.number }), 100);
    tell();
  }

  function refuse(item, reason) {
    item.state = 'refused';
    item.status.className = 'wrong';
    show(item, say(words.refused, { reason }), null);
    tell();
  }

  // --- what is seen ---
  function show(item, text, done) {
    item.status.textContent = text;
    item.progress.hidden = done === null || item.state !== 'sending';
    if (done !== null) item.progress.value = done;
  }

  function tell() {
    const count = (state) => items.filter((item) => item.state === state).length;
    const done = count('done'), failed = count('refused'), ready = count('ready'), all = items.length - ready;
    const parts = [];
    summary.className = all && done === all && !ready ? 'good' : 'state';
    if (!navigator.onLine && running) parts.push(words.offline);
    else if (all && done === all) parts.push(ready ? say(words.summary, { done, all }) : words.allDone);
    else if (all) parts.push(say(words.summary, { done, all }));
    if (failed) parts.push(say(words.someFailed, { failed }));
    if (ready) parts.push(say(words.readyCount, { ready }));
    summary.textContent = parts.join(' ');
  }

  function add(blob, name, key, note) {
    if (key && items.some((item) => item.key === key && item.state !== 'done')) return;
    const item = { blob, name, key, note, size: blob.size, offset: 0, id: null, number: null, state: 'ready', request: null, wake: null };
    const row = document.createElement('li');
    const top = document.createElement('div');
    const title = document.createElement('bdi');
    item.remove = document.createElement('button');
    item.status = document.createElement('div');
    item.progress = document.createElement('progress');
    title.textContent = name;
    top.className = 'row';
    item.remove.type = 'button';
    item.remove.className = 'plain';
    item.remove.textContent = words.removeShort;
    item.remove.setAttribute('aria-label', say(words.remove, { name }));
    item.remove.addEventListener('click', () => drop(item, row));
    item.progress.max = 100;
    item.progress.setAttribute('aria-label', name);
    top.append(title, item.remove);
    row.append(top, item.progress, item.status);
    list.append(row);
    items.push(item);
    show(item, words.ready, null);
  }

  function drop(item, row) {
    item.state = 'removed';
    if (item.request) item.request.abort();
    if (item.wake) item.wake();
    if (item.id && !item.number) ask({}, 'DELETE', `${uploads}/${item.id}`).catch(() => {});
    forget(item.key);
    items.splice(items.indexOf(item), 1);
    row.remove();
    tell();
    picker.focus();
  }

  async function keepAwake() {
    try { screenLock = await navigator.wakeLock.request('screen'); } catch { screenLock = null; }
  }

  async function run() {
    if (running) return;
    running = true;
    keepAwake();
    for (let item; (item = items.find((one) => one.state === 'queued')); ) await send(item);
    running = false;
    if (screenLock) { screenLock.release().catch(() => {}); screenLock = null; }
    tell();
  }

  // --- what the person does ---
  for (const input of form.querySelectorAll('input[type="file"]')) {
    input.addEventListener('change', () => {
      for (const file of input.files) add(file, file.name, keyOf(file), false);
      input.value = '';
      problem.hidden = true;
      tell();
    });
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const name = form.elements.name.value.trim(), note = form.elements.note.value.trim();
    const waiting = items.filter((item) => item.state === 'ready' || item.state === 'refused');
    if (!note && !waiting.length) {
      problem.textContent = words.nothing;
      problem.hidden = false;
      picker.focus();
      return;
    }
    problem.hidden = true;
    if (note || name) {
      const from = name ? `${say(words.noteFrom, { name })}\n\n` : '';
      add(new Blob([`${from}${note}\n`], { type: 'text/plain' }), words.note, null, true);
      form.elements.name.value = '';
      form.elements.note.value = '';
    }
    for (const item of items) {
      if (item.state !== 'ready' && item.state !== 'refused') continue;
      item.state = 'queued';
      item.status.className = '';
      show(item, words.waiting, null);
    }
    run();
    tell();
  });

  addEventListener('offline', tell);
  addEventListener('online', tell);
  document.addEventListener('visibilitychange', () => { if (running && !document.hidden) keepAwake(); });
  addEventListener('beforeunload', (event) => { if (running) event.preventDefault(); });

  form.classList.add('scripted');
  const names = unfinished();
  if (names.length) {
    const box = document.getElementById('unfinished');
    box.textContent = say(words.unfinished, { names: names.join(', ') });
    box.hidden = false;
  }
})();
