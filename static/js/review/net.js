// Requests, and trying again.

const PATIENCE = 20_000;

// `status` 0 says that no answer came.
export async function send(method, url, csrf, content, options = {}) {
  try {
    const response = await fetch(url, {
      method,
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrf },
      body: method === "GET" ? undefined : JSON.stringify(content ?? {}),
      ...options,
      signal: AbortSignal.timeout(PATIENCE),
    });
    const text = response.status === 204 ? "" : await response.text();
    return { status: response.status, body: parsed(text), wait: Number(response.headers.get("Retry-After")) || 0 };
  } catch {
    return { status: 0, body: {}, wait: 0 };
  }
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

export const worthRetrying = ({ status }) => status === 0 || status === 408 || status === 429 || status >= 500;

// One waiting request at a time: tried again with growing pauses, and at once when the connection comes back.
export class Retry {
  #timer = 0;
  #pause = 1000;
  #action = null;

  constructor() {
    addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
  }

  later(action, wait) {
    this.#action = action;
    this.#pause = Math.min(this.#pause * 2, 60_000);
    const pause = Math.max(wait * 1000, this.#pause * (0.75 + Math.random() / 2));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), pause);
  }

  now() {
    clearTimeout(this.#timer);
    const action = this.#action;
    this.#action = null;
    action?.();
  }

  succeeded() {
    this.#pause = 1000;
  }
}
