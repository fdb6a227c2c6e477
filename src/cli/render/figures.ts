/** What is printed for a figure that was not measured. */
export const notMeasured = "-";

/** Milliseconds below one second, seconds above. */
export function duration(ms: number): string {
  return ms < 1000 ? `${oneDecimal(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Seconds, in the two largest units. */
export function span(seconds: number): string {
  const [minutes, hours, days] = [60, 3_600, 86_400].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d ${(hours ?? 0) % 24} h`;
  if (hours) return `${hours} h ${(minutes ?? 0) % 60} min`;
  if (minutes) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

/** An outage with its noise floor: what lies below the floor is not told apart from it. */
export function outage(outageMs: number | null, floorMs: number | null): string {
  if (outageMs === null) return notMeasured;
  if (floorMs !== null && outageMs <= floorMs) return `≤ ${oneDecimal(floorMs)} ms`;
  return `${oneDecimal(outageMs)} ms`;
}

export function milliseconds(ms: number | null): string {
  return ms === null ? notMeasured : `${oneDecimal(ms)} ms`;
}

export function throughput(mbps: number | null): string {
  if (mbps === null) return notMeasured;
  if (mbps >= 10_000) return `${(mbps / 1000).toFixed(1)} Gbit/s`;
  return `${mbps < 10 ? oneDecimal(mbps) : Math.round(mbps)} Mbit/s`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function oneDecimal(value: number): string {
  return String(Math.round(value * 10) / 10);
}
