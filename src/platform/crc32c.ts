/** CRC-32C (Castagnoli), reflected polynomial: RFC 3720, appendix B.4. Node's zlib has the other CRC-32 only. */
const polynomial = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, octet) => {
  let remainder = octet;
  for (let bit = 0; bit < 8; bit += 1) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ polynomial : remainder >>> 1;
  }
  return remainder >>> 0;
});

/** Checksum of `bytes` as an unsigned number; `0xe3069283` for the text `123456789`. */
export function crc32c(bytes: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const octet of bytes) {
    remainder = (table[(remainder ^ octet) & 0xff] as number) ^ (remainder >>> 8);
  }
  return (remainder ^ 0xffffffff) >>> 0;
}
