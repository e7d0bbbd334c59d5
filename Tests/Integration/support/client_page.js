// What the tests' page offers to a test: one stock client, what it heard, and steady edits.
// `io` is socket.io-client's own global.

const client = {
  socket: null,
  events: [], // {at, name, args}: of the server, and of the client itself in parentheses
  waiting: new Set(),

  note(name, ...args) {
    client.events.push({ at: performance.now(), name, args });
    for (const check of [...client.waiting]) check();
  },

  // The first transport of an Engine.IO session and its upgrades.
  watch(engine) {
    client.note("(opening)", engine.transport.name);
    engine.on("upgrade", (transport) => client.note("(upgrade)", transport.name));
    engine.on("upgradeError", (error) => client.note("(upgradeError)", String(error)));
  },

  // Opens the connection; resolves once it is connected or refused.
  open(url, options) {
    const socket = io(url, { withCredentials: true, ...options });
    client.socket = socket;
    client.watch(socket.io.engine);
    socket.onAny((name, ...args) => client.note(name, ...args));
    socket.on("connect", () => {
      client.note("(connect)", socket.id, socket.io.engine.transport.name, socket.recovered);
    });
    socket.on("disconnect", (reason) => client.note("(disconnect)", reason));
    socket.on("connect_error", (error) => {
      client.note("(connect_error)", error.message, error.data ?? null);
    });
    socket.io.on("reconnect_attempt", (number) => client.note("(attempt)", number));
    socket.io.on("reconnect", (number) => client.note("(reconnect)", number));
    return client.wait(["(connect)", "(connect_error)"], 0, 10000);
  },

  // The first event of these names from place `after` on; `where` is the text of a function of
  // the event's arguments. Rejects after `ms`.
  wait(names, after, ms, where = "() => true") {
    const fits = (0, eval)(where);
    const found = () =>
      client.events.slice(after).find((one) => names.includes(one.name) && fits(...one.args));
    return new Promise((resolve, reject) => {
      const check = () => {
        const event = found();
        if (!event) return;
        client.waiting.delete(check);
        clearTimeout(timer);
        resolve(event);
      };
      const timer = setTimeout(() => {
        client.waiting.delete(check);
        const heard = client.events.slice(-10).map((one) => one.name);
        reject(new Error(`not within ${ms} ms: ${names}; last: ${heard}`));
      }, ms);
      client.waiting.add(check);
      check();
    });
  },

  // The answers of an ack callback.
  call: (ms, name, ...args) =>
    new Promise((resolve, reject) => {
      client.socket.timeout(ms).emit(name, ...args, (error, ...answers) => {
        if (error) reject(error);
        else resolve(answers);
      });
    }),

  of: (event) => client.events.filter((one) => one.name === event).map((one) => one.args[0]),

  names: (event) => client.of(event).map((data) => data.objectData.object.name),

  users: () => client.events.findLast((one) => one.name === "users-list")?.args[0] ?? [],

  // --- a member that comes back by itself --------------------------------------------------------

  // As pages do: joins again after each connection, without the password.
  staysIn(room, userName) {
    client.socket.on("connect", () => {
      client.socket.emit("join-room", { roomId: room, userName, password: null });
    });
  },

  traffic: { records: [], refusals: [], running: false, timer: null },

  // Adds an object every `pause` ms while it is in the room; `records` says what became of each.
  edits(room, label, pause) {
    const { traffic } = client;
    const inRoom = () => {
      const last = client.events.findLast((one) =>
        ["(connect)", "(disconnect)", "joined-room", "room-created"].includes(one.name));
      return client.socket.connected && last?.args[0]?.roomId === room;
    };
    traffic.running = true;
    traffic.timer = setInterval(() => {
      if (!traffic.running || !inRoom()) return;
      const uuid = crypto.randomUUID().toUpperCase();
      const node = { uuid, type: "Mesh", name: `${label}-${traffic.records.length}`, layers: 1 };
      const record = { node, version: null };
      traffic.records.push(record);
      const payload = {
        roomId: room,
        objectUuid: uuid,
        objectData: { metadata: {}, geometries: [], materials: [], object: node },
        changeType: "object-added",
      };
      client.socket.emit("sync-editor-object-update", payload, (answer) => {
        if (answer.ok) record.version = answer.version;
        else traffic.refusals.push(answer);
      });
    }, pause);
  },

  rest() {
    client.traffic.running = false;
    clearInterval(client.traffic.timer);
  },
};
window.client = client;
