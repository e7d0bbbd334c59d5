// The scene as this member sees it: what the server said, with own edits that wait on top.
//
// Events: "change" {uuids or null for all, by: name or null}, "unknown" when an update came for an
// object that is not known here, "lost" {names} when own edits met an object that others have
// removed.

import { Shape, shapeOfUpdate, shapesOfScene } from "./shape.js";

const addingTypes = new Set(["object-added", "imported-object", "force-sync"]);

export class Scene extends EventTarget {
  #shapes = new Map();
  #outbox;
  #version = -1;

  constructor(outbox) {
    super();
    this.#outbox = outbox;
  }

  get shapes() { return [...this.#shapes.values()]; }
  get(uuid) { return this.#shapes.get(uuid) ?? null; }

  // --- own edits ----------------------------------------------------------------------------

  add(kind, color, name) {
    const shape = Shape.make(kind, color, this.#freePlace(), name);
    this.#shapes.set(shape.uuid, shape);
    this.#outbox.changed(shape, "object-added");
    this.#changed([shape.uuid]);
    return shape;
  }

  move(uuid, x, y) {
    const shape = this.get(uuid);
    if (!shape) return;
    shape.moveTo(x, y);
    this.#outbox.changed(shape, "general");
    this.#changed([uuid]);
  }

  paint(uuid, color) {
    const shape = this.get(uuid);
    if (!shape) return;
    shape.paint(color);
    this.#share(shape);
    this.#outbox.changed(shape, "material-change");
    this.#changed([uuid]);
  }

  remove(uuid) {
    const shape = this.get(uuid);
    if (!shape) return;
    this.#shapes.delete(uuid);
    this.#outbox.removed(shape);
    this.#changed([uuid]);
  }

  // --- what the server says -----------------------------------------------------------------

  receive(name, payload) {
    switch (name) {
      case "receive-full-editor": return this.#replace(payload);
      case "receive-editor-object-update": return this.#update(payload);
      case "receive-editor-object-removal": return this.#removed(payload);
      case "receive-editor-material-update": return this.#material(payload);
      default:
    }
  }

  // Before another room, or the same one again: the next whole scene counts, whatever its version.
  expectScene() { this.#version = -1; }

  clear() {
    this.#shapes.clear();
    this.#version = -1;
    this.#changed(null);
  }

  #replace({ editorData, version } = {}) {
    if (version !== 0 && !(version > this.#version)) return;
    this.#version = version;
    const mine = this.#shapes;
    this.#shapes = new Map(shapesOfScene(editorData?.scene).map((shape) => [shape.uuid, shape]));
    this.#putOwnOnTop(mine);
    this.#changed(null);
  }

  // Edits that wait here were made on what was seen then, and count on what is there now.
  #putOwnOnTop(mine) {
    const lost = [];
    for (const entry of [...this.#outbox.entries]) {
      const own = mine.get(entry.uuid) ?? entry.shape;
      if (entry.removal) {
        this.#shapes.delete(entry.uuid);
        continue;
      }
      const pending = this.#outbox.pending(entry.uuid);
      const now = this.#shapes.get(entry.uuid);
      if (now) {
        own.merge(now, pending);
        this.#shapes.set(entry.uuid, own);
      } else if (pending.has("object-added")) {
        this.#shapes.set(entry.uuid, own);
      } else {
        this.#outbox.drop(entry.uuid);
        lost.push(own.name);
      }
    }
    if (lost.length) this.#tell("lost", { names: lost });
  }

  #update({ objectData, objectUuid, changeType, updatedBy } = {}) {
    const known = this.get(objectUuid);
    if (!known && !addingTypes.has(changeType)) {
      // Ours to remove, then it is no news.
      if (!this.#outbox.isRemoving(objectUuid)) this.#tell("unknown", {});
      return;
    }
    if (!known) {
      const added = shapesOfScene({ ...objectData, object: objectData?.object ?? objectData });
      if (this.#outbox.isRemoving(objectUuid)) return;
      for (const shape of added) this.#shapes.set(shape.uuid, shape);
      return this.#changed(added.map((shape) => shape.uuid), updatedBy);
    }
    const shape = shapeOfUpdate(objectData, known);
    if (!shape) return;
    known.merge(shape, this.#outbox.pending(objectUuid));
    this.#share(known);
    this.#outbox.again(objectUuid);
    this.#changed([objectUuid], updatedBy);
  }

  #material({ materialUuid, materialData, updatedBy } = {}) {
    const touched = this.shapes.filter((shape) => shape.material?.uuid === materialUuid);
    for (const shape of touched) shape.material = { ...shape.material, ...materialData };
    this.#changed(touched.map((shape) => shape.uuid), updatedBy);
  }

  #removed({ objectId, removedBy } = {}) {
    this.#outbox.drop(objectId);
    if (this.#shapes.delete(objectId)) this.#changed([objectId], removedBy);
  }

  // Shapes may have one material in common: it is one for all of them.
  #share(shape) {
    const uuid = shape.material?.uuid;
    if (!uuid) return;
    const others = this.shapes.filter((one) => one !== shape && one.material?.uuid === uuid);
    for (const other of others) other.material = shape.material;
    if (others.length) this.#changed(others.map((one) => one.uuid));
  }

  // Of a few places the one that is farthest from everything.
  #freePlace() {
    let best = { x: 0, y: 0 };
    let bestGap = this.#gap(best);
    for (let tries = 0; tries < 24 && this.#shapes.size > 0; tries += 1) {
      const place = { x: Math.random() * 9 - 4.5, y: Math.random() * 6 - 3 };
      const gap = this.#gap(place);
      if (gap > bestGap) [best, bestGap] = [place, gap];
    }
    return best;
  }

  #gap(place) {
    const gaps = this.shapes.map(({ x, y }) => Math.hypot(x - place.x, y - place.y));
    return Math.min(...gaps, 99);
  }

  #changed(uuids, by = null) { this.#tell("change", { uuids, by }); }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}
