"use strict";
// Frames on canvases, in time: one film, or two in step.

/** The frames of a walk, loaded as they are needed. */
class Film {
  constructor(keys, missing = []) {
    this.keys = keys;
    this.missing = new Set(missing);
    this.images = new Map();           // decoded frames, the most recently used last
  }

  get length() { return this.keys.length; }

  image(index) {
    const key = this.keys[index];
    let image = this.images.get(key);
    if (image) this.images.delete(key);
    else {
      image = new Image();
      image.src = gallery.frame(key);
      image.ready = image.decode().then(() => true, () => false);
    }
    this.images.set(key, image);
    if (this.images.size > Film.KEPT) this.images.delete(this.images.keys().next().value);
    return image;
  }

  arrived(missing) {
    this.missing = new Set(missing);
    for (const [key, image] of this.images) if (!image.naturalWidth) this.images.delete(key);
  }
}
Film.KEPT = 400;

/** A canvas that shows a film's frames. */
class Screen {
  constructor(canvas, waiting) {
    this.canvas = canvas;
    this.waiting = waiting;
    this.pen = canvas.getContext("2d");
    this.film = null;
    this.wanted = -1;
  }

  async show(index, ahead) {
    this.wanted = index;
    const film = this.film;
    if (film.missing.has(index)) { this.waiting.hidden = false; return; }
    const image = film.image(index);
    for (const next of ahead) if (!film.missing.has(next)) film.image(next);
    const loaded = await image.ready;
    if (this.wanted !== index || this.film !== film) return;   // moved on meanwhile
    this.waiting.hidden = loaded;
    if (!loaded) { film.images.delete(film.keys[index]); return; }
    if (this.canvas.width !== image.naturalWidth || this.canvas.height !== image.naturalHeight) {
      this.canvas.width = image.naturalWidth;
      this.canvas.height = image.naturalHeight;
    }
    this.pen.drawImage(image, 0, 0);
    this.canvas.dataset.shown = index;
  }
}

/** Which frame is shown, and which comes next. */
class Player {
  constructor(screen, other, { fps, pingPong, closed }) {
    this.screen = screen;
    this.other = other;
    this.fps = fps;
    this.speed = 1;
    this.pingPong = pingPong;
    this.closed = closed;
    this.at = 0;
    this.direction = 1;
    this.playing = false;
    this.due = 0;
    this.changed = () => {};
    this.tick = this.tick.bind(this);
  }

  get count() { return this.screen.film.length; }

  show(index) {
    this.at = Math.max(0, Math.min(this.count - 1, index));
    const ahead = [1, 2, 3, 4].map((n) => (this.at + n * this.direction + n * this.count) % this.count);
    this.screen.show(this.at, ahead);
    if (this.other.film) this.other.show(this.beside(this.at), ahead.map((each) => this.beside(each)));
    this.changed();
  }

  /** The frame of the other film at the same share of the way. */
  beside(index) {
    const count = this.other.film.length;
    return this.count < 2 ? 0 : Math.round((index / (this.count - 1)) * (count - 1));
  }

  next() {
    const last = this.count - 1;
    if (!last) return null;
    let next = this.at + this.direction;
    if (next < 0 || next > last) {
      if (!this.pingPong) return this.direction > 0 ? 0 : last;
      this.direction = -this.direction;
      next = this.at + this.direction;
    }
    return next;
  }

  /** The next frame that is there: while a walk is rendered, what is missing is passed over. */
  nextThere() {
    const was = this.at;
    for (let tries = 0; tries < 2 * this.count; tries++) {
      const next = this.next();
      if (next === null || !this.screen.film.missing.has(next)) { this.at = was; return next; }
      this.at = next;
    }
    this.at = was;
    return null;
  }

  tick(now) {
    if (!this.playing) return;
    const frame = 1000 / (this.fps * this.speed);
    if (now - this.due > 1000) this.due = now;       // the tab was asleep: do not run after lost time
    if (now >= this.due) {
      this.due += frame;
      const next = this.nextThere();
      if (next !== null) this.show(next);
    }
    requestAnimationFrame(this.tick);
  }

  play(on) {
    if (!this.pingPong) this.direction = 1;
    const begins = on && !this.playing && this.count > 1;
    this.playing = on && this.count > 1;
    this.changed();
    if (begins) {
      this.due = performance.now() + 1000 / (this.fps * this.speed);
      requestAnimationFrame(this.tick);
    }
  }

  step(by) { this.play(false); this.show((this.at + by + this.count) % this.count); }
}
