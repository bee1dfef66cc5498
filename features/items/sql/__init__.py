"""SQL of items that Prisma cannot express: full-text match and tags; and the table as imports know it."""
