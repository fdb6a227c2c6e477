import { type Logger as PinoLogger, pino } from "pino";

export type Logger = PinoLogger;

/** Fields whose values never reach a log. */
const secretPaths = [
  "key",
  "*.key",
  "token",
  "*.token",
  "password",
  "*.password",
  "headers.authorization",
];

/**
 * The process's logger: one JSON object a line on standard error.
 * @param level pino level name; `silent` for none.
 */
export function createLogger(level = "info"): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secretPaths, censor: "[secret]" },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
