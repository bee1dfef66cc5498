/** Errors as the Python side reads them: {code, state, message, meta, name}. `code` is Prisma's, `state` an SQLSTATE. */

/** @param {any} error */
export function describe(error) {
  const chain = causes(error);
  const state = chain.map(sqlState).find(Boolean);
  const code = chain.map(({ code }) => code).find(isPrismas);
  const told = { code, state, message: reason(error), meta: plain(error.meta), name: error.name };
  const violation = violated(state, chain.find(({ constraint }) => constraint)?.constraint);
  return violation ? { ...told, ...violation, meta: { ...told.meta, ...violation.meta } } : told;
}

/**
 * The key that a row has in common with another, where PostgreSQL tells it: "Key (email)=(a@b) already exists."
 * @param {any} error of PostgreSQL @param {any} converted what Prisma makes of it
 */
export function violatedKey(error, converted) {
  const key = error.code === "23505" && /\((.+?)\)=\(/s.exec(error.detail ?? "");
  if (key) converted.cause.constraint = { fields: key[1].replaceAll('"', "").split(", ") };
  return converted;
}

/**
 * What is violated, as the Python client's last release tells it, whether Prisma made the statement or it was a raw one.
 * @param {string | undefined} state @param {{ fields?: string[], index?: string } | undefined} constraint
 */
function violated(state, { fields, index } = {}) {
  if (!fields && !index) return undefined;
  if (state === "23505") {
    const names = fields ? `fields: (${fields.map((name) => `\`${name}\``).join(",")})` : `constraint: \`${index}\``;
    return { code: "P2002", message: `Unique constraint failed on the ${names}`, meta: { target: fields ?? index } };
  }
  if (state === "23503" || state === "23001") {
    const name = `${index} (index)`;
    return { code: "P2003", message: `Foreign key constraint failed on the field: \`${name}\``, meta: { field_name: name } };
  }
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

/** Prisma's messages begin with a picture of the call; the reason is the last paragraph. */
function reason(error) {
  return String(error.message ?? error).trim().split("\n\n").at(-1).trim().replaceAll("\n", " ");
}

function plain(meta) {
  if (meta === undefined) return {};
  const { driverAdapterError, ...rest } = meta;
  return driverAdapterError ? { ...rest, cause: driverAdapterError.cause } : rest;
}
