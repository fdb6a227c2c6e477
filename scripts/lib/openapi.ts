import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openApiText } from "../../src/daemon/api/openapi/generate.ts";

const path = join(import.meta.dirname, "..", "..", "docs", "openapi.json");
await writeFile(path, await openApiText());
console.log(path);
