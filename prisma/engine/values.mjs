/**
 * Values that JSON has no word for, on their way from Python to the JavaScript client. A Json value travels as its
 * text all the way to PostgreSQL and back, so that no number in it is rounded and no key of it is taken for one of
 * JavaScript's (`__proto__`).
 */

BigInt.prototype.toJSON = function () {
  return JSON.rawJSON(this.toString());
};
Uint8Array.prototype.toJSON = Buffer.prototype.toJSON = function () {
  return Buffer.from(this.buffer, this.byteOffset, this.byteLength).toString("base64");
};

/** What the client's own serialization makes of a Json value. */
class JsonText {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  toJSON() {
    return { $type: "Json", value: this.text };
  }
}

const COMPARES = new Set(["gt", "gte", "lt", "lte"]);
/** Those that would compare bytes with their base64 text. */
const LIST_FILTERS = new Set(["equals", "hasEvery", "hasSome"]);
const TAKES_LIST = new Set(["set", "push", "equals", "has", "hasEvery", "hasSome", "in", "notIn"]);

/** The client would make one element of several Json values, and store the base64 text of several bytes. */
function onlyOne(items) {
  if (items.length === 1) return items[0];
  refuse("A list of Json or Bytes takes one value for each `push`; push one at a time, or `set` the whole list.");
}

function refuse(message) {
  throw Object.assign(new Error(message), { name: "PrismaClientValidationError" });
}

/**
 * Turns the tagged values of the arguments into what JavaScript's client takes: {"$bytes": base64}, {"$bigint": digits},
 * {"$json": text}, {"$null": true} (NULL for a Json column, where a plain null is ambiguous).
 * @param {any} node
 * @param {boolean} raw whether they are parameters of a raw query, which takes a Json value as text
 * @param {any} Prisma the namespace that holds DbNull
 * @param {string} [key] what the node stands at
 */
export function decode(node, raw, Prisma, key) {
  if (Array.isArray(node)) {
    const items = node.map((item) => decode(item, raw, Prisma));
    const isJson = items[0] instanceof JsonText;
    const isBytes = Buffer.isBuffer(items[0]);
    if (key === "push" && (isJson || isBytes)) return onlyOne(items);
    if (isBytes && LIST_FILTERS.has(key)) refuse("A list of Bytes can be filtered by `has` and `is_empty` alone.");
    // The client reads the texts of a bare list, but not those behind `set`.
    return isJson && !TAKES_LIST.has(key) ? { set: items } : items;
  }
  if (node === null || typeof node !== "object") return node;
  if ("$bytes" in node) return Buffer.from(node.$bytes, "base64");
  if ("$bigint" in node) return BigInt(node.$bigint);
  if ("$null" in node) return Prisma.DbNull;
  if ("$json" in node) {
    if (raw) return node.$json;
    return COMPARES.has(key) ? JSON.parse(node.$json) : new JsonText(node.$json);
  }
  // `set` of bytes would store their base64 text.
  if (Object.keys(node).length === 1 && Array.isArray(node.set) && node.set[0]?.$bytes !== undefined) return decode(node.set, raw, Prisma);
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, decode(value, raw, Prisma, name)]));
}
