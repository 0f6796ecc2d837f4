"use strict";
// What all pages share. Data comes as scripts that call `gallery.take`: a page opened from a file
// may load scripts, but fetch nothing.
const gallery = {
  body: document.body,
  root: document.body.dataset.root,
  calm: matchMedia("(prefers-reduced-motion: reduce)"),
  waiting: new Map(),

  /** A document that a script brought: whoever waits for it gets it. */
  take(kind, name, data) {
    const key = `${kind} ${name}`;
    const known = this.waiting.get(key) || (this.waiting.set(key, {}), this.waiting.get(key));
    if (known.resolve) known.resolve(data);
    else known.data = data;
  },

  /** The next document of this kind that a script brings; `from` is the script to load, if any. */
  bring(kind, name, from) {
    const key = `${kind} ${name}`;
    const known = this.waiting.get(key);
    if (known && known.data && !from) {
      this.waiting.delete(key);
      return Promise.resolve(known.data);
    }
    return new Promise((resolve, reject) => {
      this.waiting.set(key, { resolve: (data) => { this.waiting.delete(key); resolve(data); } });
      if (!from) return;
      const script = document.createElement("script");
      script.src = from;
      script.onload = () => script.remove();
      script.onerror = () => { script.remove(); this.waiting.delete(key); reject(new Error(from)); };
      document.head.append(script);
    });
  },

  /** Hears a server's events while the page is seen: browsers allow six such lines in all. */
  listen(address, heard) {
    if (!address) return;
    let source = null;
    const open = () => {
      if (source || document.hidden) return;
      source = new EventSource(address);
      for (const [kind, act] of Object.entries(heard)) {
        source.addEventListener(kind, (event) => act(JSON.parse(event.data)));
      }
    };
    const close = () => { if (source) source.close(); source = null; };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  },

  element(name, attributes, ...children) {
    const svg = ["svg", "path", "rect", "line"].includes(name);
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    made.append(...children);
    return made;
  },

  duration(seconds) {
    if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
    const minutes = seconds / 60;
    return minutes < 90 ? `${Math.round(minutes)} min` : `${(minutes / 60).toFixed(1)} h`;
  },

  /** Where a frame's picture is. */
  frame(key) { return `${this.root}frames/${key}.webp`; },
};
