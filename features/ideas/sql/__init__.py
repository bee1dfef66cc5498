"""What Prisma cannot say of ideas: matches of text, orders by expressions, series over time, bulk work."""
