"use strict";
// The index: search, order, stillness, and cards that fill while their walks are rendered.
{
  const $ = (id) => document.getElementById(id);
  const list = $("cards");
  const cards = () => [...list.children];
  const words = new WeakMap();
  const wordsOf = (card) => {
    if (!words.has(card)) words.set(card, card.textContent.toLowerCase());
    return words.get(card);
  };

  function filter() {
    const sought = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const card of cards()) {
      const fits = sought.every((word) => wordsOf(card).includes(word));
      card.hidden = !fits;
      shown += fits;
    }
    $("count").textContent = sought.length ? `${shown} of ${cards().length}` : `${cards().length}`;
    $("none").hidden = shown > 0 || !cards().length;
  }

  const orders = {
    rendered: (a, b) => b.dataset.rendered - a.dataset.rendered || orders.name(a, b),
    name: (a, b) => (a.dataset.name < b.dataset.name ? -1 : 1),
    frames: (a, b) => b.dataset.frames - a.dataset.frames || orders.name(a, b),
  };
  function sort() { list.append(...cards().sort(orders[$("sort").value])); }

  // Films play by themselves; whoever asks, or whose system asks, sees one picture of each.
  let still = false;
  function hold(on) {
    still = on;
    $("still").setAttribute("aria-pressed", on);
    for (const film of list.querySelectorAll("img.film")) {
      film.dataset.film = film.dataset.film || film.getAttribute("src");
      film.src = on ? film.dataset.still : film.dataset.film;
    }
    try { localStorage.setItem("still", on ? "yes" : ""); } catch { /* a page from a file */ }
  }
  function remembered() { try { return localStorage.getItem("still") === "yes"; } catch { return false; } }

  function picture(card, address, poster) {
    const frame = card.querySelector(".picture");
    let film = frame.querySelector("img.film");
    if (!film) {
      film = gallery.element("img", { class: "film", alt: "", width: 320, height: 320, decoding: "async" });
      frame.prepend(gallery.element("picture", {}, film));
      frame.classList.remove("empty");
    }
    const source = frame.querySelector("source");
    if (source) source.srcset = poster;
    film.dataset.film = address;
    film.dataset.still = poster;
    film.src = still || gallery.calm.matches ? poster : address;
  }

  function fill(state, newest) {
    const card = $(`card-${state.name}`);
    if (!card) { location.reload(); return; }  // a new walk file
    const show = (selector, on) => { const each = card.querySelector(selector); if (each) each.hidden = !on; };
    show(".flag.live", state.rendering);
    show(".flag.failed", !state.rendering && state.failure);
    show(".flag.changed", state.changed);
    show(".flag.good", !state.failure && !state.checks.length && !state.rendering);
    const checks = card.querySelector(".flag.checks");
    checks.hidden = !state.checks.length || state.rendering;
    checks.textContent = `${state.checks.length} check${state.checks.length === 1 ? "" : "s"} failed`;
    const stored = card.querySelector(".stored");
    if (stored) stored.textContent = state.stored;
    const live = card.querySelector(".flag.live");
    live.textContent = state.left === null ? "rendering" : `rendering, ${gallery.duration(state.left)} left`;
    const share = state.frames ? (100 * state.stored) / state.frames : 0;
    card.querySelector(".meter").classList.toggle("full", state.stored === state.frames);
    card.querySelector(".meter .done").setAttribute("width", share.toFixed(2));
    card.dataset.rendered = state.rendered;
    if (state.looks === card.dataset.looks) return;
    card.dataset.looks = state.looks;
    if (!state.stored) return;
    const poster = `${state.name}/poster.webp?v=${state.looks}`;
    // While frames come, the newest one; a film of them all would be made anew every second.
    if (state.rendering && newest) picture(card, gallery.frame(newest), gallery.frame(newest));
    else picture(card, `${state.name}/preview.webp?v=${state.looks}`, poster);
  }

  $("search").addEventListener("input", filter);
  $("sort").addEventListener("change", sort);
  $("still").hidden = gallery.calm.matches;
  $("still").addEventListener("click", () => hold(!still));
  if (remembered()) hold(true);
  if ($("search").value) filter();
  if ($("sort").value !== "rendered") sort();
  gallery.listen(gallery.body.dataset.events, {
    walks({ walks, gone, newest }) {
      for (const name of gone) $(`card-${name}`)?.remove();
      for (const state of walks) fill(state, newest[state.name]);
      if (gone.length) filter();
    },
  });
}
