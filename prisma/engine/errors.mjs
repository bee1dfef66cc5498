/** Errors as the Python side reads them: {code, message, meta, name}. */

/** SQLSTATEs and system errors that mean that the database cannot be talked to now. */
const UNREACHABLE = /^(08...|25P0[34]|57P0[1-5]|53300|ENOENT|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH)$/;
const TERMINATED = /Can't reach database server|Connection terminated|Client has encountered a connection error|server (has )?closed the connection|database system is/i;
const NO_CONNECTION = /timeout exceeded when trying to connect/;

/** @param {any} error */
export function describe(error) {
  const chain = causes(error);
  const state = chain.map(sqlState).find(Boolean);
  const text = chain.map(({ message }) => message ?? "").join("\n");
  let code = chain.map(({ code }) => code).find((value) => /^P\d{4}$/.test(value ?? ""));
  if (NO_CONNECTION.test(text)) code = "P2024";
  else if (UNREACHABLE.test(state ?? "") || TERMINATED.test(text)) code = "P1001";
  else if (state === "40001" || state === "40P01") code = "P2034";
  return { code, state, message: lastLine(error), meta: plain(error.meta), name: error.name };
}

/** The error and what caused it; Prisma's driver adapters keep the database's own error in `cause`. */
function causes(error) {
  const chain = [];
  for (let next = error; next && chain.length < 6 && !chain.includes(next); next = next.cause ?? next.meta?.driverAdapterError) chain.push(next);
  return chain;
}

function sqlState(error) {
  return error.originalCode ?? error.meta?.code ?? (/^P\d{4}$/.test(error.code ?? "") ? undefined : error.code);
}

/** Prisma's messages begin with a picture of the call; the reason is what stands last. */
function lastLine(error) {
  return String(error.message ?? error).trim().split("\n").at(-1);
}

function plain(meta) {
  if (meta === undefined) return {};
  const { driverAdapterError, ...rest } = meta;
  return driverAdapterError ? { ...rest, cause: driverAdapterError.cause } : rest;
}
