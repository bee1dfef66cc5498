/**
 * The connection on which the log of changes is followed: one apart from the pool, to the same address, whose loss is
 * heard of, for every statement on a lost one fails.
 */
import { Pool } from "./connections.mjs";

/** Behind a pooler a transaction holds the connection. */
const HOLD = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0; ";
/** In a transaction a statement with parameters keeps its snapshot, and VACUUM waits for it, until the next one. */
const LET_GO = "SELECT 1";
/** The prepared statement never reads the whole log, whatever PostgreSQL expects of parameters that it does not know. */
const BY_INDEX = "SET enable_seqscan = off";

export class Follower {
  #pool;
  #client;
  #last = Promise.resolve();

  /** @param {any} settings those of the pool */
  constructor(settings) {
    this.#pool = new Pool({ ...settings, poolSize: 1 });
  }

  /**
   * The one value of a statement. `anew`: on a new connection.
   * @param {{ sql: string, parameters: string[], anew: boolean }} request
   */
  ask(request) {
    if (request.anew) this.#leave(); // what still waits for the lost one ends
    const answer = this.#last.then(() => this.#ask(request));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #ask({ sql, parameters, anew }) {
    if (anew) await this.#connect();
    if (this.#client === undefined) throw new Error("The log of changes is not followed.");
    const { isPooled } = this.#pool;
    const name = anew || isPooled ? undefined : "look";
    const [{ rows }] = await Promise.all([
      this.#client.query({ name, text: sql, values: parameters }),
      isPooled && this.#client.query(LET_GO),
    ]);
    return Object.values(rows[0])[0];
  }

  #leave() {
    this.#client?.release(true);
    this.#client = undefined;
  }

  async #connect() {
    this.#leave();
    const client = await this.#pool.connect();
    client.on("error", () => {});
    this.#client = client;
    await client.query(this.#pool.isPooled ? HOLD + BY_INDEX.replace("SET", "SET LOCAL") : BY_INDEX);
  }
}
