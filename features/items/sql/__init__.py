"""SQL of items that Prisma cannot express: full-text match, tags, batches of an import, comparison."""
