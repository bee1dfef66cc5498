/**
 * Prisma's own schema engine (as WebAssembly) over the folders beside this one: deploys migrations, tells which are
 * missing, and writes the difference between migrations and schema.
 *
 * One JSON object on standard input, {command, url, ...}; one on standard output, {ok} or {error}.
 *   deploy        apply what is missing or has failed        -> {applied, edited, unknown}, lists of names
 *   status        compare the history with the database      -> {applied, missing, edited, failed, unknown}
 *   diff          SQL from the migrations to the schema      -> {sql}; empty when both agree
 */
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";
import pg from "pg";

import { explore, withState } from "./connections.mjs";
import { describe } from "./errors.mjs";

const NO_FILTERS = { externalTables: [], externalEnums: [] };
/** Any number that all processes of this project agree on. */
const DEPLOY_LOCK = 4_711_290_517n;

/** Held by the transaction in which a migration runs, also when the process that sent it has been killed. */
const SCRIPT_LOCK = 4_711_290_518n;
/** For one transaction: roles may have limits that a migration exceeds, and time zones that it must not see. */
const UNLIMITED = `SELECT ${["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"].map((name) => `set_config('${name}', '0', true)`).join(", ")}, set_config('TimeZone', 'UTC', true)`;
const UNFINISHED = "finished_at IS NULL AND rolled_back_at IS NULL";

/** Runs in the migration's own transaction, so a migration that is applied is also marked as finished. */
const MARK = `
DO $mark$ BEGIN
  IF to_regclass('_prisma_migrations') IS NOT NULL THEN
    UPDATE _prisma_migrations SET finished_at = now() WHERE ${UNFINISHED};
  END IF;
END $mark$`;

/** What is still open afterwards was never applied, for each runs in a transaction: it failed, or its process was killed. */
const REOPEN = `
BEGIN;
${UNLIMITED};
SELECT pg_advisory_xact_lock(${SCRIPT_LOCK});
DO $reopen$ BEGIN
  IF to_regclass('_prisma_migrations') IS NOT NULL THEN
    UPDATE _prisma_migrations SET rolled_back_at = now() WHERE ${UNFINISHED};
  END IF;
END $reopen$;
COMMIT`;

const CONNECT_TIMEOUT_MS = 10_000;

const OID_CHAR = 18;
const OID_NAME = 19;
const OID_TEXT = 25;
const COLUMN_TYPE_CHARACTER = 6;

let panic = "";
globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => (panic = message) };

/**
 * The catalog columns that `diff` reads are of two types that the adapter does not know. They are told as text;
 * the engine wants the former "char" columns marked as single characters, or it panics.
 */
function readingCatalogs(adapter) {
  const pool = adapter.underlyingDriver();
  const query = pool.query.bind(pool);
  let characters = [];
  pool.query = async (statement) => {
    const result = await query(unlocked(statement));
    characters = [];
    result.fields?.forEach((field, index) => {
      if (field.dataTypeID === OID_CHAR) characters.push(index);
      if (field.dataTypeID === OID_CHAR || field.dataTypeID === OID_NAME) field.dataTypeID = OID_TEXT;
    });
    return result;
  };
  const queryRaw = adapter.queryRaw.bind(adapter);
  adapter.queryRaw = async (request) => {
    const result = await queryRaw(request);
    for (const index of characters) result.columnTypes[index] = COLUMN_TYPE_CHARACTER;
    return result;
  };
  // The adapter would cut a script at every semicolon, also inside functions; the server takes it whole.
  adapter.executeScript = async (script) => {
    try {
      await query(`${UNLIMITED};\nSELECT pg_advisory_xact_lock(${SCRIPT_LOCK});\n${script}\n;${MARK}`);
    } catch (error) {
      adapter.onError(error);
    }
  };
  return adapter;
}

/** The engine's own lock is one of the session, which a pooler would keep for ever: `alone` takes its place. */
function unlocked(statement) {
  const change = (sql) => sql.replace("pg_advisory_lock(", "pg_advisory_xact_lock(");
  return statement.text === undefined ? statement : { ...statement, text: change(statement.text) };
}

function adapterFactory(config) {
  const factory = new PrismaPg({ ...config, max: 1, idleTimeoutMillis: 100 });
  return {
    adapterName: factory.adapterName,
    provider: factory.provider,
    connect: async () => readingCatalogs(await factory.connect()),
    connectToShadowDb: async () => readingCatalogs(await factory.connectToShadowDb()),
  };
}

