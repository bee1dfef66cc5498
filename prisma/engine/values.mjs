/**
 * Where values change shape between the two clients. Python's models want Json columns as JSON text; JavaScript's
 * client wants bytes, 64-bit numbers and the two kinds of JSON null as objects of their own. Everything else is
 * plain JSON on both sides.
 */

BigInt.prototype.toJSON = function () {
  return JSON.rawJSON(this.toString());
};
Uint8Array.prototype.toJSON = Buffer.prototype.toJSON = function () {
  return Buffer.from(this.buffer, this.byteOffset, this.byteLength).toString("base64");
};

const JSON_NULL = Symbol("null inside a Json column");

class JsonValue {
  constructor(value) {
    this.value = value;
  }
}

/**
 * Turns the tagged values of the arguments into what JavaScript's client takes:
 * {"$bytes": base64}, {"$bigint": digits}, {"$json": any JSON}.
 * @param {any} node
 * @param {string} op raw queries take a Json value as text
 */
export function decode(node, op) {
  if (Array.isArray(node)) return node.map((item) => decode(item, op));
  if (node === null || typeof node !== "object") return node;
  if ("$bytes" in node) return Buffer.from(node.$bytes, "base64");
  if ("$bigint" in node) return BigInt(node.$bigint);
  if ("$json" in node) {
    if (op.startsWith("query") || op === "executeRaw") return JSON.stringify(node.$json);
    return node.$json === null ? JSON_NULL : new JsonValue(node.$json);
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, decode(value, op)]));
}

/**
 * What has to be known of every model: the name of its delegate, and which of its fields are Json or relations.
 * @param {any} client
 * @returns {Map<string, Model>}
 */
export function shape(client) {
  const { models } = client._runtimeDataModel;
  const shapes = new Map();
  for (const [name, { fields }] of Object.entries(models)) shapes.set(name, new Model(name, fields));
  for (const model of shapes.values()) model.resolve(shapes);
  return shapes;
}

class Model {
  constructor(name, fields) {
    this.delegate = name[0].toLowerCase() + name.slice(1);
    this.json = fields.filter(({ type, kind }) => kind === "scalar" && type === "Json").map((field) => field.name);
    this.relations = fields.filter(({ kind }) => kind === "object").map(({ name: field, type }) => [field, type]);
  }

  /** Keeps only the relations through which a Json column can be reached. */
  resolve(shapes) {
    this.shapes = shapes;
    this.deep = reachesJson(this, shapes, new Set());
  }

  /** @param {any} args @param {any} Prisma the namespace that holds DbNull and JsonNull */
  input(args, Prisma) {
    return this.deep ? this.#nulls(args, Prisma) : args;
  }

  /** @param {any} result a record, a list of records, an aggregate, a count or null */
  output(result) {
    if (this.deep && result !== null && typeof result === "object") {
      for (const record of Array.isArray(result) ? result : [result]) this.#texts(record);
    }
    return result;
  }

  #texts(record) {
    for (const field of this.json) {
      // Of NULL and JSON's null the client makes the same; as text both suit a field that may not be None.
      if (record[field] !== undefined) record[field] = JSON.stringify(record[field]);
    }
    for (const [field, type] of this.relations) {
      const related = record[field];
      if (related !== null && typeof related === "object") this.shapes.get(type).output(related);
    }
  }

  /**
   * A null given for a Json column means the database's NULL; null inside a Json value means JSON's.
   * Field names decide, at whatever depth of the arguments they stand.
   */
  #nulls(node, Prisma) {
    if (Array.isArray(node)) return node.map((item) => this.#nulls(item, Prisma));
    if (node === JSON_NULL) return Prisma.JsonNull;
    if (node instanceof JsonValue) return node.value;
    if (node === null || typeof node !== "object" || Object.getPrototypeOf(node) !== Object.prototype) return node;
    const entries = Object.entries(node).map(([key, value]) => {
      if (this.json.includes(key)) return [key, jsonArgument(value, Prisma)];
      const relation = this.relations.find(([field]) => field === key);
      return [key, (relation ? this.shapes.get(relation[1]) : this).#nulls(value, Prisma)];
    });
    return Object.fromEntries(entries);
  }
}

/** A value or a filter standing at a Json column. */
function jsonArgument(value, Prisma) {
  if (value === null) return Prisma.DbNull;
  if (value === JSON_NULL) return Prisma.JsonNull;
  if (value instanceof JsonValue) return value.value;
  if (Array.isArray(value)) return value.map((item) => jsonArgument(item, Prisma));
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonArgument(inner, Prisma)]));
}

function reachesJson(model, shapes, seen) {
  if (model.json.length) return true;
  seen.add(model);
  return model.relations.some(([, type]) => !seen.has(shapes.get(type)) && reachesJson(shapes.get(type), shapes, seen));
}
