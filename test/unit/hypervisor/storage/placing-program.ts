import { StorageProber } from "../../../../src/hypervisor/storage/storage-prober.ts";

/** Writes a marker beside a file, says so, and stays. */
const [real = "", nonce = ""] = process.argv.slice(2);
const prober = new StorageProber();
await prober.place([{ real, nonce }]);
process.stdout.write("placed\n");
setInterval(() => {}, 60_000);
