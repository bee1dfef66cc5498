/** The parameters of a statement: lists of Bytes and of Json, which Prisma gets wrong. */

/**
 * Before the text that stands for several Json values: a JSON list of their texts. No other text of a Json value begins
 * with it.
 */
const SEVERAL = " ";

/** What `push` takes for several values; Prisma would make one element of them. @param {string[]} texts */
export function severalJson(texts) {
  return SEVERAL + JSON.stringify(texts);
}

/** @template {{ args: any[], argTypes: any[] }} Statement @param {Statement} statement @returns {Statement} */
export function exactParameters(statement) {
  if (!statement.args.some(Array.isArray)) return statement;
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
