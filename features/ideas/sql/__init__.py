"""SQL of ideas that Prisma cannot express: full-text match, orders by expressions, series, bulk work."""
