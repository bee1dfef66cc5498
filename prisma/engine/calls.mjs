/**
 * Calls and their callers. A call that all its callers have left and that still waits for a connection gives up: it never
 * runs, and whoever stands behind it moves up.
 */
import { AsyncLocalStorage } from "node:async_hooks";

/** Why a call did not run. It looks as the driver's errors do, so that Prisma passes it on. */
export class Abandoned extends Error {
  code = "ABANDONED";
  severity = "ERROR";
}

/**
 * What PostgreSQL makes of a projected read: `sql` around Prisma's own, which stands for `$page`, and for `$total` that of
 * the call `total` (JSON), where there is one.
 * @typedef {{ sql: string, total: string | null }} Projection
 */

class Call {
  callers = 0;
  /** What each statement of a projected read gave. @type {string[]} */
  texts = [];
  /** The statement of its total. @type {any} */
  total;
  /** While Prisma makes that. @type {{ op: string, statements: any[] } | undefined} */
  counting;
  /** What it waits for: how to give each up. @type {Set<() => void>} */
  waits = new Set();

  /** @param {{ author?: string, projection?: Projection }} wants beside Prisma's arguments; `author` is JSON text for the triggers */
  constructor({ author, projection } = {}) {
    this.author = author;
    this.projection = projection;
  }

  leave() {
    this.callers -= 1;
    if (this.callers === 0) for (const giveUp of this.waits) giveUp();
  }
}

/** @type {AsyncLocalStorage<Call>} */
const calls = new AsyncLocalStorage();
/** By the id of the request. @type {Map<number, Call>} */
const running = new Map();
/** @type {Call | undefined} */
let together;

/** The call in whose name the code runs. */
export function currentCall() {
  return calls.getStore();
}

/**
 * Runs `work` in the name of a request. Prisma carries out what is `merged` (`findUnique`, batches, all in an open
 * transaction) in the name of whichever came first in a turn of the event loop: of these a turn makes one call.
 * @template Result @param {number} id @param {boolean} merged @param {{ author?: string, projection?: Projection }} wants only of a call that is not merged
 * @param {() => Promise<Result>} work it is to await what it calls, for Prisma's promises are lazy
 */
export async function inTheNameOf(id, merged, wants, work) {
  const call = merged ? ofThisTurn() : new Call(wants);
  call.callers += 1;
  running.set(id, call);
  try {
    return await calls.run(call, work);
  } finally {
    running.delete(id);
  }
}

function ofThisTurn() {
  if (together === undefined) {
    together = new Call();
    setImmediate(() => (together = undefined));
  }
  return together;
}

/** The caller does not wait for the answer any more. @param {number} id */
export function leave(id) {
  running.get(id)?.leave();
  running.delete(id);
}
