/**
 * Connections to PostgreSQL: what a URL says, whether a pooler stands between, and the pool.
 *
 * With PostgreSQL itself limits and time zone are parameters of the session. A pooler hands its sessions from client to
 * client, so there each statement gets a transaction that begins by setting them, and nothing is prepared.
 */
import { readFileSync } from "node:fs";

import pg from "pg";
import { parse, toClientConfig } from "pg-connection-string";

import { Abandoned, currentCall } from "./calls.mjs";

/** What pg's pool says when no connection became free: an error without a code. */
const WAITED_TOO_LONG = "timeout exceeded when trying to connect";
const NAME = "handover-typed";
/** Of the releases that wrote audit entries themselves, of all tables or of some: the triggers leave those to them. */
const NAMES_BEFORE = ["handover", "handover-server"];
const POOL_TIMEOUT = "P2024";
const CONNECTION_FAILURE = "08006";
const PROTOCOL_VIOLATION = "08P01";
const READ_ONLY = "25006";
const PASSED_ON = [TypeError, RangeError, SyntaxError, Abandoned];

/**
 * What the driver says by itself, and what a pooler says as it hangs up, has no SQLSTATE of its own: it gets that of a
 * failed connection.
 * @param {any} error from the driver
 */
export function withState(error) {
  if (error instanceof pg.DatabaseError && !(error.code === PROTOCOL_VIOLATION && error.severity === "FATAL")) return error;
  if (PASSED_ON.some((kind) => error instanceof kind)) return error;
  const code = error.message === WAITED_TOO_LONG ? POOL_TIMEOUT : CONNECTION_FAILURE;
  // Where a name has several addresses the reasons are in a list.
  const message = error.message || error.errors?.map((each) => each.message).join(", ");
  return Object.assign(error, { code, message, severity: "FATAL" });
}

/** The ways to connect that the URL allows, in libpq's order. Without `sslmode` nothing is encrypted. @param {string} url */
function ways(url) {
  const [base, query = ""] = url.split(/\?(.*)/s, 2);
  const parameters = new URLSearchParams(query);
  const { sslmode = "disable", sslrootcert, sslcert, sslkey } = Object.fromEntries(parameters);
  for (const name of ["sslmode", "sslrootcert", "sslcert", "sslkey"]) parameters.delete(name);
  const config = toClientConfig(parse(`${base}?${parameters}`));
  const files = { ca: sslrootcert === "system" ? undefined : sslrootcert, cert: sslcert, key: sslkey };
  const read = () => Object.fromEntries(Object.entries(files).filter(([, path]) => path).map(([name, path]) => [name, readFileSync(path, "utf8")]));
  const anyServer = () => ({ ...read(), rejectUnauthorized: false });
  const anyName = () => ({ ...read(), checkServerIdentity: () => undefined });
  const modes = {
    disable: () => [false],
    allow: () => [false, anyServer()],
    prefer: () => [anyServer(), false],
    require: () => [sslrootcert ? anyName() : anyServer()],
    "verify-ca": () => [anyName()],
    "verify-full": () => [read()],
  };
  return (config.host?.startsWith("/") ? [false] : modes[sslmode]()).map((ssl) => ({ ...config, ssl }));
}

/**
 * Connects once. A pooler answers with a process id of its own making, PostgreSQL with that of the session.
 * @param {string} url @param {number} timeout milliseconds
 */
export async function explore(url, timeout) {
  let failure;
  for (const config of ways(url)) {
    const client = new pg.Client({ ...config, connectionTimeoutMillis: timeout, query_timeout: timeout });
    client.on("error", () => {});
    try {
      await client.connect();
      const { rows } = await client.query("SELECT pg_backend_pid() AS pid, current_setting('server_encoding') AS encoding");
      return { config, isPooled: rows[0].pid !== client.processID, encoding: rows[0].encoding };
    } catch (error) {
      failure ??= withState(error);
    } finally {
      client.end().catch(() => {});
    }
  }
  throw failure;
}

/** A connection that has turned out to be read-only is not used again: the next one may lead to another server. */
class Session extends pg.Client {
  query(...args) {
    const result = super.query(...args);
    if (!(result instanceof Promise)) return result;
    return result.catch((error) => {
      this.isReadOnly ||= error.code === READ_ONLY;
      throw withState(error);
    });
  }
}

