"use strict";
// How far each frame is from the next, drawn under the scrubber, keyframes marked.
class Curve {
  constructor(svg, marks, more, walk) {
    this.svg = svg;
    this.marks = marks;
    this.more = more;
    this.walk = walk;
    this.last = Math.max(1, walk.keys.length - 1);
    this.now = gallery.element("line", { class: "now", y1: 0, y2: Curve.HEIGHT });
    svg.setAttribute("viewBox", `0 0 ${this.last} ${Curve.HEIGHT}`);
    this.draw([]);
  }

  draw(distances) {
    const height = Curve.HEIGHT;
    const known = distances.filter((each) => each !== null);
    const most = Math.max(...known, 1e-6);
    const y = (each) => (height - 3 - (each / most) * (height - 8)).toFixed(2);
    let line = "", area = "";
    distances.forEach((each, index) => {
      if (each === null) return;
      const open = index === 0 || distances[index - 1] === null;
      line += `${open ? "M" : "L"}${index} ${y(each)}H${index + 1}`;
      area += `M${index} ${height}V${y(each)}H${index + 1}V${height}Z`;
    });
    this.svg.replaceChildren(
      gallery.element("line", { class: "base", x1: 0, x2: this.last, y1: height, y2: height }),
      gallery.element("path", { class: "area", d: area }),
      gallery.element("path", { class: "line", d: line }),
      ...this.walk.keyframes.map(([, place]) => gallery.element("line", { class: "keyframe", x1: place, x2: place, y1: 0, y2: height })),
      this.now,
    );
    this.more.textContent = known.length ? `: at most ${most.toPrecision(2)}, median ${Curve.median(known).toPrecision(2)} (rms)` : "";
    this.label();
  }

  /** The prompts at their places, as far as there is room for them. */
  label() {
    const names = this.walk.scales
      ? this.walk.scales.map((scale, index) => [`${scale}`, index])
      : this.walk.keyframes.map(([prompt, place]) => [this.walk.prompts[prompt], place]);
    const room = this.walk.scales ? 7 : 16;      // percent of the width that a label needs
    this.marks.hidden = !names.length;
    const shown = [];
    for (const [text, place] of names) {
      const at = (100 * place) / this.last;
      if (!shown.length || at - shown[shown.length - 1][1] >= room) shown.push([text, at]);
    }
    this.marks.replaceChildren(...shown.map(([text, at], index) => {
      const until = index + 1 < shown.length ? shown[index + 1][1] : 100;
      const made = gallery.element("span", { title: text }, text);
      const atEnd = at > 92 && index;
      if (atEnd) { made.style.right = "0"; made.style.maxWidth = `${(99 - (at + shown[index - 1][1]) / 2).toFixed(1)}%`; }
      else { made.style.left = `${at.toFixed(2)}%`; made.style.maxWidth = `${((until > 92 ? (at + until) / 2 : until) - at - 1).toFixed(1)}%`; }
      return made;
    }));
  }

  point(index) {
    this.now.setAttribute("x1", index);
    this.now.setAttribute("x2", index);
  }

  static median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  }
}
Curve.HEIGHT = 60;
