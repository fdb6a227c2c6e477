/** Largest request body that the HTTP API reads. */
export const maxBodyBytes = 50 * 1024;

/** The same of a configured peer's requests, which may describe a guest in a hypervisor's own words. */
export const maxPeerBodyBytes = 512 * 1024;

/** Longest path parameter that is looked at; names are at most 63 bytes. */
export const maxParameterLength = 100;
