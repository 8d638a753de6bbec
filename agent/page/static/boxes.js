// Boxes on the picture: regions of an answer, and the part that a question is restricted to. Seen, moved, resized, drawn.

import { el } from "./dom.js";

export const COLOURS = ["#e6194b", "#0a7f3f", "#4363d8", "#c75a00", "#911eb4", "#00798c", "#b0187c", "#8a5a00"];
const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const LEAST = 4; // pixels of the picture
const PART = "part";

export const colourOf = (number) => COLOURS[(number - 1) % COLOURS.length];

export class Boxes extends EventTarget {
  /** Says `hover`, `select`, `change`, `remove` with {id} as detail; the part has the id "part". */
  constructor(viewer, layer) {
    super();
    this.viewer = viewer;
    this.layer = layer;
    this.regions = new Map();
    this.nodes = new Map();
    this.selected = null;
    this.part = null;
    this.drawing = false;
    viewer.addEventListener("view", () => this.place());
    viewer.stage.addEventListener("pointerdown", (event) => this.draw(event), { capture: true });
    viewer.stage.addEventListener("click", (event) => { if (!event.target.closest(".box") && !viewer.dragged) this.select(null); });
  }

  /** Shows these regions: {id, box, number, words, fixed}; those without a number are the faint ones. */
  show(regions) {
    this.regions = new Map(regions.map((region) => [region.id, region]));
    if (this.selected !== PART && !this.regions.has(this.selected)) this.selected = null;
    this.build();
  }

  build() {
    const focused = document.activeElement?.dataset?.id;
    this.nodes.clear();
    const shown = [...this.regions.values()].sort((a, b) => Boolean(a.number) - Boolean(b.number) || area(b) - area(a));
    this.layer.replaceChildren(...(this.part ? [this.partNode()] : []), ...shown.map((region) => this.node(region)));
    this.place();
    if (focused !== undefined && this.nodes.has(focused)) this.nodes.get(focused).focus({ preventScroll: true });
  }

  node(region) {
    const name = region.number ? `Evidence ${region.number}: ${region.words}` : region.words;
    const node = el("div", {
      class: `box${region.number ? " evidence" : ""}${region.changed ? " changed" : ""}`, role: "button", title: name,
      tabIndex: region.number || region.changed ? 0 : -1, "aria-label": name, "aria-keyshortcuts": "Delete",
    });
    if (region.number) {
      node.style.setProperty("--colour", colourOf(region.number));
      node.append(el("span", { class: "tag" }, String(region.number)));
    }
    return this.wire(node, region.id);
  }

  partNode() {
    const label = "The part asked about; arrows move it, Shift and arrows resize it, Delete removes it";
    return this.wire(el("div", { class: "box part", role: "button", tabIndex: 0, "aria-label": label }), PART);
  }

  wire(node, id) {
    node.dataset.id = id;
    this.nodes.set(id, node);
    const free = !this.regions.get(id)?.fixed;
    node.append(...(this.selected === id && free ? HANDLES.map((side) => el("i", { class: `handle ${side}` })) : []));
    node.classList.toggle("selected", this.selected === id);
    node.setAttribute("aria-pressed", String(this.selected === id));
    node.addEventListener("pointerenter", () => this.say("hover", id));
    node.addEventListener("pointerleave", () => this.say("hover", null));
    node.addEventListener("focus", () => this.say("hover", id));
    node.addEventListener("blur", () => this.say("hover", null));
    node.addEventListener("click", () => this.select(id));
    node.addEventListener("keydown", (event) => this.key(event, id));
    node.addEventListener("pointerdown", (event) => {
      const handle = event.target.classList.contains("handle") ? event.target.classList[1] : null;
      if (this.selected === id && free && event.button === 0 && !this.drawing) this.drag(event, id, handle ?? "move");
    });
    return node;
  }

  boxOf(id) {
    return id === PART ? this.part : this.regions.get(id)?.box;
  }

  place() {
    for (const [id, node] of this.nodes) {
      const [x1, y1, x2, y2] = this.boxOf(id);
      const [left, top] = this.viewer.toStage(x1, y1);
      const [right, bottom] = this.viewer.toStage(x2, y2);
      Object.assign(node.style, {
        left: `${left - 2}px`, top: `${top - 2}px`, width: `${right - left + 4}px`, height: `${bottom - top + 4}px`,
      });
      node.classList.toggle("inside", left < 24);
      node.classList.toggle("tiny", right - left < 70 || bottom - top < 40);
    }
  }

