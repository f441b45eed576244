// What must outlive the page: drafts, ratings on their way out, and small preferences. Where the browser refuses to
// store, it is kept in memory, and `lasting` says so.

const memory = new Map();
export let lasting = true;

function write(key, content) {
  memory.set(key, content);
  try {
    localStorage.setItem(key, JSON.stringify(content));
  } catch {
    lasting = false;
  }
}

function read(key) {
  if (memory.has(key)) return memory.get(key);
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

function remove(key) {
  memory.delete(key);
  try {
    localStorage.removeItem(key);
  } catch {
    lasting = false;
  }
}

function keys(prefix) {
  const found = new Set(memory.keys());
  try {
    for (let index = 0; index < localStorage.length; index += 1) found.add(localStorage.key(index));
  } catch {
    lasting = false;
  }
  return [...found].filter((key) => key.startsWith(prefix));
}

const DRAFT = "review.draft.";
const OUTBOX = "review.outbox.";
const MONTH = 30 * 24 * 3600 * 1000;

export const drafts = {
  get: (token) => read(DRAFT + token),
  put: (token, draft) => write(DRAFT + token, { ...draft, at: Date.now() }),
  drop: (token) => remove(DRAFT + token),
  tidy() {
    for (const key of keys(DRAFT)) if (!((read(key)?.at ?? 0) > Date.now() - MONTH)) remove(key);
  },
};

// Ratings that were submitted and not yet answered, by the address that they go to.
export const outbox = {
  put: (address, entry) => write(OUTBOX + address, entry),
  drop: (address) => remove(OUTBOX + address),
  of: (review) => keys(OUTBOX).map(read).filter((entry) => entry?.review === review).sort((a, b) => a.at - b.at),
};

export const choices = {
  get: (name, otherwise) => read(`review.choice.${name}`) ?? otherwise,
  put: (name, content) => write(`review.choice.${name}`, content),
};
