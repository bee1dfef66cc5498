/** Projected reads: what PostgreSQL makes of the rows that Prisma asks for, and of a total beside them, in one statement. */
import { ColumnTypeEnum as Type } from "@prisma/driver-adapter-utils";

import { currentCall } from "./calls.mjs";

const PAGE = "$page";
const TOTAL = "$total";

/**
 * An adapter on which Prisma is given nothing of a projected read: the statement of its total is kept, that of its rows
 * becomes one whose text is kept.
 * @param of the call that says whether a statement is one: of an open transaction that which began it
 */
export function projecting(on, of = currentCall) {
  const query = on.queryRaw.bind(on);
  on.queryRaw = async (statement) => {
    const call = of();
    if (call?.projection === undefined) return query(statement);
    if (call.counting) {
      call.counting.statements.push(statement);
      // PostgreSQL counts beside the rows: Prisma is told of a count of nothing, or of no groups.
      const rows = call.counting.op === "count" ? [[0]] : [];
      return { columnNames: ["_count$_all"], columnTypes: [Type.Int32], rows };
    }
    const { rows } = await query(around(call.projection.sql, statement, call.total));
    // One for each statement of which a long one has been made: more than one is refused.
    for (const [text] of rows) call.texts.push(text);
    return { columnNames: ["id"], columnTypes: [Type.Text], rows: [] };
  };
  return on;
}

/** One statement of the page's and the total's, whose parameters follow. */
function around(sql, page, total) {
  const paged = sql.replace(PAGE, () => page.sql);
  if (total === undefined) return { ...page, sql: paged };
  const counted = total.sql.replace(/\$(\d+)/g, (_, place) => `$${page.args.length + Number(place)}`);
  return {
    sql: paged.replace(TOTAL, () => counted),
    args: [...page.args, ...total.args],
    argTypes: [...page.argTypes, ...total.argTypes],
  };
}

/**
 * The text of a call's one statement; a call that is none or several cannot be projected.
 * @param {(request: any) => PromiseLike<any>} run a call of Prisma's client @param {(args: any) => any} decode its tagged values
 */
export async function projected(current, { op, model, args, projection }, run, decode) {
  if (op !== "findMany" || args.cursor || args.distinct || args.take < 0)
    throw invalid("A projected read is find_many with where, order, take and skip; `cursor`, `distinct` and a negative `take` come in another order.");
  if (projection.total) current.total = await statementOf(projection.total, current, run, decode);
  await run({ op, model, args });
  const { texts } = current;
  if (texts.length !== 1) throw invalid(`A projected read is one statement, and this call is ${texts.length}.`);
  return texts[0];
}

/** What Prisma makes of totals, by their calls, the newest. @type {Map<string, any>} */
const totals = new Map();
const MAX_TOTALS = 500;
const MAX_LENGTH = 1000;

/** The statement of a total, which is not run by itself. @param {string} text its call as JSON */
async function statementOf(text, current, run, decode) {
  const known = totals.get(text);
  if (known) return known;
  const { op, model, args } = JSON.parse(text);
  const { statements } = (current.counting = { op, statements: [] });
  await run({ op, model, args: decode(args) });
  current.counting = undefined;
  if (statements.length !== 1) throw invalid(`A total is one statement, and this one is ${statements.length}.`);
  if (totals.size >= MAX_TOTALS) totals.delete(totals.keys().next().value);
  if (text.length <= MAX_LENGTH) totals.set(text, statements[0]);
  return statements[0];
}

function invalid(message) {
  return Object.assign(new Error(message), { name: "PrismaClientValidationError" });
}
