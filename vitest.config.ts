import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { mostSharedLabs } from "./test/support/shared-lab-name.ts";

/** What a project of tests shares the machine with. */
interface Pace {
  /** Projects of the same number run side by side, those of smaller ones before. */
  order: number;
  /** Files at once; the same for all projects of one number. */
  workers: number;
  /** Of one test, and of what is done around tests. */
  timeoutMs: number;
  /** Whether each file has a process of its own. */
  isolate?: boolean;
  /** By default those of the folder with the project's name; */
  files?: string[];
  /** without these. */
  except?: string[];
  usesLabs?: boolean;
}

const group = (name: string, pace: Pace) => ({
  test: {
    name,
    include: pace.files ?? [`test/${name}/**/*.test.ts`],
    // The whole fault matrix takes far longer than its sample: scripts/faults runs it.
    exclude: [
      ...(process.env.SOJOURN_FAULTS_ALL ? [] : ["**/*.long.test.ts"]),
      ...(pace.except ?? []),
    ],
    // Commands and daemons are started hundreds of times.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "build", "compile-cache") },
    testTimeout: pace.timeoutMs,
    hookTimeout: pace.timeoutMs,
    // A busy machine is no failure: what is awaited is late there.
    expect: { poll: { timeout: Math.min(pace.timeoutMs / 2, 60_000) } },
    isolate: pace.isolate ?? true,
    maxWorkers: pace.workers,
    sequence: { groupOrder: pace.order },
    globalSetup: pace.usesLabs ? ["test/support/shared-lab-removal.ts"] : [],
  },
});

/** Unit tests mostly wait; the simulation fills the gaps, at a lower priority. */
const sideBySide = { order: 0, workers: 4 };
/** Those of network namespaces wait for most of their time, too, for timers and one another's processes. */
const inThrees = (order: number) => ({ order, workers: 3 });
/** Tests that measure have two cores for themselves: one file at a time. */
const alone = (order: number) => ({ order, workers: 1 });

/** Of network namespaces, those that demand something of outages, delays or paces, or send as much as they can. */
const measuring = [
  ...["forged-packets", "lab-daemons", "mtu", "network-keeper-pace", "probe", "probe-capture"],
  ...["probe-kinds", "routing-traffic"],
].map((name) => `test/namespaces/${name}.test.ts`);

/** Of guests, those that demand nothing of outages, and little of rates, and have labs of their own or none. */
const unmeasured = [
  ...["busy-guests", "docs", "docs-programs", "evacuation", "hooks", "image", "orchestrator"],
  ...["post-copy", "storage", "stream-ports"],
  ...["channels", "lifecycle", "migration", "post-copy", "restart"].map((of) => `hypervisor-${of}`),
].map((name) => `test/guests/${name}.test.ts`);

/** What takes longest of what runs side by side: begun last, it would run on alone. */
const longest =
  /\/(docs|post-copy|evacuation|tunnels-neighbours|doctor|lab-libvirt|exit-codes|api-properties)\.test\.ts$/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => Number(longest.test(moduleId));
    return sorted.toSorted((one, other) => isLong(other) - isLong(one));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      group("unit", { ...sideBySide, timeoutMs: 20_000, isolate: false }),
      group("simulation", { ...sideBySide, timeoutMs: 1_800_000 }),
      group("namespaces", { ...inThrees(1), timeoutMs: 60_000, except: measuring }),
      group("guests-unmeasured", { ...inThrees(1), timeoutMs: 240_000, files: unmeasured }),
      group("namespaces-alone", { ...alone(2), timeoutMs: 60_000, files: measuring }),
      group("guests", { ...alone(3), timeoutMs: 240_000, except: unmeasured, usesLabs: true }),
      group("faults", { order: 4, workers: mostSharedLabs, timeoutMs: 240_000, usesLabs: true }),
    ],
    reporters: ["default"],
  },
});
