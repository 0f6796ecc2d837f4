"use strict";
// A walk's page: the player and its controls, what is known of the frame shown, and what happens.
gallery.bring("walk", document.body.dataset.name).then((walk) => {
  const $ = (id) => document.getElementById(id);
  const count = walk.keys.length;
  const pictures = walk.pictures || walk.keys;
  const film = new Film(pictures, walk.missing);
  const screen_ = new Screen($("screen"), $("waiting"));
  const other = new Screen($("screen-other"), $("waiting-other"));
  screen_.film = film;
  const player = new Player(screen_, other, walk);
  const isGrid = walk.columns !== null;
  const curve = new Curve($("curve"), $("marks"), $("legend-more"), walk);
  let details = { environments: [], receipts: [] };

  // --- what is shown of a frame -------------------------------------------------------------
  const guidance = (index) => (Array.isArray(walk.guidance) ? walk.guidance[index] : walk.guidance);
  const said = (index) => `frame ${index}, the last is ${count - 1}: ${walk.captions[index]}`;

  function place(index) {
    if (isGrid) return `row ${Math.floor(index / walk.columns) + 1}, column ${(index % walk.columns) + 1}`;
    if (walk.scales) return `${index}, the last is ${count - 1}`;
    const way = walk.closed ? index / count : index / Math.max(1, count - 1);
    return `${(100 * way).toFixed(1).replace(/\.0$/, "")} % of the way`;
  }

  function mix(index) {
    let x = 0;
    const svg = gallery.element("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const [prompt, share] of walk.mixes[index]) {
      svg.append(gallery.element("rect", { class: `m${prompt % 4}`, x, width: Math.max(0, 100 * share), height: 8 }));
      x += 100 * share;
    }
    $("mix").replaceChildren(svg);
    const parts = walk.mixes[index].map(([prompt, share]) => `${Math.round(100 * share)} % ${walk.prompts[prompt]}`);
    if (parts.length > 1) return parts.join(", ");
    return isGrid ? walk.prompts[walk.mixes[index][0][0]] : walk.captions[index];
  }

  function pairs(list, entries) {
    list.replaceChildren(...entries.flatMap(([name, value]) => [gallery.element("dt", {}, name), gallery.element("dd", {}, String(value))]));
  }

  function receipt(index) {
    const known = details.receipts[index];
    $("f-created").textContent = known ? known[1].replace("T", " ").replace("Z", " UTC") : film.missing.has(index) ? "not yet" : "…";
    if (!known || !$("receipt").open) return;
    const [digest, created, seconds, number, position, batch] = known;
    const how = details.environments[number];
    pairs($("receipt-list"), [
      ["Pixel digest", digest], ["Rendered", created], ["Seconds", seconds],
      ["In its batch", `${position}, the last is ${batch - 1}`], ["Device", how.device], ["Platform", how.platform],
      ["Precision", how.precision], ["Versions", Object.entries(how.versions).map((pair) => pair.join(" ")).join(", ")],
      ...(how.licence ? [["Licence of the weights", how.licence]] : []),
    ]);
  }

  let cells = [];
  function tell() {
    const index = player.at;
    $("number").textContent = walk.scales ? `guidance ${walk.scales[index]}` : `${index} / ${count - 1}`;
    $("scrub").value = index;
    $("scrub").setAttribute("aria-valuetext", walk.scales ? `guidance ${walk.scales[index]}` : said(index));
    $("screen").setAttribute("aria-label", film.missing.has(index) ? `${said(index)}, not rendered yet` : said(index));
    curve.point(index);
    $("caption").textContent = mix(index);
    $("f-number").textContent = `${index}, the last is ${count - 1}`;
    $("f-place").textContent = place(index);
    $("f-guidance").textContent = guidance(index);
    $("f-key").textContent = walk.keys[index];
    const png = gallery.body.dataset.events;
    $("save").href = png ? `${gallery.root}frames/${pictures[index]}.png` : gallery.frame(pictures[index]);
    $("save").download = `${walk.name}-${String(index).padStart(4, "0")}.${png ? "png" : "webp"}`;
    $("save").hidden = film.missing.has(index);
    receipt(index);
    for (const jump of document.querySelectorAll(".jump")) jump.setAttribute("aria-current", Number(jump.dataset.frame) === index);
    const word = player.playing ? "Pause" : "Play";
    if ($("play-word").textContent !== word) {
      $("play-word").textContent = word;
      $("play-shape").setAttribute("d", player.playing ? "M6 5h4v14H6zM14 5h4v14h-4z" : "M7 4.5v15l13-7.5z");
    }
    $("pingpong").setAttribute("aria-pressed", player.pingPong);
    if (isGrid) choose(index);
  }
  player.changed = tell;

  // --- controls -----------------------------------------------------------------------------
  const speeds = [0.1, 0.25, 0.5, 1, 1.5, 2, 4];
  for (const each of speeds) $("speed").add(new Option(`${each}×`, each, each === 1, each === 1));
  function faster(by) {
    $("speed").selectedIndex = Math.max(0, Math.min(speeds.length - 1, $("speed").selectedIndex + by));
    player.speed = Number($("speed").value);
  }
  function pingPong() { player.pingPong = !player.pingPong; player.direction = 1; tell(); }
  function full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if ($("player").requestFullscreen) $("player").requestFullscreen();
  }
  $("scrub").max = Math.max(1, count - 1);
  $("scrub").disabled = count < 2;
  $("scrub").addEventListener("input", () => {
    const wanted = Number($("scrub").value);     // before the player sets it to where it is
    player.play(false);
    player.show(wanted);
  });
  $("play").addEventListener("click", () => player.play(!player.playing));
  $("before").addEventListener("click", () => player.step(-1));
  $("after").addEventListener("click", () => player.step(1));
  $("pingpong").addEventListener("click", pingPong);
  $("speed").addEventListener("change", () => faster(0));
  $("full").addEventListener("click", full);
  $("full").hidden = !document.fullscreenEnabled;
  $("receipt").addEventListener("toggle", () => receipt(player.at));
  for (const jump of document.querySelectorAll(".jump")) {
    jump.addEventListener("click", () => { player.play(false); player.show(Number(jump.dataset.frame)); });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.matches("select, input[type=search], textarea")) return;
    const inRange = target === $("scrub");
    const onButton = target.closest("button, a, summary");
    const actions = {
      " ": () => player.play(!player.playing), ArrowLeft: () => player.step(-1), ArrowRight: () => player.step(1),
      Home: () => player.step(-player.at), End: () => player.step(count - 1 - player.at),
      b: pingPong, f: full, "+": () => faster(1), "=": () => faster(1), "-": () => faster(-1),
    };
    if (!actions[event.key]) return;
    if (event.key === " " && onButton) return;                    // it presses the button
    if (inRange && /^(Arrow|Home|End)/.test(event.key)) return;   // the range moves by itself
    if (target.closest(".cells") && event.key.startsWith("Arrow")) return;
    event.preventDefault();
    actions[event.key]();
  });

  // The picture: tap to play, drag to move through the walk.
  for (const stage of [$("stage"), $("stage-other")]) {
    let from = null;
    stage.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      from = { x: event.clientX, at: player.at, moved: false };
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      if (!from || isGrid) return;
      const by = event.clientX - from.x;
      if (Math.abs(by) > 6) from.moved = true;
      if (!from.moved) return;
      player.play(false);
      player.show(from.at + Math.round((by / stage.clientWidth) * (count - 1)));
    });
    stage.addEventListener("pointerup", () => {
      if (from && !from.moved) player.play(!player.playing);
      from = null;
    });
    stage.addEventListener("pointercancel", () => { from = null; });
  }
  $("curve").addEventListener("pointerdown", (event) => {
    const box = $("curve").getBoundingClientRect();
    player.play(false);
    player.show(Math.round(((event.clientX - box.left) / box.width) * (count - 1)));
  });

  // --- a grid -------------------------------------------------------------------------------
  let chosen = -1;
  function choose(index) {
    if (chosen >= 0) { cells[chosen].setAttribute("aria-pressed", "false"); cells[chosen].tabIndex = -1; }
    chosen = index;
    cells[index].setAttribute("aria-pressed", "true");
    cells[index].tabIndex = 0;
  }
  function fillCells() {
    cells.forEach((cell, index) => {
      if (cell.firstChild || film.missing.has(index)) return;
      cell.append(gallery.element("img", { src: gallery.frame(pictures[index]), alt: "", loading: "lazy", decoding: "async", draggable: "false" }));
    });
  }
  if (isGrid) {
    const board = $("cells"), side = walk.columns;
    board.style.gridTemplateColumns = `repeat(${side}, minmax(0, 1fr))`;
    board.style.setProperty("--cell", `${walk.size[1]} / ${walk.size[0]}`);
    cells = walk.keys.map((key, index) => gallery.element("button", { type: "button", class: "cell", tabindex: -1, "aria-pressed": "false", "aria-label": place(index) }));
    board.append(...cells);
    fillCells();
    walk.corners.forEach((prompt, index) => { $(`corner-${index}`).textContent = walk.prompts[prompt]; });
    const at = (event) => {
      const box = board.getBoundingClientRect();
      const column = Math.floor(((event.clientX - box.left) / box.width) * side);
      const row = Math.floor(((event.clientY - box.top) / box.height) * side);
      const inside = (each) => Math.max(0, Math.min(side - 1, each));
      return inside(row) * side + inside(column);
    };
    let dragging = false;
    board.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      dragging = true;
      board.setPointerCapture(event.pointerId);
      player.play(false);
      player.show(at(event));
      cells[player.at].focus({ preventScroll: true });
      event.preventDefault();
    });
    board.addEventListener("pointermove", (event) => { if (dragging && at(event) !== player.at) player.show(at(event)); });
    for (const end of ["pointerup", "pointercancel"]) board.addEventListener(end, () => { dragging = false; });
    board.addEventListener("click", (event) => {       // by Enter or Space
      const index = cells.indexOf(event.target);
      if (index >= 0 && !event.detail) { player.play(false); player.show(index); }
    });
    board.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      const inside = (each) => Math.max(0, Math.min(side - 1, each));
      player.play(false);
      player.show(inside(Math.floor(player.at / side) + move[0]) * side + inside((player.at % side) + move[1]));
      cells[player.at].focus();
    });
  }

  // --- two in step ----------------------------------------------------------------------------
  async function compare() {
    const [kind, name] = ($("compare").value || ":").split(/:(.*)/s);
    $("stage-other").hidden = !kind;
    other.film = null;
    if (kind === "version") {
      const version = walk.versions.find((each) => each.name === name);
      other.film = new Film(version.keys);
      $("other-name").textContent = version.when;
    } else if (kind === "walk") {
      $("other-name").textContent = `${name} …`;
      const beside = await gallery.bring("walk", name, `../${name}/walk.js`).catch(() => null);
      if (!beside) { $("other-name").textContent = `${name} cannot be loaded`; return; }
      other.film = new Film(beside.pictures || beside.keys, beside.missing);
      $("other-name").textContent = name;
    }
    player.show(player.at);
  }
  if ($("compare")) $("compare").addEventListener("change", compare);

  // --- what happens meanwhile -------------------------------------------------------------------
  let asked = 0, later = 0;
  async function know() {                       // receipts and distances of the frames that are there
    clearTimeout(later);
    const wait = asked + 2500 - performance.now();
    if (asked && wait > 0) { later = setTimeout(know, wait); return; }
    asked = performance.now();
    const found = await gallery.bring("details", walk.name, `details.js?${film.missing.size}-${gallery.body.dataset.looks}`).catch(() => null);
    if (!found) return;
    details = found;
    curve.draw(found.distances);
    tell();
  }

  function live(state) {
    $("stored").textContent = state.stored;
    $("progress").hidden = !state.rendering && !state.finishing;
    $("progress-words").textContent = state.finishing ? "Making the files" : "Rendering";
    $("progress-bar").value = state.stored;
    const more = [`${state.stored} of ${state.frames} frames`];
    if (state.rate) more.push(`${state.rate} frames a second`);
    if (state.left !== null) more.push(`about ${gallery.duration(state.left)} left`);
    $("progress-more").textContent = more.join(" · ");
    $("failure").hidden = !state.failure;
    if (state.failure) $("why").textContent = state.failure;
    $("flag-changed").hidden = !state.changed;
    $("flag-checks").hidden = !state.checks.length;
    $("flag-checks").textContent = `${state.checks.join(", ")} failed`;
    if ($("flag-good")) $("flag-good").hidden = state.checks.length > 0 || Boolean(state.failure) || state.rendering;
    if (!state.missing) return;
    const before = film.missing.size;
    film.arrived(state.missing);
    if (film.missing.size === before) return;
    gallery.body.dataset.looks = state.looks;
    const first = film.keys.findIndex((_, index) => !film.missing.has(index));
    if (before === count && first >= 0 && film.missing.has(player.at)) player.show(first);
    else if (!player.playing) player.show(player.at);
    if (isGrid) fillCells();
    know();
  }

  const first = film.keys.findIndex((_, index) => !film.missing.has(index));
  player.show(Math.max(0, first));
  screen_.canvas.dataset.ready = "yes";
  const moving = !isGrid && !walk.scales && !gallery.calm.matches;
  if (moving && first >= 0) player.play(true);
  know();
  let version = null;
  gallery.listen(gallery.body.dataset.events, {
    walk(state) {
      // Another number of frames is another walk file; files that were made anew are listed anew.
      const now = `${state.frames} ${state.problem} ${state.rendering || state.finishing ? "" : state.rendered}`;
      const made = version !== null && version !== now && !state.rendering && !state.finishing;
      if (state.frames !== count || state.problem || made) { location.reload(); return; }
      if (!state.rendering && !state.finishing) version = now;
      live(state);
    },
  });
});
