/** The parameters of Prisma's statements: lists of Bytes and of Json, which it gets wrong, and more than PostgreSQL takes. */

/**
 * Before the text that stands for several Json values: a JSON list of their texts. No other text of a Json value begins
 * with it.
 */
const SEVERAL = " ";

/** What `push` takes for several values; Prisma would make one element of them. @param {string[]} texts */
export function severalJson(texts) {
  return SEVERAL + JSON.stringify(texts);
}

/**
 * For Prisma, so that it leaves every statement whole: it splits long lists also where they are negated or stand beside an
 * OR, and adds up what the parts find, which is wrong.
 */
export const NO_LIMIT = 2 ** 31 - 1;
/** From here on lists become arrays, and rows are spread over several statements. */
const MANY = 32_766;
/** The protocol counts parameters in 16 bits. */
const MOST = 65_535;

const LIST_OR_PLACE = / (NOT )?IN \(([$\d,]+)\)|\$(\d+)/g;
const BEFORE_ROWS = / VALUES (?=\()| IN \((?=\()/g;
const ROW = /(\((?:\$\d+|CAST\(\$\d+::text(?:\[\])? AS [^)]*\)|DEFAULT|,| )+\))(?:, ?(?=\())?/y;

/** @typedef {{ sql: string, args: any[], argTypes: any[] }} Statement */

/** What to send for a statement of Prisma: as a rule the statement itself. @param {Statement} statement @returns {Statement[]} */
export function exactStatements(statement) {
  const parts = statement.args.length <= MANY ? [statement] : withinLimit(statement);
  return parts.map((part) => (part.args.some(Array.isArray) ? exactLists(part) : part));
}

/** A raw statement, whose types come from its values, is left as it is. @param {Statement} statement */
function withinLimit(statement) {
  const parts = "dbType" in statement.argTypes[0] ? (spreadRows(statement) ?? [joinLists(statement)]) : [statement];
  const most = Math.max(...parts.map(({ args }) => args.length));
  if (most > MOST) throw Object.assign(new Error(`A statement may have ${MOST} parameters, not ${most}.`), { code: "P2029" });
  return parts;
}

/** A statement made from parts of another one, whose places are numbered anew. */
class Part {
  /** @type {any[]} */
  args = [];
  /** @type {any[]} */
  argTypes = [];

  /** @param {any} value @param {any} type */
  add(value, type) {
    this.args.push(value);
    return `$${this.argTypes.push(type)}`;
  }
}

/** `IN ($1,$2)` as `= ANY($1)`. @param {Statement} statement @returns {Statement} */
function joinLists({ sql, args, argTypes }) {
  const part = new Part();
  const joined = sql.replace(LIST_OR_PLACE, (_, not, list, place) => {
    if (place !== undefined) return part.add(args[place - 1], argTypes[place - 1]);
    const places = list.match(/\d+/g).map((each) => each - 1);
    const array = part.add(places.map((each) => args[each]), { ...argTypes[places[0]], arity: "list" });
    return not ? ` <> ALL(${array})` : ` = ANY(${array})`;
  });
  return { ...part, sql: joined };
}

/** Of `VALUES ($1,$2), ($3,$4)`, or `IN (($1,$2),($3,$4))`. @param {Statement} statement @returns {Statement[] | undefined} undefined: it has no rows */
function spreadRows({ sql, args, argTypes }) {
  BEFORE_ROWS.lastIndex = 0;
  if (!BEFORE_ROWS.test(sql)) return undefined;
  const start = (ROW.lastIndex = BEFORE_ROWS.lastIndex);
  const rows = [];
  let end = start;
  for (let row; (row = ROW.exec(sql)); end = ROW.lastIndex) rows.push(row[1]);
  const isWhole = rows.length > 1 && sql[end - 1] === ")";
  if (!isWhole) return undefined;
  const others = (sql.slice(0, start) + sql.slice(end)).match(/\$\d+/g)?.length ?? 0;
  const size = Math.max(1, Math.floor((MANY - others) / Math.max(...rows.map((row) => row.split("$").length - 1))));
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, number) => {
    const part = new Part();
    const text = sql.slice(0, start) + rows.slice(number * size, (number + 1) * size).join(",") + sql.slice(end);
    return { sql: text.replace(/\$(\d+)/g, (_, place) => part.add(args[place - 1], argTypes[place - 1])), ...part };
  });
}

/** @param {Statement} statement @returns {Statement} */
function exactLists(statement) {
  const args = [...statement.args];
  const argTypes = [...statement.argTypes];
  args.forEach((value, index) => {
    if (!Array.isArray(value)) return;
    const type = argTypes[index];
    if (type.scalarType === "json") args[index] = value.flatMap((text) => (text?.startsWith(SEVERAL) ? JSON.parse(text) : [text]));
    // A list of Bytes that is called a scalar would be stored as its base64 texts.
    if (type.scalarType === "bytes") argTypes[index] = { ...type, arity: "list" };
  });
  return { ...statement, args, argTypes };
}
