/**
 * The driver adapter: Prisma's own, with results in which nothing is changed. Left to itself the client rounds
 * numbers inside Json and gives null for what JavaScript cannot say: here Json stays text, and what cannot be said is
 * an error. A raw query's result becomes one text, in the form that the Python client reads.
 */
import { PrismaPg } from "@prisma/adapter-pg";
import { ColumnTypeEnum as Type } from "@prisma/driver-adapter-utils";

import { currentCall } from "./calls.mjs";
import { violatedKey } from "./errors.mjs";
import { exactStatements, NO_LIMIT } from "./parameters.mjs";
import { projecting } from "./projection.mjs";

/** Before a raw query whose result is to be one text. */
export const AS_TEXT = "/* as text */";

const FLOATS = new Set([Type.Float, Type.Double, Type.FloatArray, Type.DoubleArray]);
const MOMENTS = new Set([Type.DateTime, Type.DateTimeArray]);
const DIGITS = new Set([Type.Int64, Type.Int64Array]);

const READ = /^SELECT\b/;
const WRITE = /^(INSERT|UPDATE|DELETE)\b/;
const TEXT = { scalarType: "string", arity: "scalar" };

/** A value of the database that the typed client has no value for; Python knows the error by its name. */
class UnreadableValue extends Error {
  name = "UnreadableValue";
}

export class Adapter extends PrismaPg {
  async connect() {
    const adapter = projecting(exact(authored(await super.connect())));
    const information = { ...adapter.getConnectionInfo(), maxBindValues: NO_LIMIT };
    adapter.getConnectionInfo = () => information;
    const start = adapter.startTransaction.bind(adapter);
    adapter.startTransaction = async (isolation) => {
      // Read once: Prisma runs the statements of an open transaction in the storage of whichever call came first.
      const beginning = currentCall();
      const author = beginning?.author;
      const transaction = projecting(exact(await start(isolation)), () => beginning);
      const pool = adapter.underlyingDriver();
      if (pool.isPooled) await begin(transaction, { sql: pool.preamble, args: [], argTypes: [] });
      if (author !== undefined) await begin(transaction, { sql: SET_AUTHOR, args: [author], argTypes: [TEXT] });
      return transaction;
    };
    return adapter;
  }
}

/** A statement that begins a transaction; one in which it fails is left to nobody. */
async function begin(transaction, statement) {
  const run = (each) => transaction.executeRaw(each);
  try {
    await run(statement);
  } catch (error) {
    await run({ sql: "ROLLBACK", args: [], argTypes: [] }).catch(() => {});
    await transaction.rollback();
    throw error;
  }
}

export const SET_AUTHOR = "SELECT set_config('handover.author', $1, true)";

/**
 * A write outside of a transaction names its author itself: PostgreSQL evaluates RETURNING before the statement's
 * AFTER triggers fire, and forgets the setting with the statement.
 */
function authored(on) {
  for (const method of ["queryRaw", "executeRaw"]) {
    const run = on[method].bind(on);
    on[method] = async (statement) => {
      const author = currentCall()?.author;
      if (author === undefined || READ.test(statement.sql)) return run(statement);
      if (!WRITE.test(statement.sql)) throw new Error(`A statement that cannot carry its author: ${statement.sql}`);
      const { sql, args, argTypes } = statement;
      const returned = sql.includes(" RETURNING ") ? "," : " RETURNING";
      const result = await run({
        sql: `${sql}${returned} (SELECT NULL::text FROM set_config('handover.author', $${args.length + 1}, true)) AS __author`,
        args: [...args, author],
        argTypes: [...argTypes, TEXT],
      });
      if (method === "queryRaw") {
        result.columnNames.pop();
        result.columnTypes.pop();
        for (const row of result.rows) row.pop();
      }
      return result;
    };
  }
  return on;
}

/** @template {{ queryRaw: Function, executeRaw: Function, onError: Function }} Queryable @param {Queryable} on @returns {Queryable} */
function exact(on) {
  const [query, execute, raise] = [on.queryRaw, on.executeRaw, on.onError].map((each) => each.bind(on));
  on.onError = (error) => {
    try {
      raise(error);
    } catch (converted) {
      throw violatedKey(error, converted);
    }
  };
  on.executeRaw = async (statement) => {
    const [first, ...others] = exactStatements(statement);
    if (!others.length) return execute(first);
    const counts = await allOrNone(on, [first, ...others], (each) => each.executeRaw);
    return counts.reduce((sum, count) => sum + count);
  };
  on.queryRaw = async (statement) => {
    if (statement.sql.startsWith(AS_TEXT)) {
      const [raw] = exactStatements({ ...statement, sql: statement.sql.slice(AS_TEXT.length) });
      const result = await query(raw);
      return { columnNames: ["text"], columnTypes: [Type.Text], rows: [[resultText(result)]] };
    }
    const [first, ...others] = exactStatements(statement);
    if (others.length) {
      const results = await allOrNone(on, [first, ...others], (each) => each.queryRaw);
      return { ...results[0], rows: results.flatMap(({ rows }) => rows) };
    }
    const result = await query(first);
    result.columnTypes.forEach((type, column) => keep(result, type, column));
    return result;
  };
  return on;
}

/** Several statements in the place of one. @param {any} on a transaction, or the adapter, which begins one */
async function allOrNone(on, statements, method) {
  const transaction = on.startTransaction && (await on.startTransaction());
  const end = async (sql) => {
    await transaction?.executeRaw({ sql, args: [], argTypes: [] });
    await transaction?.commit();
  };
  const client = transaction ?? on;
  const results = [];
  try {
    for (const statement of statements) results.push(await method(client).call(client, statement));
  } catch (error) {
    await end("ROLLBACK").catch(() => {});
    throw error;
  }
  await end("COMMIT");
  return results;
}

function keep({ rows, columnNames }, type, column) {
  if (type === Type.Json) {
    for (const row of rows) if (row[column] !== null) row[column] = JSON.stringify(row[column]);
  } else if (type === Type.JsonArray) {
    for (const row of rows) row[column] = row[column]?.map((text) => (text === null ? null : JSON.stringify(text))) ?? null;
  } else if (MOMENTS.has(type)) {
    for (const row of rows) check(isMoment, columnNames[column], row[column]);
  } else if (FLOATS.has(type)) {
    for (const row of rows) check(Number.isFinite, columnNames[column], row[column]);
  }
}

/** Whether it lies in the years 0 to 9999: not `infinity`, nor before Christ. */
function isMoment(text) {
  return text[4] === "-" && !text.endsWith("C");
}

/** Also each value of a list. */
function check(isReadable, column, value) {
  if (Array.isArray(value)) for (const each of value) check(isReadable, column, each);
  else if (value !== null && !isReadable(value)) throw new UnreadableValue(`The column ${column} holds ${value}, which the typed client has no value for`);
}

/** @returns {string} `{columns, types, rows}`: 64-bit integers as numbers, Json as its text, floats that JSON lacks as text */
function resultText({ columnNames, columnTypes, rows }) {
  columnTypes.forEach((type, column) => {
    if (DIGITS.has(type)) for (const row of rows) row[column] = digits(row[column]);
    else if (FLOATS.has(type)) for (const row of rows) row[column] = float(row[column]);
  });
  return JSON.stringify({ columns: columnNames, types: columnTypes, rows });
}

function digits(value) {
  if (Array.isArray(value)) return value.map(digits);
  return value === null ? null : JSON.rawJSON(String(value));
}

function float(value) {
  if (Array.isArray(value)) return value.map(float);
  return value === null || Number.isFinite(value) ? value : String(value);
}
