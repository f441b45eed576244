// How long a person is really at a pair: the page is visible and they did something in the last minute. Beside it, how
// long the page was in the background.

const IDLE = 60_000;
const TICK = 1000;

export class Clock {
  #total = 0;
  #hidden = 0;
  #last = performance.now();
  #active = performance.now();

  constructor() {
    for (const name of ["pointermove", "pointerdown", "keydown", "scroll", "wheel", "touchstart"]) {
      addEventListener(name, () => { this.#active = performance.now(); }, { passive: true, capture: true });
    }
    document.addEventListener("visibilitychange", () => {
      this.#count(document.hidden);
      if (!document.hidden) this.#active = performance.now();
    });
    setInterval(() => this.#count(!document.hidden), TICK);
  }

  start(before) {
    this.#total = before?.active_ms ?? 0;
    this.#hidden = before?.hidden_ms ?? 0;
    this.#last = this.#active = performance.now();
  }

  get times() {
    this.#count(!document.hidden);
    return { active_ms: Math.round(this.#total), hidden_ms: Math.round(this.#hidden) };
  }

  // A visible gap much longer than a tick is a computer that slept; a hidden page ticks when the browser pleases.
  #count(visible) {
    const now = performance.now();
    if (!visible) this.#hidden += now - this.#last;
    else if (now - this.#active < IDLE) this.#total += Math.min(now - this.#last, 3 * TICK);
    this.#last = now;
  }
}
