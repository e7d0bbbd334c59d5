// What is said about the connection: which instance, how far, how it is, and what a break looks
// like.

import { byId, showText } from "./dom.js";

const healthIntervalMilliseconds = 10_000;
const goodNewsMilliseconds = 8000;

export class Status {
  #connection;
  #session;
  #outbox;
  #instance = null;
  #hideTimer = 0;

  constructor(connection, session, outbox) {
    this.#connection = connection;
    this.#session = session;
    this.#outbox = outbox;
    connection.addEventListener("instance", ({ detail }) => {
      this.#instance = detail.name;
      this.#showLink();
    });
    connection.addEventListener("latency", ({ detail }) => this.#showLatency(detail.milliseconds));
    connection.addEventListener("up", () => {
      this.#instance = null;
      this.#showLink();
      this.#askHealth();
      if (!session.room) this.#back(connection.lostAt);
    });
    connection.addEventListener("down", () => this.#lost());
    connection.addEventListener("trouble", ({ detail }) => this.#trouble(detail));
    session.addEventListener("returned", ({ detail }) => this.#returned(detail.seconds));
    session.addEventListener("entered", () => this.#askHealth());
    connection.addEventListener("message", ({ detail }) => {
      if (detail.name !== "server-shutdown") return;
      this.#notice("This server restarts; you are moved to another.");
    });
    setInterval(() => { if (!document.hidden) this.#askHealth(); }, healthIntervalMilliseconds);
  }

  problem(text) {
    showText(byId("problem-banner"), text);
    clearTimeout(this.#hideTimer);
    if (text) this.#hideTimer = setTimeout(() => this.problem(""), goodNewsMilliseconds * 1.5);
  }

  #showLink() {
    byId("link").dataset.state = this.#connection.isUp ? "up" : "down";
    byId("link-instance").textContent = this.#connection.isUp
      ? this.#instance ?? "connected" : "not connected";
    if (!this.#connection.isUp) byId("link-latency").textContent = "";
  }

  #showLatency(milliseconds) {
    const shown = milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds);
    byId("link-latency").textContent = `${shown} ms`;
    this.#showLink();
  }

  #lost() {
    this.#instance = null;
    this.#showLink();
    this.#banner("Reconnecting…", "wait");
  }

  async #trouble({ attempts }) {
    this.#showLink();
    const isFirst = this.#connection.lostAt === null;
    this.#banner(isFirst ? "Connecting…" : "Reconnecting…", "wait");
    // The page's own server answers, yet lets nobody in: its list of origins lacks this page.
    if (attempts === 3 && await this.#isReady() && !this.#connection.isUp) {
      this.problem("The server is up but refuses connections from this page. "
        + `CORS_ORIGINS must name ${location.origin}`);
    }
  }

  async #isReady() {
    try {
      return (await fetch("/api/ready", { cache: "no-store" })).ok;
    } catch {
      return false;
    }
  }

  // In the lobby a connection is all there is to come back to.
  #back(lostAt) {
    if (lostAt === null) return this.#banner("");
    const seconds = (performance.now() - lostAt) / 1000;
    this.#connection.settle();
    if (!this.#session.isOpening) this.#returned(seconds);
  }

  #returned(seconds) {
    const waiting = this.#outbox.size;
    const changes = waiting === 1 ? "the change" : `${waiting} changes`;
    const more = waiting ? ` Sending ${changes} made meanwhile.` : "";
    this.#notice(`Back after ${seconds.toFixed(1)} s.${more}`);
    this.#askHealth();
  }

  #notice(text) {
    this.#banner(text, "good");
    const banner = byId("connection-banner");
    setTimeout(() => { if (banner.textContent === text) this.#banner(""); }, goodNewsMilliseconds);
  }

  #banner(text, kind = "") {
    const banner = byId("connection-banner");
    banner.dataset.kind = kind;
    showText(banner, text);
  }

  // Through a proxy the room in the query brings the question to the room's instance.
  async #askHealth() {
    const query = this.#session.room ? `?roomId=${encodeURIComponent(this.#session.room)}` : "";
    try {
      const answer = await fetch(`${this.#connection.url}/api/health${query}`, {
        cache: "no-store", credentials: "include",
      });
      const health = await answer.json();
      this.#showHealth(health);
    } catch {
      // The banner of the connection says it, if it is more than a lost question.
    }
  }

  #showHealth({ status, instance, reasons }) {
    const banner = byId("health-banner");
    const why = (Array.isArray(reasons) ? reasons : []).map((reason) => reason.message).join("; ");
    const words = {
      degraded: "is degraded", draining: "is leaving; you will be moved", starting: "is starting",
    };
    const kept = status === "degraded" ? " You can go on working." : "";
    const reason = why ? `: ${why}` : "";
    showText(banner, words[status] ? `${instance} ${words[status]}${reason}.${kept}` : "");
  }
}