async function schemaEngine(config, files) {
  const binding = await import("@prisma/schema-engine-wasm/schema_engine_bg");
  const folder = createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm/schema_engine_bg");
  const module = new WebAssembly.Module(await readFile(folder.replace(/\.js$/, ".wasm")));
  const instance = new WebAssembly.Instance(module, { "./schema_engine_bg.js": binding });
  binding.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  const datamodels = files.map(({ path, content }) => [path, content]);
  return binding.SchemaEngine.new({ datamodels }, () => {}, bindMigrationAwareSqlAdapterFactory(adapterFactory(config)));
}

async function schemaFiles(folder) {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".prisma")).sort();
  return Promise.all(names.map(async (name) => ({ path: name, content: await readFile(join(folder, name), "utf8") })));
}

async function migrationList(folder) {
  const names = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();
  const directories = names.map(async (name) => ({
    path: name,
    migrationFile: { path: "migration.sql", content: { tag: "ok", value: await readFile(join(folder, name, "migration.sql"), "utf8") } },
  }));
  return {
    baseDir: folder,
    lockfile: { path: "migration_lock.toml", content: await readFile(join(folder, "migration_lock.toml"), "utf8") },
    shadowDbInitScript: "",
    migrationDirectories: await Promise.all(directories),
  };
}

/**
 * Two processes that start at once must not deploy at once. A transaction holds the lock: a pooler would keep that of a
 * session for ever.
 */
async function alone(config, work) {
  const client = new pg.Client(config);
  try {
    await client.connect().catch((error) => { throw withState(error); });
    await client.query(`BEGIN; ${UNLIMITED}; SELECT pg_advisory_xact_lock(${DEPLOY_LOCK})`);
    const result = await work();
    await client.query("COMMIT");
    return result;
  } finally {
    await client.end();
  }
}

/** In a connection of its own, because it has to be committed before the engine looks. */
async function reopen(config) {
  const client = new pg.Client(config);
  await client.connect();
  try {
    await client.query(REOPEN);
  } finally {
    await client.end();
  }
}

async function run({ command, url, schema, migrations }) {
  const { config, encoding } = await explore(url, CONNECT_TIMEOUT_MS);
  if (encoding !== "UTF8") throw new Error(`The database's encoding is ${encoding}, which cannot hold every text; make one with \`createdb -E UTF8 -T template0 NAME\` and correct DATABASE_URL.`);
  return alone(config, async () => {
    if (command === "deploy") await reopen(config);
    return dispatch(command, config, schema, migrations);
  });
}

async function compare(engine, list) {
  const found = await engine.diagnoseMigrationHistory({ migrationsList: list, optInToShadowDatabase: false, filters: NO_FILTERS });
  const missing = found.history?.unappliedMigrationNames ?? [];
  const names = list.migrationDirectories.map(({ path }) => path);
  return {
    applied: names.filter((name) => !missing.includes(name)),
    missing,
    edited: found.editedMigrationNames,
    failed: found.failedMigrationNames,
    unknown: found.history?.unpersistedMigrationNames ?? [],
  };
}

async function dispatch(command, config, schema, migrations) {
  const files = await schemaFiles(schema ?? fileURLToPath(new URL("../schema", import.meta.url)));
  const list = await migrationList(migrations ?? fileURLToPath(new URL("../migrations", import.meta.url)));
  const engine = await schemaEngine(config, files);
  switch (command) {
    case "deploy": {
      const { appliedMigrationNames: applied } = await engine.applyMigrations({ migrationsList: list, filters: NO_FILTERS });
      return { ...(await compare(engine, list)), applied };
    }
    case "status":
      return compare(engine, list);
    case "diff": {
      const to = { tag: "schemaDatamodel", files };
      const result = await engine.diff({ from: { tag: "migrations", ...list }, to, script: true, exitCode: true, filters: NO_FILTERS });
      return { sql: result.exitCode === 0 ? "" : result.stdout };
    }
  }
  throw new Error(`unknown command ${command}`);
}

/** The schema engine's messages without their traces: what failed, and in which migration. */
function sentence(message) {
  const [words] = message.split(/\n\s+0: /);
  const migration = /migration_name="([^"]+)"/.exec(message);
  const text = words.replace(/^external connector error\s*/, "").trim().replace(/\s*\n\s*/g, " ");
  return migration ? `Migration ${migration[1]} failed: ${text}` : text;
}

try {
  const ok = await run(JSON.parse(await text(process.stdin)));
  process.stdout.write(JSON.stringify({ ok }), () => process.exit(0));
} catch (error) {
  const { code, state } = describe(error);
  const message = panic || sentence(String(error.message ?? error));
  process.stdout.write(JSON.stringify({ error: { code, state, message } }), () => process.exit(1));
}
