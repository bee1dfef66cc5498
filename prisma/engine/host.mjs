/** The engine host: runs Prisma's client for one Python process, over the socket that HANDOVER_ENGINE_SOCKET names. */
import { randomUUID } from "node:crypto";

import { Adapter, AS_TEXT, SET_AUTHOR } from "./adapter.mjs";
import { currentCall, inTheNameOf, leave } from "./calls.mjs";
import { Follower } from "./changes.mjs";
import { Pool } from "./connections.mjs";
import { describe } from "./errors.mjs";
import { REPLY_ERROR, REPLY_NOTHING, REPLY_RESULT, serve, TAGGED } from "./frames.mjs";
import { projected } from "./projection.mjs";
import { decode } from "./values.mjs";

const RAW = new Set(["queryRaw", "queryText", "executeRaw"]);
/** Joined, related rows would pass through JSON, which has no word for some of their values: only a projected read wants that. */
const GIVES_ROWS = new Set(["findMany", "findFirst", "findFirstOrThrow", "findUnique", "findUniqueOrThrow", "create", "update", "upsert", "delete"]);
const MERGED = new Set(["findUnique", "findUniqueOrThrow", "batch"]);

process.on("SIGINT", () => {});

const { env } = process;
const tracing = env.HANDOVER_ENGINE_TRACED ? await import("./tracing.mjs") : undefined;

/** @type {{ client: any, pool: Pool, follower: Follower, sql: any, limits: { timeout: number, maxWait: number } } | undefined} */
let engine;
/** Open interactive transactions by id. @type {Map<string, Transaction>} */
const transactions = new Map();
let lastTransaction = 0;
/** A transaction of an earlier engine must never be taken for one of this engine. */
const PREFIX = `${randomUUID()}/`;

class RolledBack extends Error {}

/**
 * An interactive transaction: Prisma keeps it open for as long as its callback has not returned,
 * so the callback waits for the commit or the rollback that a later request brings.
 */
class Transaction {
  /** @param {{ maxWait: number, timeout: number, isolationLevel?: string }} options */
  constructor(options) {
    this.opened = new Promise((resolve, reject) => {
      this.ended = engine.client.$transaction(async (client) => {
        this.client = client;
        await new Promise((commit, rollback) => {
          this.commit = commit;
          this.rollback = () => rollback(new RolledBack());
          resolve();
        });
      }, options);
      this.ended.catch((error) => {
        this.failure = error;
        reject(error);
      });
    });
  }

  /** The call that began it: the adapter asks it what the transaction's statements are. */
  #beginning = currentCall();
  /** Since the author was set last. @type {Set<Promise<any>>} */
  #running = new Set();
  #named = Promise.resolve();
  /** Whose statements these are; undefined: nobody's, null: not known. @type {string | undefined | null} */
  #author;

  /**
   * Runs `work` in the author's name. Prisma does not keep the order in which statements come: where the author changes,
   * they wait for each other. @param {string | undefined} author @param {() => Promise<any>} work
   */
  actingAs(author, work) {
    if (author !== this.#author) {
      this.#author = author;
      this.#named = Promise.allSettled(this.#running).then(() => this.client.$queryRawUnsafe(SET_AUTHOR, author ?? ""));
      this.#named.catch(() => (this.#author = null));
    }
    return this.#run(this.#named.then(work));
  }

  /** A projected read, in whose time no other statement runs. */
  projecting(request) {
    const reading = Promise.allSettled([this.#named, ...this.#running]).then(async () => {
      Object.assign(this.#beginning, { projection: request.projection, texts: [], total: undefined, counting: undefined });
      try {
        return await project(this.client, this.#beginning, request);
      } finally {
        this.#beginning.projection = undefined;
      }
    });
    this.#named = reading.then(
      () => {},
      () => {},
    );
    return this.#run(reading);
  }

  /** Runs what undoes statements, perhaps that which has set the author. @param {() => Promise<any>} work */
  undoing(work) {
    this.#author = null;
    return this.#run(Promise.resolve().then(work));
  }

  async #run(work) {
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }
}

/** @param {any} settings what the Python side knows */
async function configure(settings) {
  const { PrismaClient, Prisma } = await import(settings.client ?? "./generated/client.ts");
  const pool = new Pool(settings);
  const statementNameGenerator = (query) => (pool.isPooled ? undefined : statementName(query));
  const client = new PrismaClient({
    adapter: new Adapter(pool, { statementNameGenerator, onPoolError: () => {}, onConnectionError: () => {} }),
    errorFormat: "minimal",
  });
  engine = { client, pool, follower: new Follower(settings), sql: Prisma, limits: { timeout: settings.transactionTimeout, maxWait: settings.transactionMaxWait } };
  return { pid: process.pid };
}

/** Names of prepared statements by their text. Beyond the bound, statements run unprepared. */
const statements = new Map();
const MAX_STATEMENTS = 500;

function statementName({ sql }) {
  let name = statements.get(sql);
  if (name === undefined && statements.size < MAX_STATEMENTS) {
    name = `h${statements.size}`;
    statements.set(sql, name);
  }
  return name;
}

/** @param {{ op: string, model?: string, args?: any, tx?: string, author?: string, projection?: any }} request */
async function execute(request) {
  const { op, args, tx } = request;
  switch (op) {
    case "configure":
      return configure(args);
    case "stats":
      return {
        pid: process.pid,
        poolTotal: engine.pool.totalCount,
        poolIdle: engine.pool.idleCount,
        poolWaiting: engine.pool.waitingCount,
        poolWaits: engine.pool.waits,
        poolWaitSeconds: engine.pool.waitSeconds,
        transactions: transactions.size,
        memoryBytes: process.memoryUsage.rss(),
      };
    case "follow":
      return engine.follower.ask(args);
    case "recycle":
      return engine.pool.recycle();
    case "begin": {
      const transaction = new Transaction(args);
      await transaction.opened;
      const id = PREFIX + ++lastTransaction;
      transactions.set(id, transaction);
      // An expired transaction is kept until the client ends it, so that statements until then hear why.
      transaction.ended.catch(() => {});
      return id;
    }
    case "commit":
      return commit(tx);
    case "rollback":
      return finish(tx, "rollback");
  }
  return tx ? inTransaction(open(tx), request) : alone(request);
}

