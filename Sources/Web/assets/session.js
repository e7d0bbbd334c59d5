// The member that this page is: in which room, under which name, with which role.
//
// Events: "entered" {room}, "returned" {seconds}, "users" {users}, "ended" {message} when the room
// is gone, "locked" {room} when the room asks for its password again.

const retryDelayMilliseconds = 700;
const openingPatienceMilliseconds = 15_000;
const transient = new Set(["JOIN_ERROR", "RATE_LIMITED", "STORAGE_UNAVAILABLE", "INTERNAL_ERROR"]);

export class Refused extends Error {
  constructor(error) {
    super(error?.message ?? "The server refused");
    this.code = error?.code ?? "";
  }
}

export class Session extends EventTarget {
  #connection;
  #opening = false;
  #attempt = 0;
  name = "";
  room = null;
  users = [];
  // In the room by the server's word, on this very connection.
  isIn = false;

  constructor(connection) {
    super();
    this.#connection = connection;
    connection.addEventListener("up", () => this.#up());
    connection.addEventListener("down", () => { this.isIn = false; });
    connection.addEventListener("message", ({ detail }) => this.#received(detail));
  }

  get self() { return this.users.find((user) => user.id === this.#connection.id) ?? null; }
  get isHost() { return this.self?.role === "host"; }

  create(room, password, editor) {
    return this.#enter(room, "create-room", {
      roomId: room, userName: this.name, password: password || null, editor,
    });
  }

  join(room, password) {
    return this.#enter(room, "join-room", {
      roomId: room, userName: this.name, password: password || null,
    });
  }

  // A member who is asked again after a break.
  async unlock(password) {
    const answer = await this.#connection.request("join-room", {
      roomId: this.room, userName: this.name, password,
    });
    if (!answer.ok) throw new Refused(answer.error);
    this.#back();
  }

  async leave() {
    const room = this.room;
    this.#forget();
    // The connection ends at once anyway, and with it the membership.
    await this.#connection.request("leave-room", room, 1500).catch(() => {});
    this.#connection.open(null);
  }

  async remove() {
    const answer = await this.#connection.request("delete-room", { roomId: this.room });
    if (!answer.ok) throw new Refused(answer.error);
  }

  async rename(name) {
    this.name = name;
    if (!this.isIn) return;
    const answer = await this.#connection.request("user-name-change", {
      roomId: this.room, userName: name,
    });
    if (!answer.ok) throw new Refused(answer.error);
  }

  // A new socket that names the room, then the request on it.
  async #enter(room, event, payload) {
    this.#opening = true;
    try {
      await this.#opened(room);
      const answer = await this.#connection.request(event, payload);
      if (!answer.ok) throw new Refused(answer.error);
    } catch (problem) {
      this.#connection.settle();
      this.#connection.open(null);
      throw problem.lost ? new Error("No answer from the server. Please try again.") : problem;
    } finally {
      this.#opening = false;
    }
    this.room = room;
    this.isIn = true;
    this.#connection.settle();
    this.#tell("entered", { room });
  }

  #opened(room) {
    return new Promise((resolve, reject) => {
      const connection = this.#connection;
      const end = (settle, value) => {
        clearTimeout(timer);
        connection.removeEventListener("up", up);
        settle(value);
      };
      const up = () => end(resolve);
      const late = () => end(reject, new Error("No server answers. Please try again."));
      const timer = setTimeout(late, openingPatienceMilliseconds);
      connection.addEventListener("up", up);
      connection.open(room);
    });
  }

  #up() {
    if (this.room) this.#return(++this.#attempt);
  }

  // After a break: the resume cookie stands for the password.
  async #return(attempt) {
    let answer;
    try {
      answer = await this.#connection.request("join-room", {
        roomId: this.room, userName: this.name, password: null,
      });
    } catch {
      return this.#returnLater(attempt);
    }
    if (attempt !== this.#attempt || !this.room) return;
    if (answer.ok) return this.#back();
    const code = answer.error?.code;
    if (transient.has(code)) return this.#returnLater(attempt);
    if (code === "INVALID_PASSWORD") return this.#tell("locked", { room: this.room });
    this.#end(answer.error?.message ?? "The room no longer exists");
  }

  // A broken connection brings its own attempt; one that holds gets another here.
  #returnLater(attempt) {
    setTimeout(() => {
      if (attempt === this.#attempt && this.room && this.#connection.isUp) this.#up();
    }, retryDelayMilliseconds);
  }

  #back() {
    this.isIn = true;
    const lostAt = this.#connection.lostAt;
    this.#connection.settle();
    this.#tell("returned", { seconds: lostAt === null ? 0 : (performance.now() - lostAt) / 1000 });
  }

  #received({ name, payload }) {
    if (name === "users-list" && Array.isArray(payload)) {
      this.users = payload.filter((user) => typeof user?.id === "string");
      this.#tell("users", { users: this.users });
    } else if (name === "room-deleted" && this.room && payload?.roomId === this.room) {
      this.#end(payload.message ?? "The room was deleted");
    }
  }

  #end(message) {
    this.#forget();
    this.#tell("ended", { message });
    this.#connection.settle();
    this.#connection.open(null);
  }

  #forget() {
    this.#attempt += 1;
    this.room = null;
    this.isIn = false;
    this.users = [];
  }

  get isOpening() { return this.#opening; }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}
