/**
 * The IPv4 dummy address (RFC 7600, section 4.8), never chosen as a source. On a device without any address the kernel's
 * loose reverse-path filter is a strict one (`no_addr` in net/ipv4/fib_frontend.c): what comes from a guest, or out of a
 * tunnel, before the route to its sender leads there too, would be dropped.
 */
export const dummyAddress = "192.0.0.8";

/** Words of `ip address replace … dev DEVICE` (ip-address(8)). */
export const dummyAddressWords = [`${dummyAddress}/32`, "scope", "host"] as const;
