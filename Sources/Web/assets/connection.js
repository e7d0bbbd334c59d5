// One connection to the cluster by the stock Socket.IO client, that comes back by itself.
//
// Events: "up" {url}, "down" {reason}, "trouble" {message}, "latency" {milliseconds},
// "instance" {name}, and "message" {name, payload} for each event of the server.
//
// The room stands in the query, so that a proxy brings its members to one instance; another room
// is therefore another socket. An instance may answer REDIRECT:<url> instead of letting us in: that
// is followed at once, if it is one of the cluster's own URLs.

const firstDelayMilliseconds = 80;
const longestDelayMilliseconds = 2000;
const probeIntervalMilliseconds = 2000;
// A server that does not answer for so long is given up, before the heartbeat would say so.
const probePatienceMilliseconds = 8000;
const redirectPrefix = "REDIRECT:";
const maxRedirects = 3;
const smoothing = 0.3;

export class Connection extends EventTarget {
  #io;
  #socket = null;
  #room = null;
  #urls;
  #known;
  #index = 0;
  #attempts = 0;
  #redirects = 0;
  #retry = 0;
  #probe = 0;
  #latency = null;
  #lostAt = null;

  // home: the origin of the page. nodes: public URLs of the instances.
  constructor(io, home, nodes = []) {
    super();
    this.#io = io;
    this.#known = new Set(nodes);
    // A page that came from an instance itself can go on to the others; one that came from a
    // proxy leaves the choice to the proxy.
    this.#urls = this.#known.has(home) ? [home, ...nodes.filter((url) => url !== home)] : [home];
    document.addEventListener("visibilitychange", () => this.#lookAgain());
    addEventListener("online", () => this.#lookAgain());
    // A page that the browser keeps for "back" would keep its connection too, and its place in
    // the list.
    addEventListener("pagehide", () => this.#pause());
    addEventListener("pageshow", ({ persisted }) => { if (persisted) this.#dial(this.url); });
  }

  get id() { return this.#socket?.id ?? null; }
  get isUp() { return this.#socket?.connected === true; }
  get url() { return this.#urls[this.#index]; }
  // When the connection broke, on performance.now()'s clock; null while all is well.
  get lostAt() { return this.#lostAt; }

  // Opens anew, for a room or (null) for the lobby.
  open(room) {
    this.#room = room;
    this.#attempts = 0;
    this.#redirects = 0;
    this.#dial(this.url);
  }

  // Ends the time without a room: from now on a break is a new one.
  settle() { this.#lostAt = null; }

  // Resolves with what the server acknowledges. Rejects with `lost` set if it never will.
  request(event, payload, patience = 10_000) {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const lost = () => reject(Object.assign(new Error("no answer"), { lost: true }));
      if (!socket?.connected) return lost();
      socket.timeout(patience).emit(event, payload, (error, answer) => {
        if (error) lost();
        else resolve(answer ?? {});
      });
    });
  }

  send(event, ...payload) {
    if (this.isUp) this.#socket.emit(event, ...payload);
  }

  #dial(url) {
    clearTimeout(this.#retry);
    this.#hangUp();
    const socket = this.#io(url, {
      path: "/socket.io",
      query: this.#room ? { roomId: this.#room } : {},
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      withCredentials: true,
      reconnection: false,
      forceNew: true,
      timeout: 6000,
    });
    this.#socket = socket;
    const current = (handler) => (...values) => {
      if (socket === this.#socket) handler(...values);
    };
    socket.on("connect", current(() => this.#connected(url)));
    socket.on("connect_error", current((error) => this.#refused(error)));
    socket.on("disconnect", current((reason) => this.#broken(reason)));
    socket.onAny(current((name, payload) => {
      if (name === "user-info") this.#tell("instance", { name: payload?.serverInstance });
      this.#tell("message", { name, payload });
    }));
  }

  #hangUp() {
    const socket = this.#socket;
    this.#socket = null;
    clearInterval(this.#probe);
    socket?.close();
  }

  #connected(url) {
    this.#attempts = 0;
    this.#redirects = 0;
    this.#latency = null;
    const probe = () => { if (!document.hidden) this.#ask(); };
    this.#probe = setInterval(probe, probeIntervalMilliseconds);
    this.send("get-user-info");
    this.#tell("up", { url });
    this.#ask();
  }

  #broken(reason) {
    this.#lostAt ??= performance.now();
    this.#hangUp();
    this.#tell("down", { reason });
    this.#retryLater();
  }

  #pause() {
    clearTimeout(this.#retry);
    this.#lostAt ??= performance.now();
    this.#hangUp();
    this.#tell("down", { reason: "page left" });
  }

  #refused(error) {
    const message = String(error?.message ?? "");
    if (message.startsWith(redirectPrefix) && this.#follow(message.slice(redirectPrefix.length))) {
      return;
    }
    this.#lostAt ??= performance.now();
    this.#hangUp();
    this.#tell("trouble", { message, attempts: this.#attempts });
    this.#index = (this.#index + 1) % this.#urls.length;
    this.#retryLater();
  }

  #follow(target) {
    if (!this.#known.has(target) || this.#redirects >= maxRedirects) return false;
    this.#redirects += 1;
    if (!this.#urls.includes(target)) this.#urls.push(target);
    this.#index = this.#urls.indexOf(target);
    this.#dial(target);
    return true;
  }

  // Doubling, with a spread, so that the clients of a dead instance do not come all at once.
  #retryLater() {
    const step = firstDelayMilliseconds * 2 ** Math.min(this.#attempts, 10);
    const delay = Math.min(step, longestDelayMilliseconds) * (0.75 + Math.random() / 2);
    this.#attempts += 1;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#dial(this.url), delay);
  }

  #lookAgain() {
    if (document.hidden) return;
    if (this.isUp) this.#ask();
    else if (this.#socket === null && this.#attempts > 0) this.#dial(this.url);
  }

  // One round trip of the event `ping`.
  #ask() {
    const socket = this.#socket;
    if (!socket?.connected) return;
    const asked = performance.now();
    socket.timeout(probePatienceMilliseconds).emit("ping", (error) => {
      if (socket !== this.#socket) return;
      if (error) return this.#broken("no answer");
      const took = performance.now() - asked;
      const before = this.#latency ?? took;
      this.#latency = before + smoothing * (took - before);
      this.#tell("latency", { milliseconds: this.#latency });
    });
  }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}
