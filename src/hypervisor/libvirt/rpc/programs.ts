/** Program numbers of libvirt's RPC (`remote_protocol.x`, `qemu_protocol.x`, `virkeepaliveprotocol.x`). */
export const Program = {
  /** Everything that every hypervisor has. */
  remote: 0x2000_8086,
  /** What only QEMU has. */
  qemu: 0x2000_8087,
  keepalive: 0x6b65_6570,
} as const;

/** The version of all three; there has never been another. */
export const programVersion = 1;
