// The stand-in workspace over HTTP and WebSocket. Every answer is data; a failure is {ok: false, error}.

const UNREACHABLE = "The sandbox does not answer. Is `pointsman demo` still running?";

async function read(response) {
  const body = await response.json().catch(() => null);
  if (body) return body;
  return { ok: false, error: `The sandbox answered ${response.status}.` };
}

/** GET; null where the server has no such thing (404). Throws when it cannot be reached. */
export async function get(path, query = {}) {
  const given = Object.entries(query).filter(([, v]) => v != null);
  const response = await fetch(`${path}?${new URLSearchParams(given)}`);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error((await read(response)).error);
  return response.json();
}

/** POST that never throws: {ok, error?, …}. */
export async function post(path, body) {
  try {
    const headers = { "Content-Type": "application/json" };
    return await read(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
  } catch {
    return { ok: false, error: UNREACHABLE };
  }
}

const FIRST_WAIT = 250;
const LONGEST_WAIT = 5000;

/**
 * A socket that comes back. `on.event(data)` for each push, `on.open()` when it stands, the first time and
 * again (what was pushed before was missed), `on.lost()` when it fell. Returns a function that closes it for good.
 */
export function socket(as, on) {
  let current,
    timer,
    ended = false,
    failures = 0;
  const connect = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    current = new WebSocket(`${scheme}://${location.host}/ui/socket?as=${encodeURIComponent(as)}`);
    current.onopen = () => {
      failures = 0;
      on.open?.();
    };
    current.onmessage = (message) => ended || on.event(JSON.parse(message.data));
    current.onclose = () => ended || again();
  };
  const again = () => {
    failures += 1;
    on.lost?.();
    timer = setTimeout(connect, Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures));
  };
  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    current.close();
  };
}
