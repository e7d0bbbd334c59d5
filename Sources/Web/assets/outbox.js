// Edits on their way to the server. None is forgotten before it was acknowledged.
//
// For each object one message is under way at most; what is changed meanwhile goes in the next,
// with the newest state. While there is no connection edits wait here, and go out on return.
//
// Events: "change" whenever `size` may differ; "refused" {uuid, message} for an edit that the
// server did not take.

const pauseMilliseconds = 30;
const retryDelayMilliseconds = 1000;
const worthRetrying = new Set(["RATE_LIMITED", "STORAGE_UNAVAILABLE", "INTERNAL_ERROR"]);
// In the order in which they must go.
const changeTypes = ["object-added", "general", "material-change"];

export class Outbox extends EventTarget {
  #entries = new Map();
  #transmit;
  #isOpen = false;

  // transmit(event, payload) resolves with the acknowledgement, or rejects when there will be none.
  constructor(transmit) {
    super();
    this.#transmit = transmit;
  }

  get size() { return this.#entries.size; }
  get entries() { return this.#entries.values(); }

  // What of an object others must not overwrite here: a set of change types.
  pending(uuid) {
    const entry = this.#entries.get(uuid);
    return new Set(entry ? [...entry.types, ...entry.sending] : []);
  }

  isRemoving(uuid) { return this.#entries.get(uuid)?.removal === true; }

  changed(shape, changeType) {
    const entry = this.#entry(shape);
    if (entry.removal) return;
    entry.shape = shape;
    entry.types.add(changeType);
    this.#flush(entry);
  }

  removed(shape) {
    const entry = this.#entry(shape);
    if (entry.types.has("object-added") && !entry.wasSent) {
      this.#drop(entry);
      return;
    }
    entry.types.clear();
    entry.removal = true;
    this.#flush(entry);
  }

  // Somebody else's edit came while ours was under way: ours is sent once more, with theirs in it.
  again(uuid) {
    const entry = this.#entries.get(uuid);
    if (entry?.isUnderWay && !entry.removal) entry.sending.forEach((type) => entry.types.add(type));
  }

  drop(uuid) {
    const entry = this.#entries.get(uuid);
    if (entry) this.#drop(entry);
  }

  open() {
    this.#isOpen = true;
    for (const entry of this.#entries.values()) this.#flush(entry);
  }

  close() { this.#isOpen = false; }

  clear() {
    this.#isOpen = false;
    this.#entries.clear();
    this.#tell("change");
  }

  #entry(shape) {
    let entry = this.#entries.get(shape.uuid);
    if (!entry) {
      entry = {
        uuid: shape.uuid, shape, types: new Set(), sending: [], removal: false, wasSent: false,
        isUnderWay: false,
      };
      this.#entries.set(shape.uuid, entry);
      this.#tell("change");
    }
    return entry;
  }

  #drop(entry) {
    if (this.#entries.get(entry.uuid) === entry) this.#entries.delete(entry.uuid);
    this.#tell("change");
  }

  async #flush(entry) {
    if (!this.#isOpen || entry.isUnderWay || this.#entries.get(entry.uuid) !== entry) return;
    const isRemoval = entry.removal;
    const type = isRemoval ? null : changeTypes.find((one) => entry.types.has(one));
    if (!isRemoval && !type) return this.#drop(entry);
    // An added object goes out as it is now: nothing else of it is due.
    entry.sending = isRemoval ? [] : type === "object-added" ? [...entry.types] : [type];
    entry.sending.forEach((one) => entry.types.delete(one));
    entry.isUnderWay = true;
    entry.wasSent = true;
    let answer = null;
    try {
      answer = isRemoval
        ? await this.#transmit("sync-editor-object-removal", entry.shape.removal())
        : await this.#transmit("sync-editor-object-update", entry.shape.update(type));
    } catch {
      // Lost with the connection, or unanswered: it may or may not have arrived, so once more.
    }
    if (answer?.ok) await pause(isRemoval ? 0 : pauseMilliseconds);
    entry.isUnderWay = false;
    this.#answered(entry, isRemoval, answer);
  }

  #answered(entry, wasRemoval, answer) {
    if (answer?.ok) {
      entry.sending = [];
      if (wasRemoval) this.#drop(entry);
      else this.#flush(entry);
      return;
    }
    const code = answer?.error?.code;
    const isKept = !answer || worthRetrying.has(code) || code === "USER_NOT_IN_ROOM";
    if (!isKept) {
      this.#drop(entry);
      this.#tell("refused", { uuid: entry.uuid, message: answer.error?.message ?? "refused" });
      return;
    }
    entry.sending.forEach((type) => entry.types.add(type));
    entry.sending = [];
    setTimeout(() => this.#flush(entry), answer ? retryDelayMilliseconds : 0);
  }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
