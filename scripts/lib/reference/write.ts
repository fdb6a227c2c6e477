import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { configurationDocument } from "./configuration.ts";
import { errorsDocument } from "./errors.ts";

const docs = join(import.meta.dirname, "..", "..", "..", "docs");
await writeFile(join(docs, "errors.md"), errorsDocument());
await writeFile(join(docs, "configuration.md"), configurationDocument());
console.log(`${docs}/errors.md\n${docs}/configuration.md`);
