import type { Logger } from "../../../src/platform/log.ts";

export const silentLogger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
} as unknown as Logger;

export function tracingLogger(trace: (text: string) => void): Logger {
  const say = (level: string) => (fields: unknown, text?: string) => {
    const { err, ...rest } = (typeof fields === "object" ? fields : {}) as { err?: unknown };
    trace(`log ${level}: ${text ?? fields} ${JSON.stringify(rest)} ${err ?? ""}`);
  };
  const logger = {
    debug: () => {},
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
    child: () => logger,
  };
  return logger as unknown as Logger;
}
