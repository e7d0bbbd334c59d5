// The lobby: your name, the rooms there are, a new room.

import { byId, element, plural, showText, svg } from "./dom.js";

const listIntervalMilliseconds = 3000;
const roomPattern = /^[A-Za-z0-9_-]{3,50}$/;
const minPasswordLength = 4;
const quiet = ["calm", "quiet", "gentle", "still", "soft", "early", "slow", "clear"];
const places = ["harbour", "meadow", "river", "garden", "island", "valley", "orchard", "shore"];

export class Lobby {
  #connection;
  #session;
  #enter;

  // enter: {create(room, password), join(room, isLocked)}
  constructor(connection, session, enter) {
    this.#connection = connection;
    this.#session = session;
    this.#enter = enter;
    byId("create").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#create();
    });
    byId("room-id").addEventListener("input", () => showText(byId("create-error"), ""));
    connection.addEventListener("up", () => this.#ask());
    connection.addEventListener("message", ({ detail }) => {
      if (detail.name === "rooms-list" && Array.isArray(detail.payload)) this.#show(detail.payload);
    });
    setInterval(() => { if (!document.hidden) this.#ask(); }, listIntervalMilliseconds);
  }

  show() {
    byId("lobby").hidden = false;
    byId("room-id").value = suggestion();
    byId("room-password").value = "";
    this.#ask();
  }

  hide() { byId("lobby").hidden = true; }

  #ask() {
    if (!byId("lobby").hidden) this.#connection.send("get-rooms");
  }

  #create() {
    const room = byId("room-id").value.trim();
    const password = byId("room-password").value;
    const problem = !roomPattern.test(room)
      ? ["room-id", "The room name must have 3 to 50 letters, digits, - or _"]
      : password && password.length < minPasswordLength
        ? ["room-password", "The password must have at least 4 characters"] : null;
    for (const id of ["room-id", "room-password"]) {
      byId(id).setAttribute("aria-invalid", String(problem?.[0] === id));
    }
    showText(byId("create-error"), problem?.[1]);
    if (problem) return byId(problem[0]).focus();
    this.#enter.create(room, password, (text) => showText(byId("create-error"), text));
  }

  // Rows are kept, so that the focus stays where it is while the list is renewed.
  #show(rooms) {
    const list = byId("rooms");
    const wanted = rooms.filter((room) => typeof room?.id === "string")
      .sort((one, two) => (two.lastActivity ?? 0) - (one.lastActivity ?? 0));
    const rows = new Map([...list.children].map((row) => [row.dataset.room, row]));
    const ids = new Set(wanted.map((room) => room.id));
    for (const [id, row] of rows) if (!ids.has(id)) row.remove();
    for (const room of wanted) {
      const row = rows.get(room.id) ?? this.#row(room.id);
      if (!row.parentNode) list.append(row);
      fill(row, room);
    }
    if (!list.contains(document.activeElement)) {
      wanted.forEach((room, at) => {
        const row = [...list.children].find((one) => one.dataset.room === room.id);
        if (list.children[at] !== row) list.insertBefore(row, list.children[at]);
      });
    }
    showText(byId("rooms-count"), wanted.length ? plural(wanted.length, "room") : "");
    byId("rooms-empty").hidden = wanted.length > 0;
  }

  #row(id) {
    const join = element("button", { type: "button" }, "Join");
    const row = element("li", { class: "room" },
      element("div", { class: "room-words" },
        element("span", { class: "room-name" }, id),
        element("span", { class: "room-facts" },
          lockPicture(), element("span", { class: "room-lock" }),
          element("span", { class: "room-people" }))),
      join);
    row.dataset.room = id;
    join.addEventListener("click", () => this.#enter.join(id, row.dataset.locked === "yes"));
    return row;
  }
}

function fill(row, room) {
  const people = plural(Number(room.userCount) || 0, "person", "people");
  row.dataset.locked = room.isProtected ? "yes" : "no";
  showText(row.querySelector(".room-lock"), room.isProtected ? "locked ·" : "");
  row.querySelector(".room-people").textContent = people;
  row.querySelector(".lock").style.display = room.isProtected ? "" : "none";
  row.querySelector("button").setAttribute(
    "aria-label", `Join ${room.id}, ${room.isProtected ? "locked, " : ""}${people}`);
}

const lockShape = {
  body: "M4.5 7V5a3.5 3.5 0 0 1 7 0v2H13v7H3V7Z",
  shackle: "m1.5 0h4V5a2 2 0 0 0-4 0Z",
};

function lockPicture() {
  return svg("svg", { class: "lock", viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: `${lockShape.body}${lockShape.shackle}` }));
}

const pick = (words) => words[Math.floor(Math.random() * words.length)];
const suggestion = () => `${pick(quiet)}-${pick(places)}-${Math.floor(Math.random() * 90 + 10)}`;
