import { defineConfig } from "vitest/config";

/** Tests that touch the kernel, QEMU or whole labs share two cores: one file at a time, in this order. */
const group = (name: string, order: number, timeoutMs: number, parallel: boolean) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    // The whole fault matrix takes far longer than its sample: scripts/faults runs it.
    exclude: process.env.SOJOURN_FAULTS_ALL ? [] : ["**/*.long.test.ts"],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    fileParallelism: parallel,
    sequence: { groupOrder: order },
  },
});

export default defineConfig({
  test: {
    projects: [
      group("unit", 0, 20_000, true),
      group("simulation", 1, 900_000, false),
      group("namespaces", 2, 60_000, false),
      group("guests", 3, 240_000, false),
      group("faults", 4, 240_000, false),
    ],
    reporters: ["default"],
  },
});
