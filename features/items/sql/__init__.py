"""What Prisma cannot say of items: matches of text and tags, batches of an import, and their comparison."""
