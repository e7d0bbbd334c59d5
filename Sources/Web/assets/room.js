// A room: its scene with the tools, who is here, and the ways out.

import { announce, byId, element, plural, toneOf } from "./dom.js";
import { confirmed } from "./dialogs.js";
import { pictureOf } from "./drawing.js";
import { kinds, palette } from "./shape.js";

const savingDelayMilliseconds = 400;

export class Room {
  #session;
  #scene;
  #stage;
  #outbox;
  #connection;
  #status;
  #rename;
  #savingTimer = 0;

  constructor({ connection, session, scene, stage, outbox, status, leave, rename }) {
    this.#connection = connection;
    this.#session = session;
    this.#scene = scene;
    this.#stage = stage;
    this.#outbox = outbox;
    this.#status = status;
    this.#rename = rename;
    for (const kind of Object.keys(kinds)) this.#addButton(kind);
    stage.addEventListener("select", ({ detail }) => this.#showSelected(detail.uuid));
    byId("colour").addEventListener("input", ({ target }) => {
      if (stage.selected) scene.paint(stage.selected, target.value);
    });
    byId("remove").addEventListener("click", () => this.#removeSelected());
    byId("leave").addEventListener("click", leave);
    byId("delete").addEventListener("click", () => this.#delete());
    byId("rename").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#rename(byId("new-name").value);
    });
    session.addEventListener("users", () => this.#showPeople());
    session.addEventListener("returned", () => this.#showSaving());
    outbox.addEventListener("change", () => this.#showSaving());
    connection.addEventListener("up", () => this.#showSaving());
    connection.addEventListener("down", () => this.#showSaving());
    connection.addEventListener("message", ({ detail }) => this.#tellOf(detail));
  }

  show() {
    byId("room").hidden = false;
    byId("room-title").textContent = this.#session.room;
    byId("new-name").value = this.#session.name;
    this.#showPeople();
    this.#showSaving();
    this.#showSelected(null);
    byId("room-title").focus();
  }

  hide() { byId("room").hidden = true; }

  // --- tools --------------------------------------------------------------------------------

  #addButton(kind) {
    const { label } = kinds[kind];
    const button = element("button", { type: "button", class: "adder", "data-kind": kind },
      pictureOf(kind), element("span", {}, label));
    button.setAttribute("aria-label", `Add ${label.toLowerCase()}`);
    button.addEventListener("click", () => {
      const colors = Object.values(palette);
      const same = this.#scene.shapes.filter((shape) => shape.kind === kind).length;
      const color = colors[this.#scene.shapes.length % colors.length];
      const shape = this.#scene.add(kind, color, `${label} ${same + 1}`);
      this.#stage.select(shape.uuid);
      announce(`${shape.name} added and selected`);
    });
    byId("adders").append(button);
  }

  #removeSelected() {
    const shape = this.#scene.get(this.#stage.selected);
    this.#stage.removeSelected();
    if (shape) announce(`${shape.name} removed`);
  }

  #showSelected(uuid) {
    const shape = uuid && this.#scene.get(uuid);
    byId("selected-name").textContent = shape ? shape.name : "No selection";
    byId("selected-name").classList.toggle("quiet", !shape);
    byId("colour").disabled = !shape;
    byId("remove").disabled = !shape;
    if (shape && byId("colour").value !== shape.color) byId("colour").value = shape.color;
  }

  #showSaving() {
    const save = byId("save");
    const waiting = this.#outbox.size;
    const isIn = this.#connection.isUp && this.#session.isIn;
    const state = waiting === 0 ? (isIn ? "saved" : "offline") : isIn ? "saving" : "waiting";
    const words = {
      saved: "All changes saved",
      saving: "Saving…",
      offline: "Not connected: changes are kept",
      waiting: `${plural(waiting, "change")} kept until the connection is back`,
    };
    save.dataset.waiting = waiting;
    clearTimeout(this.#savingTimer);
    const show = () => {
      save.dataset.state = state;
      save.textContent = words[state];
    };
    if (save.dataset.state !== "waiting" && state === "waiting") announce(words.waiting);
    // What is saved at once is not worth a word.
    if (state === "saving") this.#savingTimer = setTimeout(show, savingDelayMilliseconds);
    else show();
  }

  // --- people -------------------------------------------------------------------------------

  #showPeople() {
    if (!this.#session.room) return;
    const { users, self } = this.#session;
    byId("people-title").textContent = users.length ? `Here now (${users.length})` : "Here now";
    const rank = (user) => (user.role === "host" ? 0 : user.joinedAt ?? 1);
    const order = [...users].sort((one, two) => rank(one) - rank(two));
    byId("people").replaceChildren(...order.map((user) => this.#person(user)));
    const host = users.find((user) => user.role === "host")?.name ?? "Nobody";
    byId("room-role").textContent = this.#session.isHost
      ? "You are the host" : users.length ? `${host} is the host` : "";
    byId("delete").hidden = !this.#session.isHost;
    if (self && self.name !== this.#session.name) this.#session.name = self.name;
    if (document.activeElement !== byId("new-name")) byId("new-name").value = this.#session.name;
  }

  #person(user) {
    const name = String(user.name ?? "");
    const isSelf = user.id === this.#connection.id;
    const badges = [];
    if (user.role === "host") badges.push(element("span", { class: "badge host" }, "host"));
    if (isSelf) badges.push(element("span", { class: "badge" }, "you"));
    const initial = [...name][0]?.toUpperCase() ?? "?";
    const face = element(
      "span", { class: "face", "aria-hidden": "true", "data-tone": toneOf(name) }, initial);
    return element("li", { class: "person" }, face, element("span", { class: "person-name" }, name),
      ...badges);
  }

  #tellOf({ name, payload }) {
    if (!this.#session.room) return;
    if (name === "user-joined") announce(`${payload?.userName} joined`);
    else if (name === "user-left") announce(`${payload?.userName} left`);
    else if (name === "user-name-changed") {
      announce(`${payload?.oldName} is now ${payload?.userName}`);
    }
  }

  // --- ways out -----------------------------------------------------------------------------

  async #delete() {
    const isSure = await confirmed(
      "Delete this room?", "Its scene is gone for everybody. This cannot be undone.",
      "Delete room");
    if (!isSure) return;
    const room = this.#session.room;
    try {
      await this.#session.remove();
    } catch (problem) {
      // The room's end may be told before the request is acknowledged.
      if (this.#session.room !== room) return;
      this.#status.problem(
        problem.lost ? "No answer from the server; the room is still there." : problem.message);
    }
  }
}
