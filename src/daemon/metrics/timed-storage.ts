import { monotonicMs } from "../../platform/clock.ts";
import type { AppendableFile, Storage } from "../../platform/storage.ts";

/** Hears how long it took until what was appended was on disk. Called while a guest may stand: it only takes note. */
export interface AppendObserver {
  began(startMs: number): void;
  ended(startMs: number, endMs: number, isOnDisk: boolean): void;
}

/** The same storage; how long appending takes is told. Costs a clock reading before and after. */
export function timedStorage(storage: Storage, observer: AppendObserver): Storage {
  return {
    ...storage,
    openForAppending: (path) => timedFile(storage.openForAppending(path), observer),
  };
}

function timedFile(file: AppendableFile, observer: AppendObserver): AppendableFile {
  let startMs: number | null = null;
  const end = (isOnDisk: boolean, sinceMs: number | null) => {
    if (sinceMs !== null) observer.ended(sinceMs, monotonicMs(), isOnDisk);
  };
  const takeStart = () => {
    const taken = startMs;
    startMs = null;
    return taken;
  };
  return {
    write(bytes) {
      startMs = monotonicMs();
      observer.began(startMs);
      try {
        file.write(bytes);
      } catch (error) {
        end(false, takeStart());
        throw error;
      }
    },
    sync() {
      const sinceMs = takeStart();
      try {
        file.sync();
      } catch (error) {
        end(false, sinceMs);
        throw error;
      }
      end(true, sinceMs);
    },
    async syncInBackground() {
      const sinceMs = takeStart();
      try {
        await file.syncInBackground();
      } catch (error) {
        end(false, sinceMs);
        throw error;
      }
      end(true, sinceMs);
    },
    truncate: (lengthBytes) => file.truncate(lengthBytes),
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}
