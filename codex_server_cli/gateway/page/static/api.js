/**
 * Requests to `serve`: the session, JSON, and event streams with cursors. Owns reconnecting and renewing the session.
 * The token is sent once, in a body; it is never stored.
 */

const HEADER = "X-Codex-Server-CSRF";
const KEY = "codex-server-proof";
const BASE = new URL(".", location.href);
/** Longer than three keep-alive comments of a silent stream. */
const SILENT_MS = 35_000;
const LONGEST_PAUSE_MS = 5_000;
/** A tab hidden for this long closes its stream: a browser has six connections for all tabs. */
const HIDDEN_MS = 20_000;

/** An error returned by the API. */
export class ApiError extends Error {
  /** @param {number} status @param {{message?: string, code?: string|null, hint?: string}} error */
  constructor(status, error) {
    super(error.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = error.code ?? "";
    this.hint = error.hint ?? "";
  }
}

/** `serve` cannot be reached. */
export class Unreachable extends Error {
  constructor() {
    super("serve does not answer");
  }
}

/** @typedef {{open: boolean, needs_token?: boolean, proof?: string, version?: string, cwd?: string,
 *   utc_offset_s?: number, may?: {write: boolean, approve: boolean, all: boolean}}} Session */

/** Callbacks that the application sets. */
export const hooks = {
  /** Ask the user for the token until a session is open. */
  login: async () => {},
  /** Another tab has opened a session: the user need not log in. */
  resumed: () => {},
  /** The user has ended the session. */
  closed: () => {},
  /** @param {Session} session opened or found */
  opened: (session) => void session,
  /** @param {boolean} isReachable */
  reachable: (isReachable) => void isReachable,
};

/** @type {Promise<void>|null} */
let renewing = null;
/** @type {string} */
let proof = stored();

/** @returns {string} */
function stored() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // no storage: the session lasts until this tab is reloaded
  }
}

/** @param {string} value */
function keep(value) {
  proof = value;
  try {
    if (value) localStorage.setItem(KEY, value);
    else localStorage.removeItem(KEY);
  } catch {
    // as above
  }
}

addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  proof = event.newValue ?? "";
  if (proof) hooks.resumed(); // another tab has logged in
  else hooks.closed(); // another tab has logged out
});

/**
 * @param {string} path relative to the page
 * @param {RequestInit & {headers?: Record<string, string>}} [init]
 * @returns {Promise<Response>}
 */
async function raw(path, init = {}) {
  const headers = { Accept: "application/json", ...(init.headers ?? {}), ...(proof ? { [HEADER]: proof } : {}) };
  try {
    const response = await fetch(new URL(path, BASE), { ...init, headers, cache: "no-store", credentials: "same-origin" });
    hooks.reachable(true);
    return response;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    hooks.reachable(false);
    throw new Unreachable();
  }
}

/** @param {Response} response @returns {Promise<ApiError>} */
async function errorOf(response) {
  try {
    return new ApiError(response.status, (await response.json()).error ?? {});
  } catch {
    return new ApiError(response.status, {}); // an error page of a proxy
  }
}

/**
 * Send a request, and repeat it with a new session if the old one has ended.
 * @param {string} path
 * @param {RequestInit & {headers?: Record<string, string>}} [init]
 * @returns {Promise<Response>}
 */
async function request(path, init = {}) {
  for (let attempt = 0; ; attempt += 1) {
    const response = await raw(path, init);
    if (response.ok) return response;
    const error = await errorOf(response);
    if (!isSessionOver(error) || attempt > 2) throw error;
    await renew();
  }
}

/** @param {ApiError} error */
function isSessionOver(error) {
  const isRefused = error.status === 401 || error.status === 403;
  return isRefused && ["session_over", "invalid_api_key", "origin_not_allowed"].includes(error.code) && !isForeign(error);
}

/** @param {ApiError} error whether the page's own address is refused: a login would not help */
function isForeign(error) {
  return error.code === "origin_not_allowed" && proof !== "";
}

