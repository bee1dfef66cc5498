/**
 * Values that JSON has no word for, on their way from Python to the JavaScript client. A Json value travels as its
 * text all the way to PostgreSQL and back, so that no number in it is rounded and no key of it is taken for one of
 * JavaScript's (`__proto__`).
 */

import { severalJson } from "./parameters.mjs";

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
const TAKES_LIST = new Set(["set", "equals", "has", "hasEvery", "hasSome", "in", "notIn"]);

/**
 * Turns the tagged values of the arguments into what JavaScript's client takes: {"$bytes": base64}, {"$bigint": digits},
 * {"$date": ISO 8601} (as text it would make each call a new one for the client's cache of query plans), {"$json": text},
 * {"$null": true} (NULL for a Json column, where a plain null is ambiguous).
 * @param {any} node
 * @param {boolean} raw whether they are parameters of a raw query, which takes a Json value as text
 * @param {any} Prisma the namespace that holds DbNull
 * @param {string} [key] what the node stands at
 */
export function decode(node, raw, Prisma, key) {
  if (Array.isArray(node)) {
    const items = node.map((item) => decode(item, raw, Prisma));
    if (!(items[0] instanceof JsonText)) return items;
    if (key === "push") return new JsonText(severalJson(items.map(({ text }) => text)));
    // The client reads the texts of a bare list, but not those behind `set`.
    return TAKES_LIST.has(key) ? items : { set: items };
  }
  if (node === null || typeof node !== "object") return node;
  if ("$bytes" in node) return Buffer.from(node.$bytes, "base64");
  if ("$bigint" in node) return BigInt(node.$bigint);
  if ("$date" in node) return raw ? node.$date : new Date(node.$date);
  if ("$null" in node) return Prisma.DbNull;
  // An empty list of Json would be taken for one value.
  if (Array.isArray(node.push) && !node.push.length) return undefined;
  if ("$json" in node) {
    if (raw) return node.$json;
    return COMPARES.has(key) ? JSON.parse(node.$json) : new JsonText(node.$json);
  }
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, decode(value, raw, Prisma, name)]));
}