/** @param {Transaction} transaction */
async function inTransaction(transaction, request) {
  const work = () => (request.op === "batch" ? batch(transaction.client, request.args.calls) : call(transaction.client, request));
  try {
    const undoes = RAW.has(request.op) && UNDOES.test(request.args.query);
    if (request.projection) return await transaction.projecting(request);
    return await (undoes ? transaction.undoing(work) : transaction.actingAs(request.author, work));
  } catch (error) {
    transaction.hasFailed = true;
    throw error;
  }
}

const UNDOES = /^\s*ROLLBACK\b/i;

/** @returns {Promise<any>} */
async function alone(request) {
  const { op, args, author, projection } = request;
  if (projection) return project(engine.client, currentCall(), request);
  if (author === undefined) {
    if (op !== "batch") return await call(engine.client, request);
    await engine.client.$transaction(args.calls.map((each) => call(engine.client, each)));
    return null;
  }
  if (op === "batch") return engine.client.$transaction((tx) => batch(tx, args.calls), engine.limits);
  if (RAW.has(op)) return engine.client.$transaction((tx) => call(tx, request), engine.limits);
  return await call(engine.client, request);
}

function project(client, current, request) {
  const run = (each) => call(client, each);
  return projected(current, request, run, (args) => decode(args, false, engine.sql));
}

/** One call of a client: it runs when it is awaited, or in a batch. @returns {PromiseLike<any>} */
function call(client, { op, model, args }) {
  if (op === "queryRaw") return client.$queryRawUnsafe(AS_TEXT + args.query, ...args.parameters);
  if (op === "queryText") return client.$queryRawUnsafe(args.query, ...args.parameters);
  if (op === "executeRaw") return client.$executeRawUnsafe(args.query, ...args.parameters);
  return client[model[0].toLowerCase() + model.slice(1)][op](GIVES_ROWS.has(op) ? { relationLoadStrategy: "query", ...args } : args);
}

/** One after the other, inside an open transaction. */
async function batch(client, requests) {
  for (const each of requests) await call(client, each);
  return null;
}

function closed(why, code = "P2028") {
  return Object.assign(new Error(`Transaction already closed: ${why}.`), { code });
}

/** @param {string} id */
function open(id) {
  const transaction = transactions.get(id);
  if (transaction === undefined) throw closed("it was not found", id.startsWith(PREFIX) ? "P2028" : "P1017");
  if (transaction.failure) throw transaction.failure;
  return transaction;
}

/**
 * PostgreSQL answers the COMMIT of a transaction in which a statement has failed with ROLLBACK, as if nothing were wrong.
 * So one with a failure has to carry out another statement first, as it does where a savepoint has undone the failure.
 * @param {string} id
 */
async function commit(id) {
  const transaction = transactions.get(id);
  try {
    if (transaction?.hasFailed) await transaction.client.$queryRawUnsafe("SELECT 1");
  } catch (error) {
    await finish(id, "rollback");
    throw error;
  }
  return finish(id, "commit");
}

/**
 * Forgets the transaction in any case, also one that has expired. A commit that comes while it is being rolled back, for
 * its time was up, fails.
 * @param {string} id @param {"commit" | "rollback"} how
 */
async function finish(id, how) {
  try {
    const transaction = open(id);
    transaction[how]();
    await transaction.ended;
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
    if (how === "commit") throw closed("it was rolled back");
  } finally {
    transactions.delete(id);
  }
  return null;
}

/** How many rows a call gave or changed; undefined where that is not told. @returns {number | undefined} */
function rowsOf({ op, projection }, result) {
  if (projection) return Number.parseInt(result, 10);
  if (RAW.has(op)) return op === "executeRaw" ? result : undefined;
  return Array.isArray(result) ? result.length : GIVES_ROWS.has(op) ? Number(result !== null) : result?.count;
}

/** @param {number} id @param {number} kind @param {string} payload @returns {Promise<[kind: number, text: string]>} */
async function answer(id, kind, payload) {
  try {
    const request = JSON.parse(payload);
    if (kind === TAGGED) for (const each of request.args.calls ?? [request]) each.args = decode(each.args, RAW.has(each.op), engine.sql);
    const { author, projection, op, tx } = request;
    const isMerged = Boolean(tx) || (MERGED.has(op) && !(op === "batch" && author));
    const run = () => inTheNameOf(id, isMerged, { author, projection }, () => execute(request));
    const result = await (tracing ? tracing.traced(request, run, (result) => rowsOf(request, result)) : run());
    if (projection) return [REPLY_RESULT, result];
    if (request.op === "queryRaw") return [REPLY_RESULT, result[0].text];
    if (request.op !== "queryText") return [REPLY_RESULT, JSON.stringify(result ?? null)];
    const text = result.length ? Object.values(result[0])[0] : null;
    if (text === null) return [REPLY_NOTHING, ""];
    if (typeof text !== "string") throw new TypeError("query_text() wants one column of type text; cast it with ::text.");
    return [REPLY_RESULT, text];
  } catch (error) {
    return [REPLY_ERROR, JSON.stringify(describe(error))];
  }
}

serve(Number(env.HANDOVER_ENGINE_SOCKET), answer, leave, async () => tracing?.flush());
