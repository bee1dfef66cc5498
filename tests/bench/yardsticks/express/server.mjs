/** (c) Express 5 with Prisma 7: the project's own generated client and driver adapter, as Prisma documents them. */
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";

import express from "express";

const engine = createRequire(new URL("../../../../prisma/engine/host.mjs", import.meta.url));
const { PrismaPg } = engine("@prisma/adapter-pg");
const { PrismaClient } = await import("../../../../prisma/engine/generated/client.ts");

/** Statements are prepared once and named, which is an option of the adapter. */
const names = new Map();
const statementNameGenerator = ({ sql }) => names.get(sql) ?? names.set(sql, `s${names.size}`).get(sql);

const adapter = new PrismaPg({ connectionString: process.env.DATABASE_URL, max: 10 }, { statementNameGenerator });
const prisma = new PrismaClient({ adapter });

const ITEM = {
  id: true, title: true, description: true, category: true, priority: true, status: true, tags: true,
  created_at: true, updated_at: true,
};
const FIELDS = ["title", "description", "category", "priority", "tags"];
const NEWEST = [{ created_at: "desc" }, { id: "asc" }];

const item = ({ created_at, updated_at, ...rest }) => ({ ...rest, createdAt: created_at, updatedAt: updated_at });

/** What is null becomes undefined, which JSON leaves out. */
const idea = (row) => ({
  id: row.id,
  title: row.title,
  description: row.description,
  category: row.category,
  priority: row.priority,
  status: row.status,
  tags: row.tags,
  systemId: row.system_id ?? undefined,
  system: row.system ?? undefined,
  assignedTo: row.assigned_to ?? undefined,
  createdBy: row.created_by ?? undefined,
  estimatedHours: row.estimated_hours ?? undefined,
  actualHours: row.actual_hours ?? undefined,
  dueDate: row.due_date ?? undefined,
  completedAt: row.completed_at ?? undefined,
  createdAt: row.created_at,
  updatedAt: row.updated_at ?? undefined,
});

const cursor = (scope, row) => Buffer.from(JSON.stringify([...scope, row.created_at, row.id])).toString("base64url");

function page(scope, rows, total, limit, shown) {
  const data = rows.slice(0, limit).map(shown);
  const nextCursor = rows.length > limit ? cursor(scope, rows[limit - 1]) : undefined;
  return { success: true, count: data.length, total, nextCursor, data };
}

const isText = (value, most = Infinity) => typeof value === "string" && value.trim() !== "" && value.length <= most;
const isTags = (value) => Array.isArray(value) && value.every((tag) => typeof tag === "string");

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.use(express.json());

app.get("/health", (request, response) => response.json({ status: "healthy" }));

app.get("/api/items", async (request, response) => {
  const limit = Number(request.query.limit ?? 100);
  const [rows, total] = await Promise.all([
    prisma.item.findMany({ select: ITEM, orderBy: NEWEST, take: limit + 1 }),
    prisma.itemTotal.aggregate({ _sum: { items: true } }),
  ]);
  response.json(page(["items"], rows, Number(total._sum.items), limit, item));
});

app.get("/api/items/:id", async (request, response) => {
  const row = await prisma.item.findUnique({ select: ITEM, where: { id: request.params.id } });
  if (row === null) return response.status(404).json({ success: false });
  response.json({ success: true, data: item(row) });
});

app.get("/api/v1/ideas", async (request, response) => {
  const limit = Number(request.query.limit ?? 20);
  const where = { status: request.query.status };
  const include = { system: { select: { id: true, name: true } } };
  const [rows, total] = await Promise.all([
    prisma.idea.findMany({ where, include, orderBy: NEWEST, take: limit + 1 }),
    prisma.ideaTotal.aggregate({ where, _sum: { ideas: true } }),
  ]);
  response.json(page(["ideas", "created_at", "desc"], rows, Number(total._sum.ideas), limit, idea));
});

app.post("/api/items", async (request, response) => {
  const { title, description, category, priority, tags = [] } = request.body;
  if (!isText(title, 200) || !isText(description) || !isText(category) || !isText(priority) || !isTags(tags)) {
    return response.status(400).json({ success: false });
  }
  const data = { id: randomUUID(), title, description, category, priority, tags, created_at: new Date() };
  const row = await prisma.item.create({ select: ITEM, data });
  response.status(201).json({ success: true, message: "Item created successfully", data: item(row) });
});

app.put("/api/items/:id", async (request, response) => {
  const data = { updated_at: new Date(), version: { increment: 1 } };
  for (const field of [...FIELDS, "status"]) {
    const value = request.body[field];
    if (value === undefined) continue;
    if (field === "tags" ? !isTags(value) : !isText(value)) return response.status(400).json({ success: false });
    data[field] = value;
  }
  const row = await prisma.item.update({ select: ITEM, where: { id: request.params.id }, data });
  response.json({ success: true, message: "Item updated successfully", data: item(row) });
});

app.listen(Number(process.env.PORT), "127.0.0.1");
