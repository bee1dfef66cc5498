/** Errors as the Python side reads them: {code, state, message, meta, name}. `code` is Prisma's, `state` an SQLSTATE. */

/** @param {any} error */
export function describe(error) {
  const chain = causes(error);
  const state = chain.map(sqlState).find(Boolean);
  const code = chain.map(({ code }) => code).find(isPrismas);
  return { code, state, message: lastLine(error), meta: plain(error.meta), name: error.name };
}

/** The error and what caused it; Prisma's driver adapters keep the database's own error in `cause`. */
function causes(error) {
  const chain = [];
  for (let next = error; next && chain.length < 6 && !chain.includes(next); next = next.cause ?? next.meta?.driverAdapterError) chain.push(next);
  return chain;
}

function isPrismas(code) {
  return /^P\d{4}$/.test(code ?? "");
}

function sqlState(error) {
  return error.originalCode ?? error.meta?.code ?? (isPrismas(error.code) ? undefined : error.code);
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