/** Get a session: silently if no token is needed, else from the user. One at a time. */
/** @returns {Promise<void>} */
export function renew() {
  renewing ??= (async () => {
    const response = await raw("page/session");
    if (!response.ok) throw await errorOf(response);
    const found = /** @type {Session} */ (await response.json());
    if (found.open) hooks.opened(found);
    else if (found.needs_token) await hooks.login();
    else await openSession(null);
  })().finally(() => {
    renewing = null;
  });
  return renewing;
}

/**
 * @param {string|null} token null if none is needed
 * @returns {Promise<void>}
 */
export async function openSession(token) {
  const body = JSON.stringify(token === null ? {} : { token });
  const response = await raw("page/session", { method: "POST", body, headers: { "Content-Type": "application/json" } });
  if (!response.ok) throw await errorOf(response);
  const session = /** @type {Session} */ (await response.json());
  keep(session.proof ?? "");
  hooks.opened(session);
}

/** End the session. */
/** @returns {Promise<void>} */
export async function closeSession() {
  try {
    await raw("page/session", { method: "DELETE" });
  } finally {
    keep("");
  }
}

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function get(path, signal) {
  return (await request(path, { signal })).json();
}

/** @param {string} path @param {unknown} body @param {Record<string, string>} [headers] @returns {Promise<any>} */
export async function post(path, body, headers = {}) {
  const init = { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } };
  return (await request(path, init)).json();
}

/**
 * Follow a turn to its end from a cursor on; reconnects.
 * @param {string} turn
 * @param {() => number} after the `seq` of the last event received
 * @param {(name: string, data: any) => void} onEvent
 * @param {AbortSignal} signal
 * @returns {Promise<void>} resolves at the end of the turn, or when aborted
 */
export async function follow(turn, after, onEvent, signal) {
  let pauseMs = 250;
  while (!signal.aborted) {
    if (document.hidden && after() >= 0) {
      await pause(HIDDEN_MS, signal);
      continue;
    }
    try {
      const isOver = await once(`turns/${encodeURIComponent(turn)}/events?after=${after()}`, signal, (name, data) => {
        pauseMs = 250;
        onEvent(name, data);
      });
      if (isOver) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error;
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** One connection; returns true at the end of the turn. */
/** @param {string} path @param {AbortSignal} outer @param {(name: string, data: any) => void} onEvent */
async function once(path, outer, onEvent) {
  const inner = new AbortController();
  const abort = () => inner.abort();
  outer.addEventListener("abort", abort);
  let timer = 0;
  const watch = () => {
    clearTimeout(timer);
    timer = window.setTimeout(abort, SILENT_MS); // after a sleep of the machine a dead connection is silent
  };
  let hiding = 0;
  const onVisibility = () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = window.setTimeout(abort, HIDDEN_MS);
  };
  document.addEventListener("visibilitychange", onVisibility);
  onVisibility(); // a tab opened in the background is hidden already
  try {
    watch();
    const response = await request(path, { signal: inner.signal, headers: { Accept: "text/event-stream" } });
    if (response.status === 204 || !response.body) return true;
    let isOver = false;
    const parse = parser((name, data) => {
      isOver ||= name === "end";
      if (name !== "error") onEvent(name, data);
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return isOver;
      watch();
      parse(value);
    }
  } finally {
    clearTimeout(timer);
    clearTimeout(hiding);
    document.removeEventListener("visibilitychange", onVisibility);
    outer.removeEventListener("abort", abort);
  }
}

/**
 * @param {(name: string, data: any) => void} onEvent
 * @returns {(chunk: string) => void} parses server-sent events incrementally
 */
export function parser(onEvent) {
  let rest = "";
  return (chunk) => {
    const blocks = (rest + chunk).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      let name = "message";
      const data = [];
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) data.push(line.slice(6));
      }
      if (data.length) onEvent(name, JSON.parse(data.join("\n")));
    }
  };
}

/** Wait; returns early when the network or the tab comes back. */
/** @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", done);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    document.addEventListener("visibilitychange", done);
    signal?.addEventListener("abort", done);
  });
}
