// A stranger's program: no cast, and every answer that is used is checked by its type.
import {
  createImport,
  createItem,
  deleteItem,
  downloadFile,
  downloadRejects,
  followJob,
  listItems,
  showJob,
  updateItem,
  uploadFile,
  type ErrorBody,
  type Item,
  type ItemStatus,
  type Job,
  type JobState,
  type RejectLine,
} from "handover-client";
import { client } from "handover-client/client";

const RECORD = {
  id: "from-a-file",
  title: "Imported",
  description: "It was in a file",
  category: "dashboard",
  priority: "low",
  status: "new",
  tags: [],
  createdAt: "2025-10-23T22:46:19.745Z",
  updatedAt: null,
};

function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

function given<T>(value: T | undefined, error: ErrorBody | undefined): T {
  if (value === undefined) throw new Error(error?.message ?? "no answer");
  return value;
}

export async function run(baseUrl: string): Promise<string> {
  client.setConfig({ baseUrl });
  const before = await listItems({ query: { limit: 1 } });
  const total: number = given(before.data, before.error).total ?? 0;

  const body = { title: "Typed", description: "Made by a program", tags: ["typed"] };
  const made = await createItem({ body: { ...body, category: "dashboard", priority: "high" } });
  const item: Item = given(made.data, made.error).data;
  const etag: string = made.response?.headers.get("etag") ?? "";
  const status: ItemStatus = item.status;
  expect(status === "new" && item.updatedAt === null && etag !== "", "the item is not as it was made");

  const moved = await updateItem({ path: { id: item.id }, body: { status: "in-progress" }, headers: { "if-match": etag } });
  expect(given(moved.data, moved.error).data.status === "in-progress", "the item was not updated");
  const stale = await updateItem({ path: { id: item.id }, body: { status: "review" }, headers: { "if-match": etag } });
  expect(stale.response?.status === 412 && stale.error !== undefined, "a stale tag was taken");
  const reason: string = stale.error.message;
  const invalid = await createItem({ body: { ...body, title: " ", category: "dashboard", priority: "high" } });
  const fields: string[] = invalid.error?.details?.map((detail) => detail.field) ?? [];
  expect(fields.join() === "title", `refused were ${fields.join()}`);
  const gone = await deleteItem({ path: { id: item.id } });
  expect(given(gone.data, gone.error).data.id === item.id, "another item was deleted");

  const notes = new File(["Some notes"], "notes.txt", { type: "text/plain" });
  const uploaded = await uploadFile({ body: { file: notes, description: "First draft" } });
  const file = given(uploaded.data, uploaded.error).data;
  // A file is answered with its own media type, here a text, and wanted as bytes.
  const content = await downloadFile({ path: { fileId: file.id }, parseAs: "blob" });
  expect((await given(content.data, content.error).text()) === "Some notes", "the file is another one");

  const library = new File([JSON.stringify({ items: [RECORD, { id: "broken" }] })], "library.json");
  const accepted = await createImport({ body: { file: library, source: "lowdb", on_conflict: "skip" } });
  const job: Job = given(accepted.data, accepted.error).data;
  const seen: JobState[] = [];
  const { stream } = await followJob({ path: { job_id: job.id } });
  for await (const event of stream) {
    if (event && "state" in event) seen.push(event.state);
  }
  expect(seen.at(-1) === "succeeded", `the import went ${seen.join()}`);
  const ended = await showJob({ path: { job_id: job.id } });
  expect(given(ended.data, ended.error).data.rejected === 1, "the broken record was not rejected");
  const rejects = await downloadRejects({ path: { job_id: job.id } });
  const [line] = (await given(rejects.data, rejects.error).text()).split("\n");
  const reject: RejectLine = JSON.parse(line ?? "");
  expect(reject.position === 1, "another record was rejected");

  const after = await listItems();
  expect(given(after.data, after.error).total === total + 1, "the list does not hold what was imported");
  return reason;
}