/** Counts who had to wait for a connection, and for how long. */
export class Pool extends pg.Pool {
  waits = 0;
  waitSeconds = 0;
  /** Places in the queue that their calls have given up. */
  #givenUp = 0;
  /** Raised by `recycle`. */
  #generation = 0;
  /** Whether a pooler stands between; known after the first connection. @type {boolean | undefined} */
  isPooled;

  /** @param {any} settings what the Python side knows: url, pool size and limits in milliseconds */
  constructor(settings) {
    super({
      Client: Session,
      max: settings.poolSize,
      connectionTimeoutMillis: settings.poolTimeout,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      application_name: NAME,
    });
    this.url = settings.url;
    this.origin = settings.origin ?? "";
    this.limits = {
      statement_timeout: settings.statementTimeout,
      lock_timeout: settings.lockTimeout,
      idle_in_transaction_session_timeout: settings.idleTimeout,
    };
    this.on("connect", (client) => (client.generation = this.#generation));
    this.on("release", (_, client) => {
      if (client.isReadOnly || client.generation !== this.#generation) client.end();
    });
  }

  /** Sets limits and time zone until the transaction ends. */
  get preamble() {
    const settings = Object.entries({ ...this.limits, TimeZone: "UTC", "handover.origin": this.origin });
    return `SELECT ${settings.map(([name, value]) => `set_config('${name}', '${value}', true)`).join(", ")}`;
  }

  async #explored() {
    this.exploring ??= explore(this.url, this.options.connectionTimeoutMillis).finally(() => (this.exploring = undefined));
    const { config, isPooled } = await this.exploring;
    if (NAMES_BEFORE.includes(config.application_name)) config.application_name = NAME;
    Object.assign(this.options, config, isPooled ? {} : { ...this.limits, options: `-c TimeZone=UTC -c handover.origin=${this.origin}` });
    this.isPooled = isPooled;
  }

  /** @param {pg.QueryConfig} statement */
  async query(statement) {
    if (this.isPooled === undefined) await this.#explored();
    if (this.isPooled) return this.#queryPooled({ ...statement, name: undefined });
    try {
      return await super.query(statement);
    } catch (error) {
      throw withState(error);
    }
  }

  async #queryPooled(statement) {
    const client = await this.connect();
    const ignore = () => {};
    client.on("error", ignore);
    let failure;
    try {
      await client.query({ text: `BEGIN; ${this.preamble}`, query_timeout: this.options.connectionTimeoutMillis });
      const result = await client.query(statement);
      await client.query("COMMIT");
      return result;
    } catch (error) {
      failure = await client.query("ROLLBACK").then(ignore, (broken) => broken);
      throw error;
    } finally {
      client.off("error", ignore);
      client.release(failure);
    }
  }

  /** Leaves no connection from before: those at rest are closed by now, others when they are released. */
  async recycle() {
    this.#generation += 1;
    const close = (closed) => super.connect((error, client, release) => closed(error || release(true)));
    await Promise.all(Array.from({ length: this.idleCount }, () => new Promise(close)));
    return null;
  }

  get waitingCount() {
    return super.waitingCount - this.#givenUp;
  }

  /** Gives up when the call that wants the connection does; the pool then passes it on when its turn comes. */
  connect(callback) {
    if (callback === undefined) return this.#connect();
    const call = currentCall();
    if (call?.callers === 0) return callback(new Abandoned());
    if (call === undefined || this.idleCount > super.waitingCount) return super.connect(callback);
    const started = this.#hasFree() ? undefined : performance.now();
    const place = this.idleCount > 0 || this.totalCount >= this.options.max ? 1 : 0;
    let waits = true;
    const end = (error, client, release) => {
      waits = false;
      call.waits.delete(giveUp);
      if (started !== undefined) this.#waited(started);
      callback(error, client, release);
    };
    const giveUp = () => {
      this.#givenUp += place;
      end(new Abandoned());
    };
    call.waits.add(giveUp);
    super.connect((error, client, release) => {
      if (waits) return end(error, client, release);
      this.#givenUp -= place;
      if (!error) release();
    });
  }

  async #connect() {
    if (this.isPooled === undefined) await this.#explored();
    return new Promise((resolve, reject) => {
      this.connect((error, client) => (error ? reject(withState(error)) : resolve(client)));
    });
  }

  #hasFree() {
    return this.idleCount > 0 || this.totalCount < this.options.max;
  }

  #waited(started) {
    this.waits += 1;
    this.waitSeconds += (performance.now() - started) / 1000;
  }
}
