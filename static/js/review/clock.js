// How long a person is really at a pair: the page is visible and they did something in the last minute.

const IDLE = 60_000;
const TICK = 1000;

export class Clock {
  #total = 0;
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

  start(total = 0) {
    this.#total = total;
    this.#last = this.#active = performance.now();
  }

  get total() {
    this.#count(!document.hidden);
    return Math.round(this.#total);
  }

  // A gap much longer than a tick is a computer that slept.
  #count(visible) {
    const now = performance.now();
    if (visible && now - this.#active < IDLE) this.#total += Math.min(now - this.#last, 3 * TICK);
    this.#last = now;
  }
}
