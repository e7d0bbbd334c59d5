// Joins the parts of the page, and decides what is on the screen.

import { Connection } from "./connection.js";
import { askPassword, confirmed } from "./dialogs.js";
import { announce, byId, memory, plural, showText } from "./dom.js";
import { Lobby } from "./lobby.js";
import { Outbox } from "./outbox.js";
import { Room } from "./room.js";
import { Scene } from "./scene.js";
import { Refused, Session } from "./session.js";
import { emptyEditor } from "./shape.js";
import { Stage } from "./stage.js";
import { Status } from "./status.js";

const nameKey = "tandem-name";
const defaultName = "Guest";
// Asking for the whole scene: not more often than this.
const syncIntervalMilliseconds = 1000;

if (typeof globalThis.io === "function") start(await clusterURLs());
else explainMissingClient();

function explainMissingClient() {
  byId("link").dataset.state = "down";
  byId("link-instance").textContent = "no client";
  showText(byId("problem-banner"),
    "The Socket.IO client is missing on this server (/socket.io/socket.io.min.js). Run "
    + "scripts/fetch-client.sh where the server runs, restart it, then reload this page.");
}

// The public URLs of the instances. Not knowing them only means that no redirect is followed.
async function clusterURLs() {
  try {
    const answer = await fetch("/api/instance", { signal: AbortSignal.timeout(2000) });
    return (await answer.json()).nodes.map((node) => node.url);
  } catch {
    return [];
  }
}

function start(nodes) {
  const connection = new Connection(globalThis.io, location.origin, nodes);
  const session = new Session(connection);
  const outbox = new Outbox((event, payload) =>
    connection.request(event, { roomId: session.room, ...payload }));
  const scene = new Scene(outbox);
  const stage = new Stage(byId("stage"), scene);
  const status = new Status(connection, session, outbox);
  const lobby = new Lobby(connection, session, { create, join });
  const room = new Room({ connection, session, scene, stage, outbox, status, leave, rename });
  let syncedAt = 0;

  // --- what is on the screen ----------------------------------------------------------------

  function showLobby() {
    room.hide();
    lobby.show();
    document.title = "Tandem";
    if (location.hash) history.replaceState(null, "", location.pathname);
  }

  function showRoom() {
    lobby.hide();
    room.show();
    document.title = `${session.room} · Tandem`;
    history.replaceState(null, "", `#${session.room}`);
  }

  function busy(isBusy) {
    byId("lobby").toggleAttribute("aria-busy", isBusy);
    for (const button of byId("lobby").querySelectorAll("button")) button.disabled = isBusy;
  }

  // --- ways in and out ----------------------------------------------------------------------

  function takeName() {
    session.name = byId("name").value.trim() || defaultName;
    memory.set(nameKey, byId("name").value.trim());
  }

  // The scene arrives before the request is acknowledged.
  async function enter(how) {
    takeName();
    scene.clear();
    outbox.clear();
    busy(true);
    try {
      await how();
    } finally {
      busy(false);
    }
  }

  async function create(id, password, explain) {
    try {
      await enter(() => session.create(id, password, emptyEditor()));
    } catch (problem) {
      explain(problem.message);
    }
  }

  async function join(id, isLocked) {
    if (isLocked) return askPassword(id, (password) => enter(() => session.join(id, password)));
    try {
      await enter(() => session.join(id, null));
    } catch (problem) {
      if (problem instanceof Refused && problem.code === "INVALID_PASSWORD") return join(id, true);
      status.problem(problem.message);
    }
  }

  async function leave() {
    if (outbox.size > 0 && !connection.isUp) {
      const text = `${plural(outbox.size, "change")} made without a connection would be lost.`;
      if (!await confirmed("Leave now?", text, "Leave")) return;
    }
    const name = session.room;
    showLobby();
    await session.leave();
    outbox.clear();
    scene.clear();
    byId("lobby-title").focus();
    announce(`You left ${name}`);
  }

  async function rename(text) {
    const name = text.trim() || defaultName;
    byId("name").value = name;
    memory.set(nameKey, name);
    try {
      await session.rename(name);
      announce(`You are now ${session.name}`);
    } catch (problem) {
      if (!problem.lost) status.problem(problem.message);
    }
  }

  session.addEventListener("entered", () => {
    outbox.open();
    showRoom();
    announce(`You are in ${session.room}`);
  });

  session.addEventListener("returned", () => outbox.open());

  session.addEventListener("locked", async ({ detail }) => {
    status.problem("This browser did not keep the room's cookie: the password is needed again.");
    const worked = await askPassword(detail.room, (password) => session.unlock(password));
    if (!worked && session.room === detail.room && !session.isIn) leave();
  });

  session.addEventListener("ended", ({ detail }) => {
    const unsent = outbox.size
      ? ` ${plural(outbox.size, "change")} could not be saved.` : "";
    outbox.clear();
    scene.clear();
    showLobby();
    status.problem(detail.message + unsent);
  });

  // --- edits --------------------------------------------------------------------------------

  connection.addEventListener("down", () => {
    outbox.close();
    scene.expectScene();
  });

  connection.addEventListener("message", ({ detail }) => {
    scene.receive(detail.name, detail.payload);
  });

  function askForScene() {
    if (!session.isIn || performance.now() - syncedAt < syncIntervalMilliseconds) return;
    syncedAt = performance.now();
    scene.expectScene();
    connection.send("request-editor-sync", { roomId: session.room });
  }

  scene.addEventListener("unknown", askForScene);
  scene.addEventListener("lost", ({ detail }) => {
    const names = detail.names.join(", ");
    status.problem(`Removed by others meanwhile, so your change of it has no place: ${names}`);
  });
  outbox.addEventListener("refused", ({ detail }) => {
    status.problem(`A change was not taken: ${detail.message}`);
    askForScene();
  });

  addEventListener("beforeunload", (event) => {
    if (session.room && outbox.size > 0) event.preventDefault();
  });

  // --- the beginning ------------------------------------------------------------------------

  byId("name").value = memory.get(nameKey);
  byId("name").addEventListener("change", takeName);
  takeName();
  const asked = decodeURIComponent(location.hash.slice(1));
  showLobby();
  if (/^[A-Za-z0-9_-]{3,50}$/.test(asked)) join(asked, false);
  else connection.open(null);
}
