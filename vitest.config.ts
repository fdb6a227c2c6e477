import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Tests that touch the kernel, QEMU or whole labs share two cores: one file at a time, in this order. */
const group = (
  name: string,
  order: number,
  timeoutMs: number,
  parallel: boolean,
  usesLabs = false,
) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    // The whole fault matrix takes far longer than its sample: scripts/faults runs it.
    exclude: process.env.SOJOURN_FAULTS_ALL ? [] : ["**/*.long.test.ts"],
    // Commands and daemons are started hundreds of times.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "build", "compile-cache") },
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    fileParallelism: parallel,
    sequence: { groupOrder: order },
    globalSetup: usesLabs ? ["test/support/shared-lab-removal.ts"] : [],
  },
});

export default defineConfig({
  test: {
    projects: [
      group("unit", 0, 20_000, true),
      group("simulation", 1, 900_000, false),
      group("namespaces", 2, 60_000, false),
      group("guests", 3, 240_000, false, true),
      group("faults", 4, 240_000, false, true),
    ],
    reporters: ["default"],
  },
});