  select(id) {
    if (this.selected === id) return;
    this.selected = id;
    this.build();
    if (id !== null) this.nodes.get(id)?.focus({ preventScroll: true });
    this.say("select", id);
  }

  highlight(id) {
    for (const [other, node] of this.nodes) node.classList.toggle("lit", other === id);
  }

  setPart(box) {
    this.part = box;
    this.selected = box ? PART : null;
    this.build();
    this.say("change", PART);
  }

  setDrawing(on) {
    this.drawing = on;
    this.viewer.stage.classList.toggle("drawing", on);
  }

  /** Drawing a part with the pointer. */
  draw(event) {
    if (!this.drawing || event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    const from = this.clamped(this.viewer.inPicture(event));
    this.part = [...from, from[0] + 0.01, from[1] + 0.01];
    this.selected = PART;
    this.build();
    this.viewer.dragged = true; // the click that ends it selects nothing
    this.follow(event, (to) => { this.part = ordered([...from, ...this.clamped(to)]); }, () => {
      const large = this.part[2] - this.part[0] >= LEAST && this.part[3] - this.part[1] >= LEAST;
      this.setPart(large ? this.part : null);
      if (large) this.nodes.get(PART).focus({ preventScroll: true });
    });
  }

  drag(event, id, how) {
    event.preventDefault();
    event.stopPropagation();
    const from = this.viewer.inPicture(event);
    const before = [...this.boxOf(id)];
    this.nodes.get(id).focus({ preventScroll: true });
    let moved = false;
    this.viewer.dragged = true;
    this.follow(event, (to) => {
      moved = true;
      this.put(id, changed(before, how, to[0] - from[0], to[1] - from[1]));
    }, () => { if (moved) this.say("change", id); });
  }

  /** Pointer moves until it is let go, wherever it goes. */
  follow(event, move, end) {
    const stage = this.viewer.stage;
    stage.setPointerCapture(event.pointerId);
    const moving = (next) => { if (next.pointerId === event.pointerId) { move(this.viewer.inPicture(next)); this.place(); } };
    const ended = (next) => {
      if (next.pointerId !== event.pointerId) return;
      stage.removeEventListener("pointermove", moving);
      stage.removeEventListener("pointerup", ended);
      stage.removeEventListener("pointercancel", ended);
      end();
    };
    stage.addEventListener("pointermove", moving);
    stage.addEventListener("pointerup", ended);
    stage.addEventListener("pointercancel", ended);
  }

  put(id, box) {
    const { width, height } = this.viewer;
    const inside = [Math.max(0, box[0]), Math.max(0, box[1]), Math.min(width, box[2]), Math.min(height, box[3])];
    if (inside[2] - inside[0] < LEAST || inside[3] - inside[1] < LEAST) return;
    if (id === PART) this.part = inside;
    else this.regions.get(id).box = inside;
  }

  clamped([x, y]) {
    return [Math.min(this.viewer.width, Math.max(0, x)), Math.min(this.viewer.height, Math.max(0, y))];
  }

  key(event, id) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = Math.max(1, Math.round(4 / this.viewer.scale));
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (by && this.selected === id && !this.regions.get(id)?.fixed) {
      this.put(id, changed(this.boxOf(id), event.shiftKey ? "se" : "move", ...by));
      this.place();
      this.say("change", id);
    } else if (event.key === "Enter" || event.key === " ") this.select(id);
    else if (event.key === "Delete" || event.key === "Backspace") this.say("remove", id);
    else if (event.key === "Escape") {
      this.select(null);
      this.viewer.stage.focus({ preventScroll: true });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  say(kind, id) {
    this.dispatchEvent(new CustomEvent(kind, { detail: { id } }));
  }
}

const area = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);

const ordered = ([x1, y1, x2, y2]) => [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];

/** A box moved, or with the sides named by `how` (n, e, s, w and corners) moved. */
function changed([x1, y1, x2, y2], how, dx, dy) {
  if (how === "move") return [x1 + dx, y1 + dy, x2 + dx, y2 + dy];
  return [
    how.includes("w") ? Math.min(x1 + dx, x2 - LEAST) : x1, how.includes("n") ? Math.min(y1 + dy, y2 - LEAST) : y1,
    how.includes("e") ? Math.max(x2 + dx, x1 + LEAST) : x2, how.includes("s") ? Math.max(y2 + dy, y1 + LEAST) : y2,
  ];
}
