export interface DeviceNumber {
  major: bigint;
  minor: bigint;
}

/** A device's number (`st_dev`, `st_rdev`) as the C library takes it apart (gnu_dev_major(3), gnu_dev_minor(3)). */
export function deviceNumber(device: bigint): DeviceNumber {
  return {
    major: ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn),
    minor: (device & 0xffn) | ((device >> 12n) & 0xffffff00n),
  };
}
