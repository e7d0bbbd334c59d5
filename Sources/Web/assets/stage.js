// The scene on the screen: shapes that are chosen, dragged and moved by keys.
//
// Events: "select" {uuid or null}.

import { setAttributes, svg, toneOf } from "./dom.js";
import { definitions, drawingOf, paint } from "./drawing.js";
import { colorName, world } from "./shape.js";

const step = 0.25;
const longStep = 1;
const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const tagMilliseconds = 1600;

export class Stage extends EventTarget {
  #root;
  #scene;
  #layer;
  #tags;
  #empty;
  #drawn = new Map();
  #selected = null;
  #drag = null;

  constructor(root, scene) {
    super();
    this.#root = root;
    this.#scene = scene;
    this.#layer = svg("g", { class: "shapes" });
    this.#tags = svg("g", { class: "tags", "aria-hidden": "true" });
    this.#empty = svg("text", { class: "stage-empty", "text-anchor": "middle" });
    this.#empty.textContent = "Nothing here yet. Add a shape above.";
    const ground = svg("rect", {
      class: "ground", x: world.left, y: -world.top, width: world.right - world.left,
      height: world.top - world.bottom, fill: "url(#ground)",
    });
    root.append(definitions(), ground, this.#empty, this.#layer, this.#tags);
    scene.addEventListener("change", ({ detail }) => this.#show(detail));
    root.addEventListener("pointerdown", (event) => this.#grab(event));
    root.addEventListener("pointermove", (event) => this.#pull(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      root.addEventListener(end, () => { this.#letGo(); });
    }
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("focusin", ({ target }) => {
      const uuid = target.closest?.("[data-uuid]")?.dataset.uuid;
      if (uuid) this.select(uuid);
    });
    this.#show({ uuids: null });
  }

  get selected() { return this.#selected; }

  select(uuid) {
    if (uuid === this.#selected) return;
    this.#drawn.get(this.#selected)?.group.classList.remove("selected");
    this.#selected = uuid && this.#drawn.has(uuid) ? uuid : null;
    this.#drawn.get(this.#selected)?.group.classList.add("selected");
    this.#tell("select", { uuid: this.#selected });
  }

  focus(uuid) { this.#drawn.get(uuid)?.group.focus(); }

  // Removes what is selected, and gives the focus to its neighbour.
  removeSelected() {
    const uuid = this.#selected;
    if (!uuid) return null;
    const order = [...this.#drawn.keys()];
    const place = order.indexOf(uuid);
    const hadFocus = this.#root.contains(document.activeElement);
    this.#scene.remove(uuid);
    const next = order[place + 1] ?? order[place - 1] ?? null;
    if (hadFocus && next) this.focus(next);
    return uuid;
  }

  // --- drawing ------------------------------------------------------------------------------

  #show({ uuids, by }) {
    const known = new Set(this.#scene.shapes.map((shape) => shape.uuid));
    for (const [uuid, { group }] of [...this.#drawn]) {
      if (known.has(uuid)) continue;
      group.remove();
      this.#drawn.delete(uuid);
      if (this.#selected === uuid) this.select(null);
    }
    for (const shape of this.#scene.shapes) {
      if (uuids === null || uuids.includes(shape.uuid)) this.#draw(shape);
    }
    this.#empty.toggleAttribute("hidden", known.size > 0);
    this.#empty.style.display = known.size > 0 ? "none" : "";
    if (by && uuids?.length) this.#tag(uuids[0], by);
    if (this.#selected) this.#tell("select", { uuid: this.#selected });
  }

  #draw(shape) {
    let drawn = this.#drawn.get(shape.uuid);
    if (!drawn || drawn.kind !== shape.kind) {
      const group = drawn?.group ?? svg("g", {
        class: "shape", tabindex: 0, role: "button", "aria-roledescription": "shape",
        "aria-describedby": "stage-help", "data-uuid": shape.uuid,
      });
      group.replaceChildren(
        svg("ellipse", { class: "shadow", cy: 0.92, rx: 0.7, ry: 0.14 }),
        ...drawingOf(shape.kind),
        svg("rect", { class: "frame", x: -1.05, y: -1.1, width: 2.1, height: 2.25, rx: 0.25 }));
      if (!drawn) this.#layer.append(group);
      drawn = { group, kind: shape.kind };
      this.#drawn.set(shape.uuid, drawn);
    }
    paint(drawn.group, shape.color);
    setAttributes(drawn.group, {
      transform: `translate(${shape.x} ${-shape.y}) scale(${shape.scale})`,
      "data-x": shape.x, "data-y": shape.y, "data-color": shape.color, "data-kind": shape.kind,
      "aria-label": `${shape.name}, ${colorName(shape.color)}, at ${place(shape)}`,
    });
    this.#moveTag(shape);
  }

  // The name of a member beside what they have just changed.
  #tag(uuid, by) {
    const shape = this.#scene.get(uuid);
    if (!shape) return;
    const drawn = this.#drawn.get(uuid);
    if (!drawn.tag) {
      drawn.tag = svg("g", { class: "tag" }, svg("rect"), svg("text", { "text-anchor": "middle" }));
      this.#tags.append(drawn.tag);
    }
    writeTag(drawn.tag, by);
    this.#moveTag(shape);
    clearTimeout(drawn.tagTimer);
    drawn.tagTimer = setTimeout(() => {
      drawn.tag?.remove();
      drawn.tag = null;
    }, tagMilliseconds);
  }

  #moveTag(shape) {
    const tag = this.#drawn.get(shape.uuid)?.tag;
    if (!tag) return;
    const y = Math.max(-shape.y - 1.2 * shape.scale, -world.top + 0.3);
    tag.setAttribute("transform", `translate(${shape.x} ${y})`);
  }

  // --- hands --------------------------------------------------------------------------------

  #grab(event) {
    const uuid = event.target.closest?.("[data-uuid]")?.dataset.uuid;
    if (event.button !== 0) return;
    if (!uuid) return this.select(null);
    const shape = this.#scene.get(uuid);
    const at = this.#place(event);
    this.#drag = { uuid, pointer: event.pointerId, dx: shape.x - at.x, dy: shape.y - at.y };
    this.focus(uuid);
    this.select(uuid);
    this.#root.setPointerCapture(event.pointerId);
    this.#root.classList.add("dragging");
    event.preventDefault();
  }

  #pull(event) {
    const drag = this.#drag;
    if (!drag || drag.pointer !== event.pointerId) return;
    const at = this.#place(event);
    this.#scene.move(drag.uuid, at.x + drag.dx, at.y + drag.dy);
  }

  #letGo() {
    this.#drag = null;
    this.#root.classList.remove("dragging");
  }

  #place(event) {
    const at = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(this.#root.getScreenCTM().inverse());
    return { x: at.x, y: -at.y };
  }

  #key(event) {
    const shape = this.#selected && this.#scene.get(this.#selected);
    if (!shape || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = arrows[event.key];
    if (arrow) {
      const length = event.shiftKey ? longStep : step;
      this.#scene.move(shape.uuid, shape.x + arrow[0] * length, shape.y + arrow[1] * length);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.removeSelected();
    } else if (event.key === "Escape") {
      this.select(null);
    } else {
      return;
    }
    event.preventDefault();
  }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}

// A pill as wide as the name.
function writeTag(tag, name) {
  const [pill, text] = tag.children;
  text.textContent = name;
  tag.dataset.tone = toneOf(name);
  const size = Number.parseFloat(getComputedStyle(text).fontSize);
  const width = text.getComputedTextLength() + size * 1.1;
  const height = size * 1.55;
  setAttributes(pill, { x: -width / 2, y: -height / 2, width, height, rx: height / 2 });
  setAttributes(text, { y: size * 0.36 });
}

function place(shape) {
  const across = Math.round(shape.x * 10) / 10;
  const up = Math.round(shape.y * 10) / 10;
  const sides = [across < 0 ? "left" : "right", up < 0 ? "down" : "up"];
  return `${Math.abs(across)} ${sides[0]}, ${Math.abs(up)} ${sides[1]}`;
}
