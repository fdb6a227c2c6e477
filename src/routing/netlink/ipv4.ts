/** AF_INET. */
export const ipv4Family = 2;

/** A request for all objects of a kind that are IPv4's: the kind's header (rtnetlink(7)), of which only the family is set. */
export function ipv4DumpRequest(headerBytes: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header[0] = ipv4Family;
  return header;
}
