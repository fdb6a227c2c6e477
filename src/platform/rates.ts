/** Bytes per second of so many Mbit/s. Pure. */
export function toBytesPerSecond(mbps: number): number {
  return (mbps * 1e6) / 8;
}

/** Mbit/s of so many bytes per second. Pure. */
export function toMbps(bytesPerSecond: number): number {
  return (bytesPerSecond * 8) / 1e6;
}
