// Shows which instance serves this page and how it is, every five seconds.
const intervalMilliseconds = 5000;

async function fetchJSON(path) {
  const response = await fetch(path, { cache: "no-store" });
  return { ok: response.ok, body: await response.json() };
}

function show(id, text, className = "") {
  const element = document.getElementById(id);
  element.textContent = text;
  element.className = className;
}

async function refresh() {
  try {
    const [instance, health] = await Promise.all([
      fetchJSON("/api/instance"),
      fetchJSON("/api/health"),
    ]);
    show("instance", instance.body.instance ?? instance.body.id ?? "unknown");
    const status = health.body.status ?? "unknown";
    show("state", status, status === "healthy" || status === "ok" ? "good" : "bad");
  } catch {
    show("state", "no instance answers", "bad");
  }
}

refresh();
setInterval(refresh, intervalMilliseconds);
