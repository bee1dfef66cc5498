import { fileURLToPath } from "node:url";
import { defineConfig } from "prisma/config";

export default defineConfig({ schema: fileURLToPath(new URL("../schema", import.meta.url)) });
