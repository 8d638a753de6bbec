// The picture, zoomed and moved: wheel, pinch, drag, keys. Everything else asks it where things are on the screen.

const MOST = 32; // screen pixels for one of the picture

export class Viewer extends EventTarget {
  /** `stage` clips, `world` holds what is in pixels of the picture. */
  constructor(stage, world) {
    super();
    this.stage = stage;
    this.world = world;
    this.width = this.height = 1;
    this.scale = 1;
    this.x = this.y = 0;
    this.fitted = true;
    this.pointers = new Map();
    this.dragged = false;
    new ResizeObserver(() => (this.fitted ? this.fit() : this.apply())).observe(stage);
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, (event) => this.up(event));
    stage.addEventListener("dblclick", (event) => this.zoomAt(this.fitted ? 2.5 : 0.4, ...this.inStage(event)));
    stage.addEventListener("keydown", (event) => this.key(event));
  }

  size(width, height) {
    this.width = width;
    this.height = height;
    this.fit();
  }

  fit() {
    const { clientWidth: w, clientHeight: h } = this.stage;
    if (!w || !h) return;
    this.scale = Math.min(w / this.width, h / this.height, 4) * 0.98;
    this.x = (w - this.width * this.scale) / 2;
    this.y = (h - this.height * this.scale) / 2;
    this.fitted = true;
    this.apply();
  }

  zoomAt(factor, x, y) {
    const { clientWidth: w, clientHeight: h } = this.stage;
    const least = Math.min(w / this.width, h / this.height, 1) * 0.5;
    const scale = Math.min(MOST, Math.max(least, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.apply();
  }

  zoom(factor) {
    this.zoomAt(factor, this.stage.clientWidth / 2, this.stage.clientHeight / 2);
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.apply();
  }

  /** Brings a box (pixels of the picture) into sight; moves as little as it takes, enlarges what would be unreadable. */
  reveal([x1, y1, x2, y2]) {
    const { clientWidth: w, clientHeight: h } = this.stage;
    const high = (y2 - y1) * this.scale;
    if (high < 14) {
      const scale = Math.min(MOST, 0.8 * w / (x2 - x1), 26 / (y2 - y1), 3);
      if (scale > this.scale) {
        this.scale = scale;
        this.fitted = false;
        this.x = w / 2 - ((x1 + x2) / 2) * scale;
        this.y = h / 2 - ((y1 + y2) / 2) * scale;
      }
    }
    const edge = 24;
    const [left, top] = this.toStage(x1, y1);
    const [right, bottom] = this.toStage(x2, y2);
    const dx = left < edge ? edge - left : right > w - edge ? Math.max(w - edge - right, edge - left) : 0;
    const dy = top < edge ? edge - top : bottom > h - edge ? Math.max(h - edge - bottom, edge - top) : 0;
    if (dx || dy) this.pan(dx, dy);
    else this.apply();
  }

  /** A part of the picture always stays in sight. */
  apply() {
    const { clientWidth: w, clientHeight: h } = this.stage;
    const keep = 60;
    this.x = Math.min(w - keep, Math.max(keep - this.width * this.scale, this.x));
    this.y = Math.min(h - keep, Math.max(keep - this.height * this.scale, this.y));
    this.world.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.world.classList.toggle("pixels", this.scale >= 3);
    this.dispatchEvent(new Event("view"));
  }

  inStage(event) {
    const at = this.stage.getBoundingClientRect();
    return [event.clientX - at.left, event.clientY - at.top];
  }

  /** Where the pointer is, in pixels of the picture. */
  inPicture(event) {
    const [x, y] = this.inStage(event);
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  toStage(x, y) {
    return [x * this.scale + this.x, y * this.scale + this.y];
  }

  /** What is seen of the picture: x1 y1 x2 y2. */
  seen() {
    const { clientWidth: w, clientHeight: h } = this.stage;
    return [
      Math.max(0, -this.x / this.scale), Math.max(0, -this.y / this.scale),
      Math.min(this.width, (w - this.x) / this.scale), Math.min(this.height, (h - this.y) / this.scale),
    ];
  }

  wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 20 : 1;
    if (event.shiftKey) this.pan(-event.deltaY * unit, 0);
    else this.zoomAt(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0018)), ...this.inStage(event));
  }

  down(event) {
    if (event.defaultPrevented || event.button > 1) return;
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.dragged = false;
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    if (!this.dragged) {
      if (!event.buttons) return void this.pointers.delete(event.pointerId); // let go outside the window
      if (Math.hypot(now[0] - before[0], now[1] - before[1]) < 4) return; // a click so far
      this.dragged = true;
      this.stage.classList.add("dragging");
    }
    if (!this.stage.hasPointerCapture(event.pointerId)) this.stage.setPointerCapture(event.pointerId);
    if (this.pointers.size === 1) this.pan(now[0] - before[0], now[1] - before[1]);
    else {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
      const at = this.stage.getBoundingClientRect();
      this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
      this.zoomAt(apart(now) / apart(before), (now[0] + other[0]) / 2 - at.left, (now[1] + other[1]) / 2 - at.top);
    }
    this.pointers.set(event.pointerId, now);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) this.stage.classList.remove("dragging");
  }

  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 200 : 60;
    const does = {
      "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), "0": () => this.fit(),
      ArrowLeft: () => this.pan(step, 0), ArrowRight: () => this.pan(-step, 0),
      ArrowUp: () => this.pan(0, step), ArrowDown: () => this.pan(0, -step),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }
}
