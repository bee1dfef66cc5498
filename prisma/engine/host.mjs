/**
 * The engine host: runs Prisma's client for one Python process and exits with it.
 *
 * The file descriptor that HANDOVER_ENGINE_SOCKET names is one end of a private unix socket pair; nobody else can reach it. Every frame is
 *   u32 length of what follows | u32 request id | u8 kind | JSON
 * with big-endian numbers. Requests: 0 = plain arguments, 1 = arguments that hold tagged values.
 * Replies: 0 = result, 1 = error. The first request configures the host and is answered once queries can run.
 */
import net from "node:net";

import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";

import { describe } from "./errors.mjs";
import { decode, shape } from "./values.mjs";

const HEADER = 9;
const REPLY_RESULT = 0;
const REPLY_ERROR = 1;
const TAGGED = 1;

const socket = new net.Socket({ fd: Number(process.env.HANDOVER_ENGINE_SOCKET), readable: true, writable: true });
// The parent holds the other end: whatever way it dies, this end closes and the host goes with it.
socket.on("close", () => process.exit(0));
socket.on("error", () => process.exit(0));
process.on("SIGINT", () => {});

/** @type {{ client: any, pool: pg.Pool, fields: Map<string, any>, sql: any, models: any } | undefined} */
let engine;
/** Open interactive transactions by id. @type {Map<string, Transaction>} */
const transactions = new Map();
let lastTransaction = 0;


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
}

/** @param {any} settings what the Python side knows: url, pool size and the wait for a connection in milliseconds */
async function configure(settings) {
  const { PrismaClient, Prisma } = await import(settings.client ?? "./generated/client.ts");
  const pool = new pg.Pool({
    connectionString: settings.url,
    max: settings.poolSize,
    connectionTimeoutMillis: settings.poolTimeout,
    statement_timeout: settings.statementTimeout,
    lock_timeout: settings.lockTimeout,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    application_name: "handover",
  });
  const client = new PrismaClient({
    adapter: new PrismaPg(pool, { statementNameGenerator: statementName, onPoolError: () => {}, onConnectionError: () => {} }),
    errorFormat: "minimal",
  });
  engine = { client, pool, models: shape(client), sql: Prisma };
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

/** A result that is sent as it is, not as JSON. */
class Text {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/** @param {{ op: string, model?: string, args?: any, tx?: string }} request */
async function execute(request) {
  const { op, model, args, tx } = request;
  switch (op) {
    case "configure":
      return configure(args);
    case "stats":
      return {
        poolTotal: engine.pool.totalCount,
        poolIdle: engine.pool.idleCount,
        poolWaiting: engine.pool.waitingCount,
        transactions: transactions.size,
        memoryBytes: process.memoryUsage.rss(),
      };
    case "begin": {
      const transaction = new Transaction(args);
      await transaction.opened;
      const id = String(++lastTransaction);
      transactions.set(id, transaction);
      // An expired transaction is kept until the client asks, so that it hears why.
      transaction.ended.catch(() => {});
      return id;
    }
    case "commit":
      return finish(tx, (transaction) => transaction.commit());
    case "rollback":
      return finish(tx, (transaction) => transaction.rollback());
  }
  const client = tx ? open(tx).client : engine.client;
  if (op === "queryText") {
    const [row] = await client.$queryRawUnsafe(args.query, ...args.parameters);
    return new Text(row === undefined ? "" : (Object.values(row)[0] ?? ""));
  }
  if (op === "queryRaw") return client.$queryRawUnsafe(args.query, ...args.parameters);
  if (op === "executeRaw") return client.$executeRawUnsafe(args.query, ...args.parameters);
  const table = engine.models.get(model);
  const result = await client[table.delegate][op](table.input(args, engine.sql));
  return table.output(result);
}

/** @param {string} id */
function open(id) {
  const transaction = transactions.get(id);
  if (transaction === undefined) throw Object.assign(new Error("Transaction already closed: it was not found."), { code: "P2028" });
  if (transaction.failure) throw transaction.failure;
  return transaction;
}

/** @param {string} id @param {(transaction: Transaction) => void} end */
async function finish(id, end) {
  const transaction = open(id);
  end(transaction);
  try {
    await transaction.ended;
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
  } finally {
    transactions.delete(id);
  }
  return null;
}

async function answer(id, kind, payload) {
  let reply = REPLY_RESULT;
  let text;
  try {
    const request = JSON.parse(payload);
    if (kind === TAGGED) request.args = decode(request.args, request.op);
    const result = await execute(request);
    text = result instanceof Text ? result.text : JSON.stringify(result ?? null);
  } catch (error) {
    reply = REPLY_ERROR;
    text = JSON.stringify(describe(error));
  }
  const body = Buffer.from(text);
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt32BE(body.length + HEADER - 4, 0);
  header.writeUInt32BE(id, 4);
  header[8] = reply;
  socket.cork();
  socket.write(header);
  socket.write(body);
  process.nextTick(() => socket.uncork());
}

/** Bytes received and not yet read as a frame. @type {Buffer[]} */
let chunks = [];
let received = 0;
let wanted = HEADER;

socket.on("data", (chunk) => {
  chunks.push(chunk);
  received += chunk.length;
  if (received < wanted) return;
  let buffer = chunks.length === 1 ? chunk : Buffer.concat(chunks, received);
  let start = 0;
  wanted = HEADER;
  while (buffer.length - start >= HEADER) {
    const size = buffer.readUInt32BE(start) + 4;
    if (buffer.length - start < size) {
      wanted = size;
      break;
    }
    answer(buffer.readUInt32BE(start + 4), buffer[start + 8], buffer.toString("utf8", start + HEADER, start + size));
    start += size;
  }
  buffer = buffer.subarray(start);
  chunks = buffer.length ? [buffer] : [];
  received = buffer.length;
});
